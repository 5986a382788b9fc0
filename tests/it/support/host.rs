//! Who serves what a browser opens: the binary, or the function behind a platform.

use std::{net::TcpListener, ops::Deref};

use futures::future::join_all;
use tempfile::TempDir;

use super::{Outside, Platform, Server, Site};

/// How many instances of a function share its requests: what only one of them knows has to show.
const INSTANCES: usize = 2;

/// What a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// One process with all its parts inside.
    Binary,
    /// Two instances behind a bridge like Vercel's, over a Redis, a Postgres and a bucket of their own.
    Function,
}

/// Something that serves the page, open to everybody unless its settings say otherwise.
pub struct Host {
    site: Site,
    runs: Runs,
}

enum Runs {
    Binary(Binary),
    Function(Box<Function>),
}

struct Binary {
    settings: Vec<(String, String)>,
    server: Option<Server>,
    /// What a killed server has left behind.
    folder: Option<TempDir>,
}

struct Function {
    platform: Platform,
    instances: usize,
    _outside: Outside,
}

impl Host {
    /// Starts it with what `settings` name; the function gets its parts besides, which they may replace.
    pub async fn start(on: On, settings: &[(&str, &str)]) -> Self {
        match on {
            On::Binary => Self::binary(settings),
            On::Function => Self::function(settings, INSTANCES).await,
        }
    }

    /// Starts it as a single process, for what each process has of its own.
    pub async fn start_single(on: On, settings: &[(&str, &str)]) -> Self {
        match on {
            On::Binary => Self::binary(settings),
            On::Function => Self::function(settings, 1).await,
        }
    }

    /// Starts one that may be killed and come back: nobody takes its address meanwhile.
    pub async fn start_to_return(on: On, settings: &[(&str, &str)]) -> Self {
        let port = port_of_its_own().to_string();
        match on {
            On::Binary => Self::binary(&[&[("PORT", port.as_str())], settings].concat()),
            On::Function => Self::function(settings, INSTANCES).await,
        }
    }

    fn binary(settings: &[(&str, &str)]) -> Self {
        let server = Server::start(settings);
        let site = (*server).clone();
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Self { site, runs: Runs::Binary(Binary { settings, server: Some(server), folder: None }) }
    }

    async fn function(settings: &[(&str, &str)], instances: usize) -> Self {
        let outside = Outside::start().await;
        let platform = Platform::open(&outside, settings, instances).await;
        let site = Site::at(&platform.url);
        Self { site, runs: Runs::Function(Box::new(Function { platform, instances, _outside: outside })) }
    }

    /// Kills every process of it, as a crash would; what is kept outside of them stays.
    pub fn crash(&mut self) {
        match &mut self.runs {
            Runs::Binary(binary) => binary.folder = binary.server.take().map(Server::crash),
            Runs::Function(function) => function.platform.crash(),
        }
    }

    /// Starts it again where it was, with these settings besides.
    pub async fn start_again(&mut self, more: &[(&str, &str)]) {
        match &mut self.runs {
            Runs::Binary(binary) => {
                let before = binary.settings.iter().map(|(name, value)| (&**name, &**value));
                let settings: Vec<_> = before.chain(more.iter().copied()).collect();
                let server = Server::start_in(binary.folder.take().unwrap(), &settings);
                self.site = (*server).clone();
                binary.server = Some(server);
            }
            Runs::Function(function) => {
                function.platform.change(more);
                function.platform.scale_out_by(function.instances).await;
            }
        }
    }

    /// Reads one of its numbers, over all processes and labels.
    pub async fn metric(&self, name: &str) -> u64 {
        match &self.runs {
            Runs::Binary(_) => self.site.metric(name).await,
            Runs::Function(function) => {
                let instances = function.platform.instances();
                let values = join_all(instances.iter().map(|instance| instance.metric(name))).await;
                values.into_iter().sum()
            }
        }
    }
}

impl Deref for Host {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// A free port below those the system gives away.
fn port_of_its_own() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    (first..32_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
