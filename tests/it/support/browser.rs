//! A real browser, driven as a person would.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver,
    common::command::{Command as DriverCommand, ExtensionCommand},
};

/// How long a page may take to show something; several browsers may share a core.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long a browser may take to close.
const QUIT_WITHIN: Duration = Duration::from_secs(5);
const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
];

/// A browser with a profile of its own; ended when dropped.
pub struct Browser {
    pub driver: WebDriver,
    process: Child,
    address: SocketAddr,
    /// Its profile: removed after the processes that write to it.
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser with an empty tab.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (process, address) = start_driver(profile.path());
        let mut capabilities = DesiredCapabilities::chrome();
        capabilities.set_binary(&program("chromium").to_string_lossy()).unwrap();
        for argument in ARGUMENTS {
            capabilities.add_arg(argument).unwrap();
        }
        capabilities.add_arg(&format!("--user-data-dir={}", profile.path().display())).unwrap();
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        // A half-started driver is ended as well.
        let process = Guarded(Some(process));
        let driver = WebDriver::new(format!("http://{address}"), capabilities).await;
        let driver = driver.unwrap_or_else(|error| panic!("the browser did not start: {error}"));
        Self { driver, process: process.release(), address, _profile: profile }
    }

    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Opens a document as one of somebody else's, which brings no Content-Security-Policy of ours.
    pub async fn open_without_policy(&self, url: &str) {
        self.ask("Page.setBypassCSP", json!({ "enabled": true })).await;
        self.open(url).await;
    }

    /// Opens `url` in another tab and goes on there.
    pub async fn open_tab(&self, url: &str) {
        let tab = self.driver.new_tab().await.unwrap();
        self.driver.switch_to_window(tab).await.unwrap();
        self.open(url).await;
    }

    /// Runs a script in the page and gives what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// Waits until the expression is true in the page.
    pub async fn wait_until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression})")).await != json!(true) {
            if Instant::now() > deadline {
                self.picture("timed-out").await;
                let text = self.run("return document.body.innerText").await;
                panic!("never true: {expression}\n{}", text.as_str().unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Makes the tab as wide and high as a phone's screen.
    pub async fn become_phone(&self, width: u32, height: u32) {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": true });
        self.ask("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// Lets the tab send so many bytes a second; -1: as many as it can.
    pub async fn send_at_most(&self, bytes: i32) {
        self.ask("Network.enable", json!({})).await;
        let limits =
            json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes });
        self.ask("Network.emulateNetworkConditions", limits).await;
    }

    /// Ends the process of the tab.
    pub async fn crash_tab(&self) {
        let command = DevTools(json!({ "cmd": "Page.crash", "params": {} }));
        // Nobody is left to answer.
        let _ = self.driver.cmd(DriverCommand::ExtensionCommand(Box::new(command))).await;
    }

    /// Stops the scripts of the tab, as a browser does with tabs out of sight, or lets them go on.
    pub async fn freeze(&self, frozen: bool) {
        let state = if frozen { "frozen" } else { "active" };
        self.ask("Page.setWebLifecycleState", json!({ "state": state })).await;
    }

    /// Sets a media feature, as the person's system would.
    pub async fn prefer(&self, feature: &str, value: &str) {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.ask("Emulation.setEmulatedMedia", features).await;
    }

    /// What the page and the browser complained of since the last call.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.driver.browser_log().await.unwrap();
        let grave = entries.into_iter().filter(|entry| matches!(entry.level.as_str(), "SEVERE" | "WARNING"));
        grave.map(|entry| entry.message).collect()
    }

    /// Stores the tab under `target/screenshots/` when `TIDINGS_SCREENSHOTS` is set.
    pub async fn picture(&self, name: &str) {
        if std::env::var_os("TIDINGS_SCREENSHOTS").is_none() {
            return;
        }
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        // Bars have slid to where they go.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let picture = self.driver.screenshot_as_png().await.unwrap();
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    async fn ask(&self, method: &str, parameters: Value) {
        let command = DevTools(json!({ "cmd": method, "params": parameters }));
        self.driver.cmd(DriverCommand::ExtensionCommand(Box::new(command))).await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver's own end would wait for tasks of the runtime that this drop blocks.
        let _ = self.driver.clone().leak();
        let _ = quit(self.address, &self.driver.session_id().to_string());
        end(&mut self.process);
    }
}

/// A command of the browser's own protocol, which the driver passes on.
#[derive(Debug)]
struct DevTools(Value);

impl ExtensionCommand for DevTools {
    fn parameters_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }

    fn method(&self) -> Method {
        Method::POST
    }

    fn endpoint(&self) -> Arc<str> {
        "/goog/cdp/execute".into()
    }
}

/// A process that is ended unless it is released.
struct Guarded(Option<Child>);

impl Guarded {
    fn release(mut self) -> Child {
        self.0.take().unwrap()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(process) = &mut self.0 {
            end(process);
        }
    }
}

/// Starts the driver on a port that it chooses itself, so that no two tests want the same.
fn start_driver(folder: &Path) -> (Child, SocketAddr) {
    // It wants one port of both families, and on a busy machine may end instead of taking another.
    (0..8).find_map(|_| try_start_driver(folder)).expect("chromedriver starts")
}

fn try_start_driver(folder: &Path) -> Option<(Child, SocketAddr)> {
    let log = folder.join("driver-log");
    let mut process = Command::new(program("chromedriver"))
        .arg("--port=0")
        .env("TMPDIR", folder)
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port: Option<u16> = lines.by_ref().inspect(|line| said.push(line.clone())).find_map(port_named_in);
    let Some(port) = port else {
        end(&mut process);
        eprintln!("chromedriver did not start: {said:?} {}", fs::read_to_string(log).unwrap_or_default());
        return None;
    };
    // Whoever stops reading a pipe blocks its writer.
    std::thread::spawn(move || lines.for_each(drop));
    Some((process, ([127, 0, 0, 1], port).into()))
}

fn port_named_in(line: String) -> Option<u16> {
    line.strip_suffix('.')?.rsplit_once("on port ")?.1.parse().ok()
}

/// Asks the driver to close the browser, which then tidies up after itself.
fn quit(driver: SocketAddr, session: &str) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(driver)?;
    connection.set_read_timeout(Some(QUIT_WITHIN))?;
    connection
        .write_all(format!("DELETE /session/{session} HTTP/1.1\r\nHost: {driver}\r\n\r\n").as_bytes())?;
    connection.read(&mut [0; 64]).map(|_| ())
}

fn program(name: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: run `make setup`"))
}

/// Ends a process and all it has started.
fn end(process: &mut Child) {
    let mut pids = vec![process.id()];
    pids.extend(descendants(process.id()));
    for pid in pids {
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
    }
    let _ = process.wait();
}

fn descendants(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|line| line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.iter().flat_map(|child| [vec![*child], descendants(*child)].concat()).collect()
}
