//! A real S3 server that checks signatures, in a folder of its own.
//!
//! It runs on a thread and a runtime of its own: to stop it cuts every connection.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::Response,
};
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::SimpleAuth,
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{Any, CorsLayer};

pub const BUCKET: &str = "tidings-files";
/// What every key begins with.
pub const PREFIX: &str = "clinic/a";
pub const KEY: &str = "tidings-key";
pub const SECRET: &str = "not-a-secret-of-anybody";

/// A running server with one bucket; stopped when dropped.
pub struct S3 {
    /// Where it listens, for example `http://127.0.0.1:40125`.
    pub url: String,
    address: SocketAddr,
    folder: TempDir,
    line: Arc<Line>,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// The page that a browser has sent it for.
    pub origin: Option<String>,
}

/// What passes between clients and the server.
struct Line {
    seen: Mutex<Vec<Seen>>,
    /// How many requests pass until one's answer is held back.
    passing: Mutex<Option<usize>>,
    is_holding: watch::Sender<bool>,
    denied: Mutex<Option<&'static str>>,
}

impl S3 {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let line = Line {
            seen: Mutex::default(),
            passing: Mutex::default(),
            is_holding: watch::Sender::new(false),
            denied: Mutex::default(),
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut s3 = Self { url: String::new(), address, folder, line: Arc::new(line), running: None };
        s3.start_again();
        s3.url = format!("http://{}", s3.address);
        s3
    }

    /// Starts it again where it was, with all it held.
    pub fn start_again(&mut self) {
        let (stop, (tell, told)) = (CancellationToken::new(), mpsc::channel());
        let serving = serve(self.address, self.service(), Arc::clone(&self.line), tell, stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let thread = std::thread::spawn(move || {
            runtime.block_on(serving);
            runtime.shutdown_background();
        });
        self.address = told.recv().expect("the S3 server listens");
        self.running = Some((stop, thread));
    }

    /// Stops it; open connections are cut.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            stop.cancel();
            thread.join().unwrap();
        }
    }

    /// What makes a server keep its files here.
    pub fn environment(&self) -> [(&str, &str); 4] {
        [
            ("STORAGE_URL", "s3://tidings-files/clinic/a"),
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ]
    }

    /// The bytes of an object, by its key after the prefix.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path(key)).ok()
    }

    /// Every key after the prefix.
    pub fn keys(&self) -> Vec<String> {
        let names = |folder: &str| {
            let files = std::fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
            let names = files.map(|file| format!("{folder}/{}", file.file_name().to_string_lossy()));
            names.collect::<Vec<_>>()
        };
        ["documents", "incoming"].into_iter().flat_map(names).collect()
    }

    /// Requests since the start, in order.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.line.seen).clone()
    }

    /// Lets so many requests pass, does what the next one asks for and keeps its answer back.
    pub fn hold_after(&self, passing: usize) {
        *lock(&self.line.passing) = Some(passing);
    }

    /// Waits until an answer is kept back.
    pub async fn holds(&self) {
        let mut holding = self.line.is_holding.subscribe();
        let held = holding.wait_for(|is_holding| *is_holding);
        tokio::time::timeout(super::viewer::PATIENCE, held).await.expect("no such request comes").unwrap();
    }

    /// Gives the answer that was kept back.
    pub fn release(&self) {
        self.line.is_holding.send_replace(false);
    }

    /// Denies an operation of S3 by its name to everybody.
    pub fn deny(&self, operation: &'static str) {
        *lock(&self.line.denied) = Some(operation);
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(PREFIX).join(key)
    }

    fn service(&self) -> S3Service {
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(self.folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        builder.set_access(Rights(Arc::clone(&self.line)));
        builder.build()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.release();
        self.stop();
    }
}

/// What signed requests may do: all but what is denied.
struct Rights(Arc<Line>);

#[async_trait::async_trait]
impl S3Access for Rights {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let is_denied = *lock(&self.0.denied) == Some(context.s3_op().name());
        match context.credentials() {
            Some(_) if !is_denied => Ok(()),
            _ => Err(s3_error!(AccessDenied)),
        }
    }
}

async fn serve(
    address: SocketAddr,
    service: S3Service,
    line: Arc<Line>,
    tell: mpsc::Sender<SocketAddr>,
    stop: CancellationToken,
) {
    let listener = TcpListener::bind(address).await.unwrap();
    tell.send(listener.local_addr().unwrap()).unwrap();
    // The bucket's rule in docs/storage.md.
    let cors =
        CorsLayer::new().allow_origin(Any).allow_methods([Method::PUT]).allow_headers([header::CONTENT_TYPE]);
    let router = Router::new().fallback(answer).layer(cors).with_state((service, line));
    stop.run_until_cancelled_owned(async { axum::serve(listener, router).await.unwrap() }).await;
}

async fn answer(State((service, line)): State<(S3Service, Arc<Line>)>, request: Request) -> Response {
    let is_held = line.note(&request);
    let answer = service.call(request.map(s3s::Body::http_body_unsync)).await;
    if is_held {
        line.is_holding.send_replace(true);
        let mut holding = line.is_holding.subscribe();
        let _ = holding.wait_for(|is_holding| !is_holding).await;
    }
    match answer {
        Ok(answer) => answer.map(Body::new),
        Err(_) => Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body(Body::empty()).unwrap(),
    }
}

impl Line {
    /// Remembers a request and says whether its answer is to be held back.
    fn note(&self, request: &Request) -> bool {
        let origin = request.headers().get(header::ORIGIN).map(|origin| origin.to_str().unwrap().to_owned());
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        lock(&self.seen).push(Seen { method, path, origin });
        let mut passing = lock(&self.passing);
        match *passing {
            Some(0) => passing.take().is_some(),
            Some(left) => {
                *passing = Some(left - 1);
                false
            }
            None => false,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
