//! A platform in Vercel's place: starts the built function, routes to it, hears when invocations end.
//!
//! It does what the runtime crate expects of its other side (`vercel_runtime`, `src/lib.rs`, `src/ipc/`): a
//! Unix socket in `VERCEL_IPC_PATH` for JSON messages that end with a zero byte, a port in
//! `VERCEL_DEV_PORT`, and with each request the ids of its invocation in two headers.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    os::unix::net::{UnixListener, UnixStream},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::future::join_all;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::RequestBuilder;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Database, Redis, RedisRest, S3, Site, redis::free_port, tokens};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a function may live on after SIGTERM.
pub const GRACE: Duration = Duration::from_millis(500);

/// What lies outside of instances: Redis behind its REST front, Postgres and a bucket.
pub struct Outside {
    pub redis: Redis,
    pub front: RedisRest,
    pub database: Database,
    pub s3: S3,
}

impl Outside {
    pub async fn start() -> Self {
        let redis = Redis::start();
        let front = RedisRest::with_token(&redis, "t");
        Self { redis, front, database: Database::new().await, s3: S3::start() }
    }

    /// The environment of a project on Vercel; `more` may replace parts of it.
    fn environment(&self, more: &[(&str, &str)]) -> Environment {
        let fixed = [
            ("VERCEL", "1"),
            ("UPSTASH_REDIS_REST_URL", &self.front.url),
            ("UPSTASH_REDIS_REST_TOKEN", "t"),
            ("DATABASE_URL", &self.database.url),
            ("AWS_REGION", "us-east-1"),
        ];
        let all = fixed.into_iter().chain(self.s3.environment()).chain(more.iter().copied());
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

type Environment = HashMap<String, String>;

/// Routes requests to instances of the function; all of it ends when dropped.
pub struct Platform {
    /// Where browsers find it.
    pub url: String,
    environment: Environment,
    router: Arc<Routing>,
    serving: JoinHandle<()>,
    http: reqwest::Client,
}

struct Routing {
    instances: Mutex<Vec<Arc<Instance>>>,
    turn: AtomicUsize,
    invocations: AtomicU64,
    http: reqwest::Client,
}

/// A process of the function.
pub struct Instance {
    process: Mutex<Child>,
    port: u16,
    ended: Arc<Mutex<HashMap<u64, Instant>>>,
    begun: Mutex<Vec<u64>>,
    /// From the start of the process to its message that it listens.
    pub cold_start: Duration,
    folder: TempDir,
}

impl Platform {
    /// Starts one instance, which lets nobody in without a key or a token.
    pub async fn start(outside: &Outside, more: &[(&str, &str)]) -> Self {
        let platform = Self::before_nobody(outside.environment(&tokens::keys_and(more))).await;
        platform.scale_out(None).await;
        platform
    }

    /// Starts one instance that finds Redis at another URL.
    pub async fn over(outside: &Outside, redis_url: &str, more: &[(&str, &str)]) -> Self {
        Self::start(outside, &[&[("UPSTASH_REDIS_REST_URL", redis_url)], more].concat()).await
    }

    /// Starts instances that are open to everybody, unless `more` says otherwise.
    pub async fn open(outside: &Outside, more: &[(&str, &str)], instances: usize) -> Self {
        let settings = [&[("APP_ENV", "development")], more].concat();
        let platform = Self::before_nobody(outside.environment(&settings)).await;
        platform.scale_out_by(instances).await;
        platform
    }

    async fn before_nobody(environment: Environment) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Arc::new(Routing {
            instances: Mutex::default(),
            turn: AtomicUsize::new(0),
            invocations: AtomicU64::new(0),
            http: reqwest::Client::new(),
        });
        let routes = Router::new().fallback(invoke).with_state(Arc::clone(&router));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, environment, router, serving, http: reqwest::Client::new() }
    }

    /// Starts so many more instances.
    pub async fn scale_out_by(&self, instances: usize) {
        join_all((0..instances).map(|_| self.scale_out(None))).await;
    }

    /// Gives instances that are started from now on other settings.
    pub fn change(&mut self, more: &[(&str, &str)]) {
        self.environment.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    }

    /// Kills every instance; there is none to route to then.
    pub fn crash(&self) {
        for instance in lock(&self.router.instances).drain(..) {
            instance.kill();
        }
    }

    /// Starts another instance, with a limit of open files or without.
    pub async fn scale_out(&self, descriptors: Option<u32>) -> Arc<Instance> {
        let environment = self.environment.clone();
        let starting = tokio::task::spawn_blocking(move || Instance::start(&environment, descriptors));
        let instance = Arc::new(starting.await.unwrap());
        lock(&self.router.instances).push(Arc::clone(&instance));
        instance
    }

    /// The instances requests are routed to.
    pub fn instances(&self) -> Vec<Arc<Instance>> {
        lock(&self.router.instances).clone()
    }

    /// Routes no more requests to the oldest instance, and asks it to go.
    pub fn retire_oldest(&self) -> Arc<Instance> {
        let instance = lock(&self.router.instances).remove(0);
        instance.terminate();
        instance
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    /// Posts as a service does.
    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).bearer_auth(tokens::SERVICE_KEY).json(body)
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Carries one request to an instance, and its answer back as it comes.
async fn invoke(State(routing): State<Arc<Routing>>, request: Request) -> Response {
    let Some(instance) = routing.next_instance() else { return StatusCode::BAD_GATEWAY.into_response() };
    let number = routing.invocations.fetch_add(1, SeqCst) + 1;
    lock(&instance.begun).push(number);
    let (head, body) = request.into_parts();
    let url = format!("http://127.0.0.1:{}{}", instance.port, head.uri);
    let call = routing
        .http
        .request(head.method, url)
        .headers(without_hops(head.headers))
        .header("x-vercel-internal-invocation-id", format!("invocation-{number}"))
        .header("x-vercel-internal-request-id", number.to_string())
        .body(reqwest::Body::wrap_stream(body.into_data_stream()));
    let Ok(answer) = call.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = without_hops(answer.headers().clone());
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    response
}

fn without_hops(mut headers: HeaderMap) -> HeaderMap {
    for hop in [header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(hop);
    }
    headers
}

impl Routing {
    fn next_instance(&self) -> Option<Arc<Instance>> {
        let instances = lock(&self.instances);
        let turn = self.turn.fetch_add(1, SeqCst);
        (!instances.is_empty()).then(|| Arc::clone(&instances[turn % instances.len()]))
    }
}

impl Instance {
    fn start(environment: &Environment, descriptors: Option<u32>) -> Self {
        // Somebody else may take the port before the function does.
        (0..4).find_map(|_| Self::try_start(environment, descriptors)).expect("the function starts")
    }

    fn try_start(environment: &Environment, descriptors: Option<u32>) -> Option<Self> {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let socket = folder.path().join("ipc");
        let listener = UnixListener::bind(&socket).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let limit = descriptors.map_or_else(String::new, |most| format!("ulimit -n {most}; "));
        let begun = Instant::now();
        let mut process = Command::new("/bin/sh")
            .args(["-c", &format!("{limit}exec {}", env!("CARGO_BIN_EXE_tidings-function"))])
            .current_dir(folder.path())
            .env_clear()
            .envs(environment)
            .env("VERCEL_DEV_PORT", port.to_string())
            .env("VERCEL_IPC_PATH", &socket)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let Some(mut messages) = first_connection(&listener, &mut process) else {
            let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            eprintln!("the function did not start: {log}");
            let _ = process.wait();
            return None;
        };
        let started = read_message(&mut messages)?;
        assert_eq!(started["type"], "server-started");
        assert_eq!(started["payload"]["httpPort"], port);
        let cold_start = begun.elapsed();
        let ended = Arc::<Mutex<HashMap<u64, Instant>>>::default();
        std::thread::spawn({
            let ended = Arc::clone(&ended);
            move || {
                while let Some(message) = read_message(&mut messages) {
                    note_end(&ended, &message);
                }
            }
        });
        let (process, begun) = (Mutex::new(process), Mutex::default());
        Some(Self { process, port, ended, begun, cold_start, folder })
    }

    /// Where it listens, past the platform.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Invocations it was given and has not called over.
    pub fn under_way(&self) -> Vec<u64> {
        let ended = lock(&self.ended);
        lock(&self.begun).iter().copied().filter(|number| !ended.contains_key(number)).collect()
    }

    /// Waits until so many invocations are not over.
    pub async fn until_under_way(&self, count: usize) {
        let begun = Instant::now();
        while self.under_way().len() != count {
            assert!(begun.elapsed() < PATIENCE, "under way: {:?}, log: {}", self.under_way(), self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Reads one of its numbers, over all labels.
    pub async fn metric(&self, name: &str) -> u64 {
        Site::at(&self.url()).metric(name).await
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn kill(&self) {
        let mut process = lock(&self.process);
        let _ = process.kill();
        let _ = process.wait();
    }

    /// Says that its time is over.
    pub fn terminate(&self) {
        let pid = lock(&self.process).id();
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM).unwrap();
    }

    /// Waits until the process has ended, and says how and how long that took.
    pub async fn ended(&self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        loop {
            if let Some(status) = lock(&self.process).try_wait().unwrap() {
                return (status, begun.elapsed());
            }
            assert!(begun.elapsed() < PATIENCE, "the function does not end: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits for the function to connect; nothing if it ends before.
fn first_connection(listener: &UnixListener, process: &mut Child) -> Option<BufReader<UnixStream>> {
    listener.set_nonblocking(true).unwrap();
    loop {
        if let Ok((connection, _)) = listener.accept() {
            connection.set_nonblocking(false).unwrap();
            return Some(BufReader::new(connection));
        }
        if process.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn read_message(messages: &mut BufReader<UnixStream>) -> Option<Value> {
    let mut bytes = Vec::new();
    messages.read_until(0, &mut bytes).ok()?;
    serde_json::from_slice(bytes.strip_suffix(&[0])?).ok()
}

fn note_end(ended: &Mutex<HashMap<u64, Instant>>, message: &Value) {
    if message["type"] == "end" {
        let number = message["payload"]["context"]["requestId"].as_u64().unwrap();
        let before = lock(ended).insert(number, Instant::now());
        assert!(before.is_none(), "invocation {number} ended twice");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
