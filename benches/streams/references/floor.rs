//! The floor: bytes from one socket to many, with nothing between that could be left out.
//!
//! One thread, one write for each delivery, no chunks, no buffers, no replay, no heartbeat. A viewer
//! whose socket takes no more is dropped.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    runtime::Builder,
    task::{LocalSet, spawn_local},
};

/// Connections that may wait to be accepted: a floor that drops some would be none.
const BACKLOG: u32 = 4_096;

type Viewers = HashMap<u64, Rc<TcpStream>>;

/// The viewers of each channel, by a number of their own.
#[derive(Default)]
struct Channels {
    viewers: RefCell<HashMap<String, Viewers>>,
    next: RefCell<u64>,
}

/// Serves until this process is ended.
pub fn run() -> anyhow::Result<()> {
    super::end_with_parent();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        super::greet("The floor", listener.local_addr()?);
        let channels = Rc::new(Channels::default());
        loop {
            let (connection, _) = listener.accept().await?;
            connection.set_nodelay(true)?;
            spawn_local(serve(connection, Rc::clone(&channels)));
        }
    })
}

/// A connection is a publisher's until it asks for a stream.
async fn serve(mut connection: TcpStream, channels: Rc<Channels>) -> anyhow::Result<()> {
    // On the heap and only while there is something to read: a viewer costs none of it.
    let mut request = Vec::new();
    loop {
        let (head, body) = read_request(&mut connection, &mut request).await?;
        let path = head.split(' ').nth(1).context("a path")?.to_owned();
        let channel = path.rsplit('/').next().unwrap_or_default();
        if head.starts_with("GET") {
            drop((head, body, std::mem::take(&mut request)));
            return follow(connection, channel, &channels).await;
        }
        channels.publish(channel, &body);
        connection.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await?;
    }
}

/// Reads one request; what is behind it stays in `buffer`.
async fn read_request(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<(String, Vec<u8>)> {
    let end = loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        read_more(connection, buffer).await?;
    };
    let head = String::from_utf8(buffer[..end].to_vec())?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let end_of_body = end + length.map_or(Ok(0), str::parse)?;
    while buffer.len() < end_of_body {
        read_more(connection, buffer).await?;
    }
    let body = buffer[end..end_of_body].to_vec();
    buffer.drain(..end_of_body);
    Ok((head, body))
}

async fn read_more(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    buffer.reserve(4_096);
    anyhow::ensure!(connection.read_buf(buffer).await? > 0, "closed");
    Ok(())
}

async fn follow(connection: TcpStream, channel: &str, channels: &Channels) -> anyhow::Result<()> {
    let connection = Rc::new(connection);
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    anyhow::ensure!(connection.try_write(head)? == head.len(), "the head fits");
    let number = channels.add(channel, Rc::clone(&connection));
    // A viewer says nothing more: what there is to read is its end.
    let _ = connection.readable().await;
    channels.remove(channel, number);
    Ok(())
}

impl Channels {
    fn add(&self, channel: &str, connection: Rc<TcpStream>) -> u64 {
        let number = self.next.replace_with(|next| *next + 1);
        self.viewers.borrow_mut().entry(channel.to_owned()).or_default().insert(number, connection);
        number
    }

    fn remove(&self, channel: &str, number: u64) {
        let mut channels = self.viewers.borrow_mut();
        let Some(viewers) = channels.get_mut(channel) else { return };
        viewers.remove(&number);
        if viewers.is_empty() {
            channels.remove(channel);
        }
    }

    fn publish(&self, channel: &str, event: &[u8]) {
        let frame = [b"data: ", event, b"\n\n"].concat();
        if let Some(viewers) = self.viewers.borrow_mut().get_mut(channel) {
            viewers.retain(|_, viewer| viewer.try_write(&frame).is_ok_and(|sent| sent == frame.len()));
        }
    }
}
