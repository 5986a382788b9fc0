//! All of OCR on one machine: the queue, the worker with its tesseract, the server.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    ops::Deref,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use tempfile::TempDir;
use tidings::upstash::{DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use super::{Host, On, Queue, Server, Site};

/// An address that is known before whoever will listen behind it.
pub struct Relay {
    pub url: String,
    target: watch::Sender<Option<SocketAddr>>,
    accepting: JoinHandle<()>,
}

impl Relay {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (target, line) = watch::channel(None);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, line.clone()));
            }
        });
        Self { url, target, accepting }
    }

    /// Carries from now on to the server at `url`.
    pub fn lead_to(&self, url: &str) {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        self.target.send_replace(Some(address.parse().unwrap()));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut client: TcpStream, mut line: watch::Receiver<Option<SocketAddr>>) {
    let Ok(target) = line.wait_for(Option::is_some).await.map(|target| *target) else { return };
    let Ok(mut server) = TcpStream::connect(target.unwrap()).await else { return };
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// What a server is told that sends pictures to `worker` over `queue` and is reached at `public`.
pub struct OcrEnvironment(Vec<(&'static str, String)>);

impl OcrEnvironment {
    pub fn new(queue: &str, worker: &str, public: &str) -> Self {
        Self(vec![
            ("OCR_URL", worker.to_owned()),
            ("PUBLIC_URL", public.to_owned()),
            ("QSTASH_URL", queue.to_owned()),
            ("QSTASH_TOKEN", DEVELOPMENT_TOKEN.to_owned()),
            ("QSTASH_CURRENT_SIGNING_KEY", DEVELOPMENT_KEYS[0].to_owned()),
            ("QSTASH_NEXT_SIGNING_KEY", DEVELOPMENT_KEYS[1].to_owned()),
        ])
    }

    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// The queue, the worker and a server; all end when dropped.
pub struct Ocr<S = Server> {
    pub server: S,
    pub environment: OcrEnvironment,
    pub public: Relay,
    pub queue: Queue,
    pub worker: (Worker, Relay),
}

impl Ocr {
    /// Starts all of it. The worker takes signed deliveries only.
    pub async fn start() -> Self {
        Self::around(async |environment| Server::start(environment)).await
    }
}

impl Ocr<Host> {
    /// Starts all of it, with either of the two as its server.
    pub async fn start_on(on: On) -> Self {
        Self::around(async |environment| Host::start(on, environment).await).await
    }
}

impl<S: Deref<Target = Site>> Ocr<S> {
    async fn around(start: impl AsyncFnOnce(&[(&str, &str)]) -> S) -> Self {
        let (queue, public, worker_relay) = (Queue::start(), Relay::start().await, Relay::start().await);
        let worker = Worker::start(&worker_relay.url);
        worker_relay.lead_to(&worker.url);
        let environment = OcrEnvironment::new(&queue.url, &worker_relay.url, &public.url);
        let server = start(&environment.pairs()).await;
        public.lead_to(&server.url);
        Self { server, environment, public, queue, worker: (worker, worker_relay) }
    }
}

/// The example `ocr_worker`; killed when dropped.
pub struct Worker {
    process: Child,
    pub url: String,
    _folder: TempDir,
}

impl Worker {
    /// Starts a worker that the queue knows as `url`.
    pub fn start(url: &str) -> Self {
        Self::start_with(url, DEVELOPMENT_KEYS, None)
    }

    /// Starts one that trusts a queue by these keys and shows the server a key of its own.
    pub fn start_with(url: &str, keys: [&str; 2], internal_key: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut process = Command::new(program())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", folder.path())
            .env("LISTEN", "127.0.0.1:0")
            .env("OCR_URL", url)
            .env("QSTASH_CURRENT_SIGNING_KEY", keys[0])
            .env("QSTASH_NEXT_SIGNING_KEY", keys[1])
            .env("INTERNAL_API_KEY", internal_key.unwrap_or_default())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let greeting = lines.next().and_then(Result::ok).unwrap_or_default();
        let url = greeting.strip_prefix("OCR worker on ").expect("the worker starts").to_owned();
        Self { process, url, _folder: folder }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Builds the example once: tests that are run alone do not build examples.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        for part in ["pdfinfo", "pdftoppm", "tesseract"] {
            let is_there = Command::new(part).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(is_there.is_ok(), "{part} is not installed: run `make setup`");
        }
        let build = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--quiet", "--example", "ocr_worker"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(build.unwrap().success(), "the example ocr_worker does not build");
        Path::new(env!("CARGO_BIN_EXE_tidings")).with_file_name("examples").join("ocr_worker")
    })
}
