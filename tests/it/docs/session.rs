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
/// Stands for what builds first; a test holds it to the Makefile.
const MAKE: &str = r#"#!/bin/sh
case "$*" in
    run) exec tidings ;;
    demo-upstash) exec "$REPOSITORY/examples/demo_upstash.sh" ;;
    *) echo "not make $*" >&2; exit 2 ;;
esac
"#;
/// Stands for `cargo`, which builds first too.
const CARGO: &str = r#"#!/bin/sh
case "$*" in
    build*) ;;
    "run --example "*) exec "$PROGRAMS/examples/$3" ;;
    run) exec tidings ;;
    "run -- "*) shift 2; exec tidings "$@" ;;
    *) echo "not cargo $*" >&2; exit 2 ;;
esac
"#;
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
    _redis: Option<Redis>,
    /// What stands in the pages, and what stands for it here.
    stand_ins: Vec<(String, String)>,
    environment: Vec<(&'static str, String)>,
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
        for (name, script) in [("make", MAKE), ("cargo", CARGO)] {
            let program = programs.path().join(name);
            std::fs::write(&program, script).unwrap();
            std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let server = quiet_port();
        let redis = page.text.contains(REDIS).then(Redis::start);
        let session = Self {
            name: page.name().to_owned(),
            folder: tempfile::tempdir().unwrap(),
            programs,
            server,
            stand_ins: redis.iter().map(|redis| (REDIS.to_owned(), redis.url.clone())).collect(),
            _redis: redis,
            environment: Vec::new(),
            terminals: Vec::new(),
            printed: Arc::default(),
            shown: 0,
        };
        session.with(SERVER, &format!("127.0.0.1:{server}")).with_port_of(FRONT)
    }

    /// Goes on in a clone of the repository, as far as examples need one.
    pub fn in_a_clone(mut self) -> Self {
        for folder in ["examples", "fixtures"] {
            symlink(root().join(folder), self.folder.path().join(folder)).unwrap();
        }
        let built = std::path::Path::new(env!("CARGO_BIN_EXE_tidings")).parent().unwrap();
        self.environment = vec![
            ("REPOSITORY", root().to_str().unwrap().to_owned()),
            ("PROGRAMS", built.to_str().unwrap().to_owned()),
            // The clone is this very repository.
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("TMPDIR", self.folder.path().to_str().unwrap().to_owned()),
        ];
        self
    }

    /// Takes `here` wherever the page says `written`.
    pub fn with(mut self, written: &str, here: &str) -> Self {
        self.stand_ins.push((written.to_owned(), here.to_owned()));
        self
    }

    /// Takes a free port in place of the one that the page names.
    pub fn with_port_of(self, address: &str) -> Self {
        self.with(address, &format!("127.0.0.1:{}", quiet_port()))
    }

    /// Sets a variable in every terminal.
    pub fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// What stands for `written`.
    pub fn here(&self, written: &str) -> &str {
        let found = self.stand_ins.iter().find(|(other, _)| other == written);
        &found.unwrap_or_else(|| panic!("nothing stands for {written}")).1
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
        for line in self.with_own_ports(&block.text).lines().filter(|line| !line.is_empty()) {
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
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
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
        self.stand_ins.iter().fold(text.to_owned(), |text, (written, here)| text.replace(written, here))
    }

    /// What was printed so far.
    pub fn text(&self) -> String {
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
pub fn quiet_port() -> u16 {
    let ports = std::iter::repeat_with(|| fastrand::u16(20_000..30_000));
    let mut free = ports.take(100).filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("a port is free")
}

/// Says that `make` does what the script in its place does.
#[test]
fn make_serves_and_shows() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let recipe = |target: &str| makefile.split(&format!("\n{target}: ")).nth(1)?.lines().nth(1);

    assert_eq!(recipe("run"), Some("\tcargo run --release --locked"));
    assert_eq!(recipe("demo-upstash"), Some("\t@examples/demo_upstash.sh"));
}
