//! A real nginx from Debian's packages, in front of servers.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Certificate, Client, ClientBuilder};
use tempfile::TempDir;

use super::{
    redis::free_port,
    unprivileged::{end, keep, open_folder, run_to_end, unprivileged},
};

const WITHIN: Duration = Duration::from_secs(20);

/// The recipe that operators are given.
const RECIPE: &str = include_str!("../../../docs/deploy/nginx.conf");

/// A certificate for this machine that vouches for itself only.
const CERTIFICATE: [&str; 16] = [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-batch",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-addext",
    "basicConstraints=critical,CA:FALSE",
    "-keyout",
    "key.pem",
    "-out",
    "certificate.pem",
];

/// A running nginx; killed when dropped.
pub struct Nginx {
    process: Child,
    /// Where it listens.
    pub url: String,
    folder: TempDir,
}

impl Nginx {
    /// Starts it with the recipe of `docs/deploy/`, in front of two servers.
    pub fn by_recipe(servers: [&str; 2]) -> Self {
        let servers = servers.map(|url| url.trim_start_matches("http://").to_owned());
        Self::start("https", |port, folder| {
            let folder = folder.display();
            let replaced = [
                ("127.0.0.1:8080", servers[0].clone()),
                ("127.0.0.1:8081", servers[1].clone()),
                ("listen 443 ssl http2", format!("listen 127.0.0.1:{port} ssl http2")),
                ("/etc/ssl/certs/tidings.pem", format!("{folder}/certificate.pem")),
                ("/etc/ssl/private/tidings.key", format!("{folder}/key.pem")),
                ("/var/log/nginx/", format!("{folder}/")),
            ];
            replaced.into_iter().fold(RECIPE.to_owned(), |text, (old, new)| {
                assert!(text.contains(old), "the recipe has no {old} any more");
                text.replace(old, &new)
            })
        })
    }

    /// Starts it as someone does who knows nothing of streams, with `lines` in its location.
    pub fn naive(server: &str, lines: &str) -> Self {
        Self::start("http", |port, _| {
            format!(
                "server {{ listen 127.0.0.1:{port}; access_log off;
                 location / {{ proxy_pass {server}; {lines} }} }}"
            )
        })
    }

    fn start(scheme: &str, site: impl Fn(u16, &Path) -> String) -> Self {
        let folder = open_folder();
        let openssl = Path::new("/usr/bin/openssl");
        run_to_end(unprivileged(openssl).current_dir(folder.path()).args(CERTIFICATE));
        // Somebody else may take the port before nginx does.
        let (process, port) = (0..8)
            .find_map(|_| {
                let port = free_port();
                Some((start_nginx(folder.path(), port, &site(port, folder.path()))?, port))
            })
            .unwrap_or_else(|| panic!("nginx does not start: {}", log_of(folder.path())));
        Self { process, url: format!("{scheme}://127.0.0.1:{port}"), folder }
    }

    /// A client that trusts its certificate.
    pub fn client(&self) -> Client {
        self.trusting().build().unwrap()
    }

    /// A client that opens a connection for each stream, as many browsers together do.
    pub fn client_over_http_1(&self) -> Client {
        self.trusting().http1_only().build().unwrap()
    }

    fn trusting(&self) -> ClientBuilder {
        let certificate = fs::read(self.certificate()).unwrap();
        Client::builder().tls_certs_only([Certificate::from_pem(&certificate).unwrap()])
    }

    /// The file of its certificate.
    pub fn certificate(&self) -> String {
        self.folder.path().join("certificate.pem").display().to_string()
    }

    /// All it has logged so far.
    pub fn logs(&self) -> String {
        let named = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        ["error", "tidings.log", "tidings-error.log"].map(named).concat()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Waits until nginx takes connections; nothing if it ends before.
///
/// It runs as one process: what is killed then leaves no worker behind.
fn start_nginx(folder: &Path, port: u16, site: &str) -> Option<Child> {
    let shown = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {shown}/{name};\n"))
        .concat();
    let main = format!(
        "daemon off; master_process off; pid {shown}/pid; worker_rlimit_nofile 8192;
         events {{ worker_connections 4096; }}
         http {{ {temporary} {site} }}"
    );
    fs::write(folder.join("nginx.conf"), main).unwrap();
    let mut command = unprivileged(Path::new("/usr/sbin/nginx"));
    command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "error"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = keep(command);
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if process.try_wait().unwrap().is_some() || begun.elapsed() > WITHIN {
            end(&mut process);
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(process)
}

fn log_of(folder: &Path) -> String {
    fs::read_to_string(folder.join("error")).unwrap_or_default()
}
