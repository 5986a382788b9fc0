//! What a reader does with a page: runs its commands in order, in an empty folder, and looks at what they print.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::symlink, process::CommandExt},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tempfile::TempDir;

use super::page::{Block, Duty, Page, root};
use crate::support::Redis;

/// How long a command may take, and a line may stay away, on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);
/// Stands for `make run`, which builds first; a test holds it to the Makefile.
const MAKE: &str = "#!/bin/sh\n[ \"$*\" = run ] || { echo \"only make run\" >&2; exit 2; }\nexec tidings\n";
/// What the pages call the servers they start.
const SERVER: &str = "127.0.0.1:8080";
const FRONT: &str = "127.0.0.1:8079";
const REDIS: &str = "redis://127.0.0.1:6379";

/// The terminals of one reader; all they started ends when dropped.
pub struct Session {
    name: String,
    folder: TempDir,
    programs: TempDir,
    /// Ports of this session's own, in place of those the pages name.
    server: u16,
    front: u16,
    redis: Option<Redis>,
    terminals: Vec<Child>,
    printed: Arc<Mutex<Vec<String>>>,
    shown: usize,
}

/// A block that runs.
struct Started {
    process: Child,
    /// Whether it has said anything on standard output: how far a download is says nothing about being ready.
    has_spoken: Arc<AtomicBool>,
}

impl Session {
    pub fn of(page: &Page) -> Self {
        let programs = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_tidings"), programs.path().join("tidings")).unwrap();
        let make = programs.path().join("make");
        std::fs::write(&make, MAKE).unwrap();
        std::fs::set_permissions(&make, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self {
            name: page.name().to_owned(),
            folder: tempfile::tempdir().unwrap(),
            programs,
            server: quiet_port(),
            front: quiet_port(),
            redis: page.text.contains(REDIS).then(Redis::start),
            terminals: Vec::new(),
            printed: Arc::default(),
            shown: 0,
        }
    }

    /// Where the page's server listens.
    pub fn server_url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.server)
    }

    /// Does with a block what its duty says.
    pub fn take(&mut self, block: &Block) {
        match block.duty {
            Duty::Read => {}
            Duty::Run => self.run(block),
            Duty::Stays => self.stay(block),
            Duty::Shows => self.show(block),
        }
    }

    fn run(&mut self, block: &Block) {
        let mut process = self.start(block).process;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > WITHIN {
                end(&mut process);
                panic!("{}:{}: it does not end\n{}", self.name, block.line, self.text());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{}:{}: {status}\n{}", self.name, block.line, self.text());
    }

    /// Starts what stays, and waits until it says something.
    fn stay(&mut self, block: &Block) {
        let Started { process, has_spoken } = self.start(block);
        self.terminals.push(process);
        self.wait_until(block, "it says nothing", |_| has_spoken.load(SeqCst));
    }

    fn show(&mut self, block: &Block) {
        for line in block.text.lines().filter(|line| !line.is_empty()) {
            let parts: Vec<_> = line.split('…').map(regex::escape).collect();
            let wanted = regex::Regex::new(&parts.join(".*")).unwrap();
            let from = self.shown;
            let is_there = |printed: &[String]| printed.iter().skip(from).any(|line| wanted.is_match(line));
            self.wait_until(block, line, is_there);
            let printed = self.printed.lock().unwrap();
            self.shown = from + 1 + printed.iter().skip(from).position(|line| wanted.is_match(line)).unwrap();
        }
    }

    fn wait_until(&mut self, block: &Block, what: &str, is_so: impl Fn(&[String]) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.printed.lock().unwrap()) {
            assert!(begun.elapsed() < WITHIN, "{}:{}: {what}\n{}", self.name, block.line, self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a block in a group of processes of its own, with nothing set but the path and its port.
    fn start(&self, block: &Block) -> Started {
        let text = self.with_own_ports(&block.text);
        let (program, arguments) = match block.language.as_str() {
            "sh" => ("bash", vec!["-euo", "pipefail", "-c", &text]),
            "python" => ("python3", vec!["-"]),
            "js" => ("node", vec!["--input-type=module", "-"]),
            other => panic!("{}:{}: {other} cannot be run", self.name, block.line),
        };
        let path = std::env::var("PATH").unwrap_or_default();
        let mut process = Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:{path}", self.programs.path().display()))
            .env("PORT", self.server.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} cannot be started ({error}): make setup"));
        let mut input = process.stdin.take().unwrap();
        if program != "bash" {
            input.write_all(text.as_bytes()).unwrap();
        }
        let has_spoken = self.listen(process.stdout.take().unwrap());
        self.listen(process.stderr.take().unwrap());
        Started { process, has_spoken }
    }

    /// Keeps what is printed; the answer becomes true with the first line.
    fn listen(&self, output: impl Read + Send + 'static) -> Arc<AtomicBool> {
        let has_spoken = Arc::<AtomicBool>::default();
        let speaks = Arc::clone(&has_spoken);
        let printed = Arc::clone(&self.printed);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                printed.lock().unwrap().push(line);
                speaks.store(true, SeqCst);
            }
        });
        has_spoken
    }

    fn with_own_ports(&self, text: &str) -> String {
        let redis = self.redis.as_ref().map_or(REDIS, |redis| &redis.url);
        text.replace(SERVER, &format!("127.0.0.1:{}", self.server))
            .replace(FRONT, &format!("127.0.0.1:{}", self.front))
            .replace(REDIS, redis)
    }

    fn text(&self) -> String {
        self.printed.lock().unwrap().join("\n")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.terminals.iter_mut().for_each(end);
    }
}

/// Ends a process with all it has started.
fn end(process: &mut Child) {
    let _ = killpg(Pid::from_raw(process.id().cast_signed()), Signal::SIGKILL);
    let _ = process.wait();
}

/// A port nobody listens on, below those the system gives away by itself: no other test takes it meanwhile.
fn quiet_port() -> u16 {
    let ports = std::iter::repeat_with(|| fastrand::u16(20_000..30_000));
    let mut free = ports.take(100).filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("a port is free")
}

/// Says that `make run` is what the script in its place does.
#[test]
fn make_run_serves() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let recipe = makefile.split("\nrun: ").nth(1).and_then(|rest| rest.lines().nth(1));

    assert_eq!(recipe, Some("\tcargo run --release --locked"));
}
