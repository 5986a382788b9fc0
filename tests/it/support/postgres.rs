//! A real PostgreSQL, and the pooler that Debian brings for it.
//!
//! Both refuse root, so root's tests run them as the user `postgres`. A process whose parent dies is
//! killed by the kernel: no way of ending the tests leaves a server behind.

use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use nix::unistd::{Uid, User};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::redis::free_port;

/// How long a server may take to start on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);
/// Who may do everything.
const ADMIN: &str = "tidings";

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

/// A PgBouncer in transaction mode with two connections to its server; killed when dropped.
pub struct PgBouncer {
    process: Child,
    port: u16,
    _folder: TempDir,
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
        self.process.take().into_iter().for_each(end);
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

    /// Reads one number.
    pub async fn number(&self, query: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::query(AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap().get(0)
    }

    /// Gives the URL for another user, who needs no password.
    pub fn url_for(&self, user: &str) -> String {
        self.server.url(user, &self.name)
    }

    /// What the server has logged so far, for all its databases.
    pub fn log(&self) -> String {
        self.server.log()
    }
}

impl PgBouncer {
    /// Starts a pooler before a database.
    pub async fn before(database: &Database) -> Self {
        let folder = open_folder();
        for _ in 0..8 {
            let port = free_port();
            let settings = folder.path().join("pgbouncer.ini");
            fs::write(&settings, pooler_settings(database, port)).unwrap();
            fs::write(folder.path().join("users"), format!("\"{ADMIN}\" \"\"\n")).unwrap();
            let mut command = unprivileged(Path::new("/usr/sbin/pgbouncer"));
            command.arg("-q").arg(&settings).current_dir(&folder).stdin(Stdio::null()).stderr(Stdio::null());
            let process = keep(command);
            if let Some(process) = listening(process, port).await {
                return Self { process, port, _folder: folder };
            }
        }
        panic!("pgbouncer does not start");
    }

    /// Gives the URL of the database through the pooler.
    pub fn url(&self, database: &Database) -> String {
        format!("postgres://{ADMIN}@127.0.0.1:{}/{}", self.port, database.name)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two connections, so that a session meets another one than it had.
fn pooler_settings(database: &Database, port: u16) -> String {
    format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = trust\nauth_file = users\npool_mode = transaction\n\
         default_pool_size = 2\nserver_round_robin = 1\nmax_client_conn = 200\n",
        database.server.port
    )
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

/// Runs a program as whoever may run a server, until it ends or its parent does.
fn unprivileged(program: &Path) -> Command {
    assert!(program.exists(), "{} is not there: make setup", program.display());
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = server_user() {
        command
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .arg("--clear-groups");
    }
    command.arg("--").arg(program).env_clear().env("LC_ALL", "C");
    command
}

/// Gives the user `postgres` to root, and nobody to others.
fn server_user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    Some(User::from_name("postgres").unwrap().expect("there is no user postgres: make setup"))
}

/// Makes a folder that the servers' user may use.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    if let Some(user) = server_user() {
        chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

fn init(folder: &Path, more: &[&str]) {
    let mut command = unprivileged(&program("initdb"));
    command.arg("-D").arg(folder.join("data")).args(["-U", ADMIN, "-E", "UTF8", "--no-locale", "--no-sync"]);
    run_to_end(command.args(more));
}

fn run_to_end(command: &mut Command) {
    let ended = command.stdin(Stdio::null()).output().unwrap();
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
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
            end(process);
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(process)
}

/// Spawns from a thread that stays: the kernel takes the end of the spawning thread for the parent's.
fn keep(command: Command) -> Child {
    static KEEPER: LazyLock<mpsc::Sender<(Command, mpsc::Sender<Child>)>> = LazyLock::new(|| {
        let (orders, ordered) = mpsc::channel::<(Command, mpsc::Sender<Child>)>();
        std::thread::spawn(move || {
            for (mut command, started) in ordered {
                let _ = started.send(command.spawn().unwrap_or_else(|error| panic!("setpriv: {error}")));
            }
        });
        orders
    });
    let (started, child) = mpsc::channel();
    KEEPER.send((command, started)).unwrap();
    child.recv().unwrap()
}

fn log_of(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

async fn listening(mut process: Child, port: u16) -> Option<Child> {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        let has_ended = process.try_wait().unwrap().is_some();
        if has_ended || begun.elapsed() > WITHIN {
            end(process);
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Some(process)
}

fn end(mut process: Child) {
    let _ = process.kill();
    let _ = process.wait();
}
