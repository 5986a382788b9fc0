//! A network between browser and server that a test can cut.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
    task::JoinHandle,
};

/// What happens to connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// New ones are carried.
    Pass,
    /// Open ones are cut, new ones closed at once.
    Refuse,
    /// Open ones fall silent, new ones are taken and never answered.
    Stall,
}

/// A proxy in front of a server; its connections end when it is dropped.
pub struct Cutter {
    pub url: String,
    mode: watch::Sender<Mode>,
    accepting: JoinHandle<()>,
}

impl Cutter {
    /// Stands before the server at `url`.
    pub async fn before(url: &str) -> Self {
        let server: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (mode, line) = watch::channel(Mode::Pass);
        Self { url, mode, accepting: tokio::spawn(accept(listener, server, line)) }
    }

    /// Cuts all connections in mid-stream and closes new ones at once.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Refuse);
    }

    /// Carries nothing any more, on open connections and on new ones, and closes none.
    pub fn stall(&self) {
        self.mode.send_replace(Mode::Stall);
    }

    /// Carries new connections again; those that fell silent stay so.
    pub fn mend(&self) {
        self.mode.send_replace(Mode::Pass);
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, line: watch::Receiver<Mode>) {
    while let Ok((viewer, _)) = listener.accept().await {
        tokio::spawn(carry(viewer, server, line.clone()));
    }
}

async fn carry(mut viewer: TcpStream, server: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let at_first = *mode.borrow_and_update();
    match at_first {
        Mode::Refuse => {}
        Mode::Stall => stay_silent(mode).await,
        Mode::Pass => {
            let Ok(mut server) = TcpStream::connect(server).await else { return };
            select! {
                _ = copy_bidirectional(&mut viewer, &mut server) => {}
                _ = mode.changed() => stay_silent(mode).await,
            }
        }
    }
}

/// Holds a connection until it is cut.
async fn stay_silent(mut mode: watch::Receiver<Mode>) {
    let _ = mode.wait_for(|mode| *mode == Mode::Refuse).await;
}
