//! A real PostgreSQL from Debian's packages.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tempfile::TempDir;

use super::{
    redis::free_port,
    unprivileged::{end, keep, open_folder, run_to_end, unprivileged},
};

/// How long a server may take to start on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);
/// Who may do everything.
pub const ADMIN: &str = "tidings";

/// Makes a key and a certificate that nobody vouches for, with the names Postgres looks for.
const CERTIFICATE: [&str; 12] = [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-subj",
    "/CN=localhost",
    "-batch",
    "-keyout",
    "server.key",
    "-out",
    "server.crt",
];

/// How many migrations there are.
pub fn migrations() -> usize {
    fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres")).unwrap().count()
}

/// A PostgreSQL server; killed when dropped.
pub struct Postgres {
    process: Option<Child>,
    port: u16,
    folder: TempDir,
}

/// A database of its own on a server that tests share; the last of them ends the server.
pub struct Database {
    server: Arc<Postgres>,
    name: String,
    /// For example `postgres://tidings@127.0.0.1:40123/test_1`.
    pub url: String,
}

impl Postgres {
    /// Starts a server with an empty cluster on a free port.
    pub fn start() -> Self {
        let folder = open_folder();
        init(folder.path(), &["-A", "trust"]);
        Self::start_in(folder)
    }

    /// Starts a server as a provider does: TLS for everybody, and the administrator has this password.
    pub fn start_with_tls(password: &str) -> Self {
        let folder = open_folder();
        let secret = folder.path().join("password");
        fs::write(&secret, password).unwrap();
        init(folder.path(), &["-A", "scram-sha-256", "--pwfile", secret.to_str().unwrap()]);
        let data = folder.path().join("data");
        run_to_end(unprivileged(Path::new("/usr/bin/openssl")).current_dir(&data).args(CERTIFICATE));
        fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        let mut settings = fs::File::options().append(true).open(data.join("postgresql.conf")).unwrap();
        settings.write_all(b"ssl = on\n").unwrap();
        Self::start_in(folder)
    }

    fn start_in(folder: TempDir) -> Self {
        // Somebody else may take the port before Postgres does.
        let (process, port) = (0..8)
            .find_map(|_| {
                let port = free_port();
                Some((start_postgres(folder.path(), port)?, port))
            })
            .unwrap_or_else(|| panic!("postgres does not start: {}", log_of(folder.path())));
        Self { process: Some(process), port, folder }
    }

    /// Gives the URL of a database for a user that needs no password.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and gives its URL.
    pub async fn create(&self, name: &str) -> String {
        run(&self.url(ADMIN, "postgres"), &format!("CREATE DATABASE {name}")).await;
        self.url(ADMIN, name)
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        log_of(self.folder.path())
    }

    /// Kills the server as a crash would; what was committed stays on the disk.
    pub fn crash(&mut self) {
        self.process.take().iter_mut().for_each(end);
    }

    /// Starts it again with the same data, where it was.
    pub fn start_again(&mut self) {
        let begun = Instant::now();
        // Sessions of the killed server may hold its memory a moment longer.
        while self.process.is_none() {
            assert!(begun.elapsed() < WITHIN, "postgres does not start again: {}", self.log());
            self.process = start_postgres(self.folder.path(), self.port);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.crash();
    }
}

impl Database {
    /// Makes an empty database.
    pub async fn new() -> Self {
        static SERVER: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        static MADE: AtomicU64 = AtomicU64::new(0);
        let server = {
            let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
            shared.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Postgres::start());
                *shared = Arc::downgrade(&server);
                server
            })
        };
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        let url = server.create(&name).await;
        Self { server, name, url }
    }

    /// Runs statements as the user who may do everything.
    pub async fn run(&self, statements: &str) {
        run(&self.url, statements).await;
    }

    /// Lets the server write down the plan of whatever is really sent, with what it binds.
    pub async fn explain_all(&self) {
        self.run(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_preload_libraries = auto_explain', current_database());
                         EXECUTE format('ALTER DATABASE %I SET auto_explain.log_min_duration = 0', current_database());
             END $$",
        )
        .await;
    }

    /// Reads one number.
    pub async fn number(&self, query: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::query(AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap().get(0)
    }

    /// Gives the URL for another user, who needs no password.
    pub fn url_for(&self, user: &str) -> String {
        self.server.url(user, &self.name)
    }

    /// The port of its server.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// What the server has logged so far, for all its databases.
    pub fn log(&self) -> String {
        self.server.log()
    }
}

async fn run(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
}

/// Finds a program of the newest server that is installed; Debian keeps them off the path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    let newest = newest.unwrap_or_else(|| panic!("PostgreSQL is not in /usr/lib/postgresql: make setup"));
    format!("/usr/lib/postgresql/{newest}/bin/{name}").into()
}

fn init(folder: &Path, more: &[&str]) {
    let mut command = unprivileged(&program("initdb"));
    command.arg("-D").arg(folder.join("data")).args(["-U", ADMIN, "-E", "UTF8", "--no-locale", "--no-sync"]);
    run_to_end(command.args(more));
}

/// Waits until Postgres is ready; nothing if it does not want to.
fn start_postgres(folder: &Path, port: u16) -> Option<Child> {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let before = log_of(folder).len();
    let mut command = unprivileged(&program("postgres"));
    command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=32MB",
    ] {
        command.args(["-c", setting]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut process = keep(command);
    let begun = Instant::now();
    while !log_of(folder)[before..].contains("ready to accept connections") {
        let has_ended = process.try_wait().unwrap().is_some();
        if has_ended || begun.elapsed() > WITHIN {
            end(&mut process);
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(process)
}

fn log_of(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}
