//! A real Redis, and the front that serves it as Upstash would.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::RequestBuilder;
use serde_json::Value;
use tempfile::TempDir;

/// A `redis-server` that keeps nothing; killed when dropped.
pub struct Redis {
    process: Child,
    port: u16,
    /// For example `redis://127.0.0.1:40123`.
    pub url: String,
    folder: TempDir,
}

impl Redis {
    /// Starts a Redis on a free port.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Somebody else may take the port before Redis does.
        let (process, port) = (0..8)
            .find_map(|_| {
                let port = free_port();
                Some((start_redis(&folder, port)?, port))
            })
            .expect("redis-server starts");
        Self { process, port, url: format!("redis://127.0.0.1:{port}"), folder }
    }

    /// Pushes as a stranger does, without any front.
    pub async fn push(&self, list: &str, item: &str) {
        let push = redis::cmd("RPUSH").arg(list).arg(item).to_owned();
        let length: u64 = push.query_async(&mut self.connect().await).await.unwrap();
        assert!(length > 0);
    }

    /// Forgets everything.
    pub async fn flush(&self) {
        let flush = redis::cmd("FLUSHALL").to_owned();
        let _: String = flush.query_async(&mut self.connect().await).await.unwrap();
    }

    /// Publishes as a stranger does.
    pub async fn publish(&self, channel: &str, message: &str) {
        let publish = redis::cmd("PUBLISH").arg(channel).arg(message).to_owned();
        let _: u64 = publish.query_async(&mut self.connect().await).await.unwrap();
    }

    /// Counts the commands it has run, those inside scripts too, but not what only connects or asks.
    pub async fn commands(&self) -> u64 {
        let stats = redis::cmd("INFO").arg("commandstats").to_owned();
        let stats: String = stats.query_async(&mut self.connect().await).await.unwrap();
        let counts = |line: &&str| {
            let name = line.trim_start_matches("cmdstat_").split([':', '|']).next();
            !matches!(name, Some("info" | "client" | "hello" | "ping"))
        };
        let calls = |line: &str| line.split_once(":calls=")?.1.split_once(',')?.0.parse::<u64>().ok();
        stats.lines().filter(counts).filter_map(calls).sum()
    }

    async fn connect(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Kills it as a crash would; all it held is lost.
    pub fn crash(&mut self) {
        end(&mut self.process);
    }

    /// Starts it again where it was.
    pub fn start_again(&mut self) {
        self.process = start_redis(&self.folder, self.port).expect("redis-server starts where it was");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// A port that nobody listens on for the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until Redis is ready; nothing if the port is taken.
fn start_redis(folder: &TempDir, port: u16) -> Option<Child> {
    let mut process = Command::new("redis-server")
        .current_dir(folder.path())
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server cannot be started ({error}): make setup"));
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    if !lines.any(|line| line.contains("Ready to accept connections")) {
        end(&mut process);
        return None;
    }
    std::thread::spawn(move || lines.for_each(drop));
    Some(process)
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// The built binary as `tidings redis-rest`; killed when dropped.
pub struct RedisRest {
    process: Child,
    /// Where it listens, for example `http://127.0.0.1:40124`.
    pub url: String,
    pub http: reqwest::Client,
    _folder: TempDir,
}

impl RedisRest {
    /// Starts it in front of a Redis; it lets in everybody.
    pub fn before(redis: &Redis) -> Self {
        Self::start(&["--redis", &redis.url, "--listen", "127.0.0.1:0"])
            .unwrap_or_else(|words| panic!("redis-rest did not start: {words}"))
    }

    /// Starts it in front of a Redis; it asks for a token.
    pub fn with_token(redis: &Redis, token: &str) -> Self {
        Self::start(&["--redis", &redis.url, "--listen", "127.0.0.1:0", "--token", token])
            .unwrap_or_else(|words| panic!("redis-rest did not start: {words}"))
    }

    /// Starts it with any arguments, or gives what it said when it did not want to.
    pub fn start(arguments: &[&str]) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .arg("redis-rest")
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let mut errors = process.stderr.take().unwrap();
        let Some(rest) = greeting.strip_prefix("Upstash-compatible REST on ") else {
            let mut words = String::new();
            errors.read_to_string(&mut words).unwrap();
            assert!(!process.wait().unwrap().success(), "{words}");
            return Err(words);
        };
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let url = rest.split(' ').next().unwrap().to_owned();
        Ok(Self { process, url, http: reqwest::Client::new(), _folder: folder })
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).json(body)
    }

    /// Sends one command, checks that it is taken and gives its result.
    pub async fn run(&self, command: Value) -> Value {
        let answer = self.post("/", &command).send().await.unwrap();
        let (status, mut answer): (_, Value) = (answer.status(), answer.json().await.unwrap());
        assert_eq!(status, 200, "{command}: {answer}");
        answer["result"].take()
    }

    /// Asks it to go down and waits until it has.
    pub fn terminate(mut self, within: Duration) -> Option<ExitStatus> {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < within {
            if let Some(status) = self.process.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for RedisRest {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}
