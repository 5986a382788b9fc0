//! The built binary as a child process, on a free port and a folder of its own.

use std::{
    io::{BufRead, BufReader},
    ops::Deref,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::site::Site;

/// A running server; killed and cleaned up when dropped.
pub struct Server {
    process: Child,
    site: Site,
    /// Its folder: database, files and log.
    pub folder: TempDir,
}

impl Server {
    /// Starts a server with nothing set but what `environment` names.
    pub fn start(environment: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), environment)
    }

    /// Starts a server in a folder that an earlier one may have used.
    pub fn start_in(folder: TempDir, environment: &[(&str, &str)]) -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_tidings")), folder, environment)
    }

    /// Starts a server whose database and files share a disk of this size, which only it sees.
    pub fn start_on_small_disk(bytes: u32, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let mount = format!("mount -t tmpfs -o size={bytes} tmpfs data && exec \"$0\"");
        let mut command = Command::new("unshare");
        // Whoever is not root may mount where it is root: in a namespace of its own.
        command.arg(if nix::unistd::geteuid().is_root() { "--mount" } else { "--map-root-user" });
        command.args(["--mount", "sh", "-c", &mount, env!("CARGO_BIN_EXE_tidings")]);
        Self::start_as(command, folder, environment)
    }

    /// The folder of its database and files as the server sees it.
    pub fn data(&self) -> PathBuf {
        let folder = self.folder.path().join("data");
        Path::new(&format!("/proc/{}/root", self.pid())).join(folder.strip_prefix("/").unwrap())
    }

    fn start_as(mut command: Command, folder: TempDir, environment: &[(&str, &str)]) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
        let mut process = command
            .current_dir(folder.path())
            .env_clear()
            .env("PORT", "0")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let greeting = lines.next().and_then(Result::ok);
        let Some(url) = greeting.as_deref().and_then(|line| line.strip_prefix("Tidings serves ")) else {
            let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            panic!("the server did not start: {log}");
        };
        let site = Site::at(url.trim_end_matches('/'));
        // Whoever stops reading a pipe blocks its writer.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, site, folder }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
    }

    /// Asks the server to go down.
    pub fn terminate(&self) {
        kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM).unwrap();
    }

    /// Waits until the server has ended.
    pub async fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let ended = async {
            loop {
                if let Some(status) = self.process.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(within, ended).await.ok()
    }

    /// Kills the server as a crash would, and gives its folder for the next one.
    pub fn crash(mut self) -> TempDir {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Deref for Server {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
