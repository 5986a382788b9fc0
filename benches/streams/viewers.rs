//! Viewers over real sockets, a task each on one thread, and the storm of all of them at once.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use anyhow::{anyhow, bail, ensure};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    contestant::{Contestant, Server},
    tally::Tally,
    wire::{Answer, Frame, Frames, now_ns},
};

/// How long all viewers may take to be up, beyond the time that opening them is spread over.
const UP_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EACH: Duration = Duration::from_millis(1);

thread_local! {
    /// What all viewers read into, one after the other.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1_024]);
}

/// What all viewers have got, and where each stands in its stream.
#[derive(Default)]
pub struct Audience {
    pub tally: Tally,
    frames: Vec<Frames>,
}

/// The viewers of one server.
pub struct Crowd {
    address: SocketAddr,
    contestant: Contestant,
    pub audience: Rc<RefCell<Audience>>,
    sessions: JoinSet<()>,
}

impl Crowd {
    pub fn of(server: &Server) -> Self {
        let Server { address, contestant, .. } = *server;
        Self { address, contestant, audience: Rc::default(), sessions: JoinSet::new() }
    }

    /// Opens viewers of these channels, so many a second, and waits until all are up.
    ///
    /// # Errors
    /// When they are not up in time.
    pub async fn open(
        &mut self,
        channels: impl IntoIterator<Item = u64>,
        per_second: f64,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        for (count, channel) in channels.into_iter().enumerate() {
            tokio::time::sleep_until(begun + Duration::from_secs_f64(count as f64 / per_second)).await;
            let viewer = self.audience.borrow_mut().add(channel);
            self.begin(viewer);
        }
        self.wait_until_up().await
    }

    /// Cuts every connection; the viewers keep their place.
    pub async fn leave(&mut self) {
        self.sessions.shutdown().await;
        let mut audience = self.audience.borrow_mut();
        (0..audience.frames.len()).for_each(|viewer| audience.tally.went_down(viewer));
    }

    /// Opens all of them again at once, each with its place.
    pub fn come_back(&mut self) {
        let viewers = self.audience.borrow().frames.len();
        (0..viewers).for_each(|viewer| self.begin(viewer));
    }

    /// Waits until every viewer is up.
    ///
    /// # Errors
    /// When they are not up in time.
    pub async fn wait_until_up(&self) -> anyhow::Result<()> {
        self.wait(UP_WITHIN, |tally| tally.up == tally.viewers.len()).await;
        let tally = &self.audience.borrow().tally;
        let (up, all) = (tally.up, tally.viewers.len());
        ensure!(up == all, "{up} of {all} viewers are up, {} tries failed", tally.failed_tries);
        Ok(())
    }

    /// Waits until the tally is as wanted; false when `within` is over.
    pub async fn wait(&self, within: Duration, is_so: impl Fn(&Tally) -> bool) -> bool {
        let begun = Instant::now();
        while !is_so(&self.audience.borrow().tally) {
            if begun.elapsed() > within {
                return false;
            }
            sleep(LOOK_EACH).await;
        }
        true
    }

    fn begin(&mut self, viewer: usize) {
        let (address, contestant) = (self.address, self.contestant);
        self.sessions.spawn_local(follow(Rc::clone(&self.audience), viewer, address, contestant));
    }
}

impl Audience {
    fn add(&mut self, channel: u64) -> usize {
        self.frames.push(Frames::default());
        self.tally.add_viewer(channel)
    }

    /// Takes what a viewer has read.
    fn read(&mut self, session: &mut Session, mut input: &[u8], read_ns: u64) -> anyhow::Result<()> {
        let Self { tally, frames } = self;
        while let Some(piece) = session.answer.next_piece(&mut input)? {
            frames[session.viewer].feed(piece, &mut |frame| match frame {
                Frame::Stamped(stamp) => tally.deliver(session.viewer, stamp, read_ns),
                Frame::Connected => tally.came_up(session.viewer, session.asked_ns),
                Frame::Reconnect | Frame::Other | Frame::Comment => tally.other_frames += 1,
            });
        }
        match session.answer.status() {
            Some(200) if !session.greets => tally.came_up(session.viewer, session.asked_ns),
            None | Some(200) => {}
            Some(status) => bail!("answered {status}"),
        }
        Ok(())
    }
}

/// One connection of a viewer.
struct Session {
    viewer: usize,
    asked_ns: u64,
    greets: bool,
    answer: Answer,
}

/// Keeps a viewer's stream open, as a browser does.
async fn follow(audience: Rc<RefCell<Audience>>, viewer: usize, address: SocketAddr, contestant: Contestant) {
    loop {
        let Err(_) = hold(&audience, viewer, address, contestant).await;
        {
            let tally = &mut audience.borrow_mut().tally;
            match tally.viewers[viewer].is_up {
                true => tally.disconnects += 1,
                false => tally.failed_tries += 1,
            }
            tally.went_down(viewer);
        }
        sleep(Duration::from_millis(50 + fastrand::u64(..50))).await;
    }
}

async fn hold(
    audience: &RefCell<Audience>,
    viewer: usize,
    address: SocketAddr,
    contestant: Contestant,
) -> anyhow::Result<Infallible> {
    let greets = contestant.greets();
    let mut session = Session { viewer, asked_ns: now_ns(), greets, answer: Answer::default() };
    let mut connection = TcpStream::connect(address).await?;
    connection.set_nodelay(true)?;
    let request = ask(audience, viewer, address, contestant);
    connection.write_all(request.as_bytes()).await?;
    drop(request);
    loop {
        poll_fn(|context| {
            poll_read(&mut connection, context, |read| {
                audience.borrow_mut().read(&mut session, read, now_ns())
            })
        })
        .await?;
    }
}

/// Reads what there is with one call of the kernel, into the buffer of all viewers.
fn poll_read(
    connection: &mut TcpStream,
    context: &mut Context<'_>,
    take: impl FnOnce(&[u8]) -> anyhow::Result<()>,
) -> Poll<anyhow::Result<()>> {
    BUFFER.with_borrow_mut(|buffer| {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(connection).poll_read(context, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Err(anyhow!("the stream ended")));
        }
        Poll::Ready(take(buffer.filled()))
    })
}

/// Writes the request, with the place where the viewer stood.
fn ask(audience: &RefCell<Audience>, viewer: usize, address: SocketAddr, contestant: Contestant) -> String {
    let Audience { tally, frames } = &mut *audience.borrow_mut();
    let frames = &mut frames[viewer];
    let id = frames.last_id().to_vec();
    let cursor = match std::str::from_utf8(&id) {
        Ok(id) if !id.is_empty() => format!("Last-Event-ID: {id}\r\n"),
        _ => String::new(),
    };
    *frames = Frames::behind(id);
    let path = contestant.stream_path(tally.viewers[viewer].channel);
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{cursor}\r\n")
}
