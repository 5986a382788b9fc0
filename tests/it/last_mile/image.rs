//! The image, laid out and started as the Dockerfile says, without Docker; and what else deploys the program.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::unistd::Uid;
use tempfile::TempDir;

use crate::support::{Redis, redis::free_port, tokens::KEYS, unprivileged::end};

/// C libraries that the base of the image holds.
const IN_THE_BASE: [&str; 5] = ["linux-vdso.so", "ld-linux", "libc.so", "libm.so", "libgcc_s.so"];
const WITHIN: Duration = Duration::from_secs(30);

fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(of_repository(path)).unwrap()
}

/// The last stage of the Dockerfile: instructions and what follows them.
fn last_stage() -> Vec<(String, String)> {
    let dockerfile = read("Dockerfile");
    let stage = dockerfile.rsplit("\nFROM ").next().unwrap().lines().skip(1);
    let lines = stage.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(word, rest)| (word.into(), rest.into())).collect()
}

fn value<'a>(stage: &'a [(String, String)], instruction: &str) -> &'a str {
    let found = stage.iter().find(|(word, _)| word == instruction);
    &found.unwrap_or_else(|| panic!("no {instruction} in the Dockerfile")).1
}

/// A root folder as the image has it, filled by the script and the COPY lines.
struct Image {
    root: TempDir,
    stage: Vec<(String, String)>,
}

impl Image {
    fn lay_out() -> Self {
        let (root, built, stage) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), last_stage());
        let out = built.path().to_str().unwrap();
        let script =
            Command::new(of_repository("deploy/build")).args([out, env!("CARGO_BIN_EXE_tidings")]).output();
        let script = script.unwrap();
        assert!(script.status.success(), "{script:?}");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (_, line) in stage.iter().filter(|(word, _)| word == "COPY") {
            let (options, paths): (Vec<_>, Vec<_>) =
                line.split_whitespace().partition(|word| word.starts_with("--"));
            let [from, to] = paths[..] else { panic!("{line}") };
            let from = from.strip_prefix("/image/").expect("what deploy/build was given to fill");
            let to = root.path().join(to.trim_start_matches('/'));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            let copied = Command::new("cp").arg("-r").arg(built.path().join(from)).arg(&to).status();
            assert!(copied.unwrap().success(), "{line}");
            if Uid::effective().is_root() && options.iter().any(|option| option.contains("--chown=65532")) {
                chown(&to, Some(65_532), Some(65_532)).unwrap();
            }
        }
        Self { root, stage }
    }

    /// The command of the image.
    fn command(&self, environment: &[(&str, &str)]) -> Command {
        let words: Vec<String> = serde_json::from_str(value(&self.stage, "CMD")).unwrap();
        self.run(&words.iter().map(String::as_str).collect::<Vec<_>>(), environment)
    }

    /// The program of the image, with its user, folder and environment, and more of that.
    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let words = |instruction| -> Vec<String> {
            serde_json::from_str(value(&self.stage, instruction)).expect("the form of a list")
        };
        let [program] = &words("ENTRYPOINT")[..] else { panic!("one program") };
        let user = value(&self.stage, "USER");
        let (user, group) = user.split_once(':').unwrap();
        assert!(user.parse::<u32>().unwrap() > 0, "not root");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--no-new-privs"]);
        if Uid::effective().is_root() {
            command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]);
        }
        command.arg("--").arg(self.path(program)).args(arguments);
        command.current_dir(self.path(value(&self.stage, "WORKDIR"))).env_clear();
        let pairs = value(&self.stage, "ENV").split(' ').filter_map(|pair| pair.split_once('='));
        command.envs(pairs).envs(environment.iter().copied());
        command
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }
}

#[test]
fn the_image_serves_as_nobody_and_writes_to_its_folder_only() {
    let image = Image::lay_out();
    let port = free_port().to_string();
    let environment = [&KEYS[..], &[("PORT", &*port)]].concat();

    let mut process =
        image.command(&environment).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let health = loop {
        let answer = ask(&port);
        if answer.is_some() || begun.elapsed() > WITHIN {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    end(&mut process);

    assert!(health.expect("it serves").starts_with("HTTP/1.1 200"));
    assert!(image.path("/data/data/tidings.db").exists());
}

/// Asks as a health check does.
fn ask(port: &str) -> Option<String> {
    let mut connection = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).ok()?;
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn the_image_does_not_serve_without_keys() {
    let image = Image::lay_out();

    let Output { status, stderr, .. } = image.command(&[]).output().unwrap();

    let words = String::from_utf8(stderr).unwrap();
    assert!(!status.success() && words.contains("AUTH_JWT_SECRET"), "{words}");
}

#[test]
fn the_same_image_stands_before_redis_without_viewers_keys() {
    let (image, redis) = (Image::lay_out(), Redis::start());
    let arguments = ["redis-rest", "--redis", &redis.url, "--listen", "127.0.0.1:0", "--token", "t"];
    let compose = read("compose.yaml");
    assert!(compose.contains("environment: { HOST: 127.0.0.1 }"), "what the front is given there");

    let mut process = image.run(&arguments, &[("HOST", "127.0.0.1")]).stdout(Stdio::piped()).spawn().unwrap();
    let mut greeting = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
    end(&mut process);

    assert!(greeting.starts_with("Upstash-compatible REST on "), "{greeting}");
}

#[test]
fn the_program_needs_nothing_that_the_base_of_the_image_does_not_hold() {
    let needed = Command::new("ldd").arg(env!("CARGO_BIN_EXE_tidings")).output().unwrap();

    let needed = String::from_utf8(needed.stdout).unwrap();
    assert!(needed.contains("libc.so"), "{needed}");
    for line in needed.lines() {
        assert!(IN_THE_BASE.iter().any(|library| line.contains(library)), "{line}");
    }
}

#[test]
fn the_dockerfile_builds_with_the_script_and_the_toolchain_that_the_manifest_asks_for() {
    let (dockerfile, manifest, script) = (read("Dockerfile"), read("Cargo.toml"), read("deploy/build"));

    let asked = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let minor = |version: &str| version.trim_matches('"').split('.').nth(1).unwrap().parse::<u32>().unwrap();
    let taken = dockerfile.lines().find_map(|line| line.strip_prefix("FROM rust:")).unwrap();
    assert!(minor(taken.split('-').next().unwrap()) >= minor(asked), "{taken}, {asked}");
    assert!(dockerfile.lines().any(|line| line.starts_with("RUN ") && line.ends_with("deploy/build /image")));
    assert!(script.contains("cargo build --release --locked --bin tidings"));
    let ignored = read(".dockerignore");
    for secret in [".env", ".git", "data", "target"] {
        assert!(ignored.lines().any(|line| line == secret), "{secret} stays out of the image");
    }
}

#[test]
fn compose_and_the_service_name_only_what_there_is() {
    let (compose, example, unit) =
        (read("compose.yaml"), read(".env.example"), read("deploy/tidings.service"));

    let of_tidings = compose.split("environment:").nth(1).unwrap().split("volumes:").next().unwrap();
    for line in of_tidings.lines().filter(|line| line.starts_with("      ") && !line.starts_with("       ")) {
        let name = line.trim().split(':').next().unwrap();
        assert!(example.contains(&format!("\n{name}=")), "{name}");
    }
    let commands = compose.lines().filter_map(|line| line.trim().strip_prefix("command: [\"redis-rest\""));
    let [command] = commands.collect::<Vec<_>>()[..] else { panic!("{compose}") };
    let help = Command::new(env!("CARGO_BIN_EXE_tidings")).args(["redis-rest", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for option in command.split('"').filter(|word| word.starts_with("--")) {
        assert!(help.contains(option), "{option}");
    }
    let starts = "ExecStart=/usr/bin/env APP_ENV=production /usr/local/bin/tidings serve\n";
    assert!(unit.contains(starts), "on loopback, behind a proxy, it must not run open");
}
