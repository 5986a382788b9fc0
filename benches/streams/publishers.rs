//! Publishers over real sockets: each has one connection and one request at a time.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    contestant::Server,
    tally::Times,
    viewers::Audience,
    wire::{Answer, Stamp, now_ns},
};

/// Bytes of one event as it is published.
const EVENT_BYTES: usize = 200;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a publisher waits that was told to come back.
const PAUSE: Duration = Duration::from_millis(2);

/// How events get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `POST /publish/{channel}`.
    Reference,
    /// `POST /api/v1/progress`; several events at once to `/api/v1/progress/batch`.
    Progress,
    /// `RPUSH` over the REST API of Redis; with `wake` also a `PUBLISH`, as producers do then.
    Push { wake: bool },
}

/// What is to be published.
#[derive(Clone, Debug)]
pub struct Plan {
    pub door: Door,
    pub address: SocketAddr,
    /// Event `k` goes to the channel `k % channels` behind this one.
    pub first_channel: u64,
    pub channels: u64,
    /// Events a second, spread evenly; nothing: as fast as they are answered.
    pub rate: Option<f64>,
    /// Events in all; nothing: as many as are due while it lasts.
    pub events: Option<u64>,
    /// No request is begun later.
    pub lasts: Duration,
    pub publishers: u64,
    /// Each publisher takes whichever event is next; otherwise a channel is one publisher's, and in order.
    pub any_order: bool,
    /// Latency counts from when an event was due, so that a publisher that is behind hides nothing.
    pub stamp_due: bool,
    /// Events in one request.
    pub batch: u64,
    pub run: u64,
}

impl Plan {
    /// One publisher's events to these channels of a server, one by one, as fast as they are answered.
    pub const fn of(server: &Server, channels: u64) -> Self {
        Self {
            door: server.contestant.door(),
            address: server.address,
            first_channel: 0,
            channels,
            rate: None,
            events: None,
            lasts: Duration::from_secs(1),
            publishers: 1,
            any_order: false,
            stamp_due: false,
            batch: 1,
            run: 2,
        }
    }

    /// Counts the events that are due while it lasts.
    fn due(&self) -> Option<u64> {
        Some((self.rate? * self.lasts.as_secs_f64()).round() as u64)
    }
}

/// What became of a plan.
#[derive(Default)]
pub struct Published {
    /// Events the server took.
    pub taken: u64,
    /// Requests it did not take, and how it answered the last of them.
    pub refused: u64,
    pub last_refusal: Option<u16>,
    /// Events nobody came to in time.
    pub unsent: u64,
    pub took: Duration,
    /// How long requests took.
    pub answers: Times,
}

/// Publishes by a plan; what is taken is noted in the audience's tally.
pub async fn publish(plan: Plan, audience: &Rc<RefCell<Audience>>) -> Published {
    let begun_ns = now_ns();
    let work = Rc::new(Work {
        total: plan.events.or_else(|| plan.due()).unwrap_or(u64::MAX),
        ends_ns: begun_ns + plan.lasts.as_nanos() as u64,
        begun_ns,
        next: Cell::new(0),
        published: RefCell::default(),
        audience: Rc::clone(audience),
        plan,
    });
    let mut publishers = JoinSet::new();
    for publisher in 0..work.plan.publishers {
        publishers.spawn_local(Rc::clone(&work).run(publisher));
    }
    publishers.join_all().await;
    let mut published = work.published.take();
    published.took = Duration::from_nanos(now_ns() - begun_ns);
    if work.plan.rate.is_some() {
        published.unsent = work.total.saturating_sub(published.taken + published.refused);
    }
    published
}

/// What the publishers of one plan share.
struct Work {
    plan: Plan,
    total: u64,
    begun_ns: u64,
    ends_ns: u64,
    next: Cell<u64>,
    published: RefCell<Published>,
    audience: Rc<RefCell<Audience>>,
}

impl Work {
    async fn run(self: Rc<Self>, publisher: u64) {
        let mut connection = Connection::to(self.plan.address);
        let mut place = 0;
        loop {
            let batch: Vec<_> = (0..self.plan.batch).map(|_| self.take(publisher, &mut place)).collect();
            let due_ns = self.due_ns(batch[0]);
            if batch[0] >= self.total || now_ns().max(due_ns) >= self.ends_ns {
                return;
            }
            if let Some(early) = due_ns.checked_sub(now_ns()) {
                sleep(Duration::from_nanos(early)).await;
            }
            let sent_ns = if self.plan.stamp_due { due_ns } else { now_ns() };
            let stamps: Vec<_> = batch.into_iter().map(|event| self.stamp(event, sent_ns)).collect();
            self.send(&mut connection, &stamps).await;
        }
    }

    /// Takes the next event that is this publisher's.
    fn take(&self, publisher: u64, place: &mut u64) -> u64 {
        if self.plan.any_order {
            return self.next.replace(self.next.get() + 1);
        }
        let (channels, publishers) = (self.plan.channels, self.plan.publishers.min(self.plan.channels));
        while *place % channels % publishers != publisher && *place < self.total {
            *place += 1;
        }
        *place += 1;
        *place - 1
    }

    fn due_ns(&self, event: u64) -> u64 {
        self.plan.rate.map_or(0, |rate| self.begun_ns + (event as f64 * 1e9 / rate) as u64)
    }

    const fn stamp(&self, event: u64, sent_ns: u64) -> Stamp {
        let Plan { first_channel, channels, run, .. } = self.plan;
        Stamp { sent_ns, number: event / channels, channel: first_channel + event % channels, run }
    }

    async fn send(&self, connection: &mut Connection, stamps: &[Stamp]) {
        let request = self.plan.door.request(self.plan.address, stamps);
        loop {
            let asked_ns = now_ns();
            let answer = timeout(ANSWER_WITHIN, connection.ask(request.as_bytes())).await;
            let is_taken = matches!(answer, Ok(Ok(200..=299)));
            {
                let mut published = self.published.borrow_mut();
                published.answers.record(Duration::from_nanos(now_ns() - asked_ns));
                published.taken += if is_taken { stamps.len() as u64 } else { 0 };
                published.refused += u64::from(!is_taken);
                if !is_taken {
                    published.last_refusal = answer.ok().and_then(Result::ok);
                }
            }
            if is_taken {
                let tally = &mut self.audience.borrow_mut().tally;
                return stamps.iter().for_each(|stamp| tally.take(*stamp));
            }
            if self.plan.rate.is_some() || now_ns() > self.ends_ns {
                return;
            }
            sleep(PAUSE).await;
        }
    }
}

impl Door {
    /// Writes one request that publishes these events.
    fn request(self, address: SocketAddr, stamps: &[Stamp]) -> String {
        let (path, body) = match (self, stamps) {
            (Self::Reference, [stamp, ..]) => (format!("/publish/{}", stamp.channel), event(*stamp)),
            (Self::Progress, [stamp]) => ("/api/v1/progress".to_owned(), event(*stamp)),
            (Self::Progress, _) => {
                let events: Vec<_> = stamps.iter().map(|stamp| event(*stamp)).collect();
                ("/api/v1/progress/batch".to_owned(), format!("{{\"events\":[{}]}}", events.join(",")))
            }
            (Self::Push { wake }, _) => ("/pipeline".to_owned(), pushes(stamps, wake).to_string()),
            (Self::Reference, []) => unreachable!("a request publishes something"),
        };
        // The front before Redis wants its token; the server takes no key where it has none.
        let token = if matches!(self, Self::Push { .. }) { "Authorization: Bearer t\r\n" } else { "" };
        format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\n{token}Content-Type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Writes an event that ends no document and is as long for each contestant.
fn event(stamp: Stamp) -> String {
    let (channel, stamp) = (stamp.channel, stamp.to_field());
    let event = format!(
        "{{\"patient_id\":\"p{channel}\",\"document_id\":\"d1\",\"stage\":\"ocr_started\",{stamp},\"pad\":\"\"}}"
    );
    let pad = "x".repeat(EVENT_BYTES.saturating_sub(event.len()));
    event.replace("\"pad\":\"\"", &format!("\"pad\":\"{pad}\""))
}

fn pushes(stamps: &[Stamp], wake: bool) -> Value {
    let push = |stamp: &Stamp| {
        let list = format!("doc_progress:p{}", stamp.channel);
        let push = json!(["RPUSH", list, event(*stamp)]);
        std::iter::once(push).chain(wake.then(|| json!(["PUBLISH", "tidings:wake", list])))
    };
    stamps.iter().flat_map(push).collect()
}

/// A connection that is opened when it is needed.
struct Connection {
    address: SocketAddr,
    open: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    fn to(address: SocketAddr) -> Self {
        Self { address, open: None, buffer: vec![0; 16 * 1_024] }
    }

    /// Sends a request and gives the status of its answer.
    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        let mut connection = match self.open.take() {
            Some(connection) => connection,
            None => {
                let connection = TcpStream::connect(self.address).await?;
                connection.set_nodelay(true)?;
                connection
            }
        };
        connection.write_all(request).await?;
        let mut answer = Answer::default();
        while !answer.is_done() {
            let length = connection.read(&mut self.buffer).await?;
            ensure!(length > 0, "closed before it was answered");
            let mut input = &self.buffer[..length];
            while answer.next_piece(&mut input)?.is_some() {}
        }
        self.open = Some(connection);
        answer.status().context("an answer has a status")
    }
}
