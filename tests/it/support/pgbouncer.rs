//! The pooler that Debian brings for PostgreSQL.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{
    postgres::{ADMIN, Database},
    redis::free_port,
    unprivileged::{end, keep, open_folder, unprivileged},
};

/// How long it may take to start on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

/// A PgBouncer in transaction mode with two connections to its server; killed when dropped.
pub struct PgBouncer {
    process: Child,
    port: u16,
    _folder: TempDir,
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
        database.url.replace(&format!(":{}/", database.port()), &format!(":{}/", self.port))
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Two connections, so that a session meets another one than it had.
fn pooler_settings(database: &Database, port: u16) -> String {
    format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = trust\nauth_file = users\npool_mode = transaction\n\
         default_pool_size = 2\nserver_round_robin = 1\nmax_client_conn = 200\n",
        database.port()
    )
}

async fn listening(mut process: Child, port: u16) -> Option<Child> {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        let has_ended = process.try_wait().unwrap().is_some();
        if has_ended || begun.elapsed() > WITHIN {
            end(&mut process);
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Some(process)
}
