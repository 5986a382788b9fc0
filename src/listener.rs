//! Listening sockets: many viewers may knock at once, and one that stops reading is cut.

use std::{io, net::SocketAddr, pin::Pin, time::Duration};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_io_timeout::TimeoutStream;

/// Connections that may wait to be accepted: viewers of a restarted server come back together.
const BACKLOG: u32 = 4_096;
/// How long a client may leave what it was sent unread: six heartbeats.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// Listens on `address`.
///
/// # Errors
/// When the address is taken or not of this machine.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Raises the soft limit of open files to the hard one and answers it: each viewer holds one.
#[must_use]
pub fn raise_descriptor_limit() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024)
}

/// Accepts connections and cuts those whose client does not read.
pub(crate) struct StallGuard(TcpListener);

impl StallGuard {
    pub(crate) const fn new(listener: TcpListener) -> Self {
        Self(listener)
    }
}

impl Listener for StallGuard {
    type Io = Pin<Box<TimeoutStream<TcpStream>>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (connection, address) = Listener::accept(&mut self.0).await;
        let _ = connection.set_nodelay(true);
        let mut guarded = TimeoutStream::new(connection);
        guarded.set_write_timeout(Some(STALLED_AFTER));
        (Box::pin(guarded), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
