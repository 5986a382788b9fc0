//! Programs that refuse root, run as the user `postgres` where root runs the tests.
//!
//! The kernel kills such a process when its parent dies: no way of ending the tests leaves a server behind.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{LazyLock, mpsc},
};

use nix::unistd::{Uid, User};
use tempfile::TempDir;

/// Runs a program as whoever may run a server, until it ends or its parent does.
pub fn unprivileged(program: &Path) -> Command {
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
pub fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    if let Some(user) = server_user() {
        chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// Spawns from a thread that stays: the kernel takes the end of the spawning thread for the parent's.
pub fn keep(command: Command) -> Child {
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

/// Runs a program that has to succeed.
pub fn run_to_end(command: &mut Command) {
    let ended = command.stdin(Stdio::null()).output().unwrap();
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// Kills a process and waits until it is gone.
pub fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}
