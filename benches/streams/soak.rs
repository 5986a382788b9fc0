//! Streams that come and go for minutes, in every way streams go; between rounds all leave and what is
//! left is counted.
//!
//! Channels are new ones all the time, so that what is kept for each channel would show, too.

use std::{
    cell::{Cell, RefCell},
    io::BufRead,
    net::SocketAddr,
    process::Command,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    contestant::{Contestant, Server},
    machine::{Cores, Memory, descriptors, have_descriptors},
    publishers::{Plan, publish},
    viewers::Audience,
};

const ROUNDS: u64 = 10;
const VISITORS: usize = 400;
/// Channels followed at one time; they move on by one each tenth of a second.
const CHANNELS: u64 = 50;
const EVENTS_PER_SECOND: f64 = 300.0;
/// How long what is left behind has to go away.
const REST_WITHIN: Duration = Duration::from_secs(30);
/// The shortest a log can live: until it has passed, memory grows as it must.
const LOG_LIVES: Duration = Duration::from_secs(180);
/// A task that comes and goes by itself may be there when it is counted.
const SLACK: usize = 2;
/// What memory may grow by once logs come and go.
const MEMORY_MAY_GROW: (f64, f64) = (1.05, 2_048.0);

/// What is left when everybody has left.
#[derive(Clone, Copy, Debug)]
struct Rest {
    since: Duration,
    visits: u64,
    tasks: usize,
    descriptors: usize,
    resident_kib: f64,
}

/// Soaks a server; false when something grew.
pub async fn run(minutes: u64) -> anyhow::Result<bool> {
    have_descriptors(VISITORS)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("counted").env_clear().envs([
        ("PORT", "0"),
        ("EVENT_TTL_SECONDS", "180"),
        ("RUST_LOG", "warn"),
    ]);
    let mut server = Server::start_command(Contestant::Tidings, command, Cores::take())?;
    let tasks = read_tasks(&mut server);
    let begun = Instant::now();
    let visits = Rc::new(Cell::new(0));
    let mut series = Vec::new();
    println!(
        "| minutes | visits | tasks | open files | resident KiB |\n| ---: | ---: | ---: | ---: | ---: |"
    );
    for round in 1..=ROUNDS {
        churn(&server, round, Duration::from_secs(minutes * 60) / ROUNDS as u32, &visits).await;
        series.push(rest(&server, &tasks, begun, &visits).await);
        print(series[series.len() - 1]);
    }
    eprint!("{}", server.log());
    Ok(judge(&series))
}

/// Keeps the newest count of tasks that the server tells.
fn read_tasks(server: &mut Server) -> Arc<AtomicUsize> {
    let tasks = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&tasks);
    if let Some(words) = server.words.take() {
        std::thread::spawn(move || {
            let counts = words.lines().map_while(Result::ok).filter_map(|line| line.parse().ok());
            counts.for_each(|count| told.store(count, Ordering::Relaxed));
        });
    }
    tasks
}

/// Lets visitors come and go, and events come in, for a while.
async fn churn(server: &Server, round: u64, lasts: Duration, visits: &Rc<Cell<u64>>) {
    let mut visitors = JoinSet::new();
    let first_channel = Rc::new(Cell::new(round * 1_000_000));
    for _ in 0..VISITORS {
        visitors.spawn_local(visit(server.address, Rc::clone(&first_channel), Rc::clone(visits)));
    }
    let ends_at = Instant::now() + lasts;
    while Instant::now() < ends_at {
        publish(events(server, first_channel.get()), &Rc::new(RefCell::new(Audience::default()))).await;
        first_channel.set(first_channel.get() + 1);
    }
    visitors.shutdown().await;
}

/// A tenth of a second of events on the channels of the moment.
fn events(server: &Server, first_channel: u64) -> Plan {
    Plan {
        first_channel,
        rate: Some(EVENTS_PER_SECOND),
        lasts: Duration::from_millis(100),
        publishers: 4,
        any_order: true,
        ..Plan::of(server, CHANNELS)
    }
}

async fn visit(address: SocketAddr, first_channel: Rc<Cell<u64>>, visits: Rc<Cell<u64>>) {
    loop {
        let channel = first_channel.get() + fastrand::u64(..CHANNELS);
        // A refused connection is tried again.
        let _ = visit_once(address, channel).await;
        visits.set(visits.get() + 1);
        sleep(Duration::from_millis(fastrand::u64(..100))).await;
    }
}

/// Comes and leaves in one of the ways of viewers.
async fn visit_once(address: SocketAddr, channel: u64) -> anyhow::Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    let path = Contestant::Tidings.stream_path(channel);
    let cursor = match fastrand::u8(..4) {
        0 => "Last-Event-ID: 1-0\r\n",
        1 => "Last-Event-ID: nonsense\r\n",
        _ => "",
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: t\r\n{cursor}\r\n");
    let stays = Duration::from_millis(fastrand::u64(..3_000));
    match fastrand::u8(..6) {
        // Amid its request.
        0 => connection.write_all(&request.as_bytes()[..request.len() / 2]).await?,
        // Before the answer.
        1 => connection.write_all(request.as_bytes()).await?,
        // Without reading.
        2 => {
            connection.write_all(request.as_bytes()).await?;
            sleep(stays).await;
        }
        _ => {
            connection.write_all(request.as_bytes()).await?;
            let _ = timeout(stays, read_to_end(&mut connection)).await;
        }
    }
    Ok(())
}

async fn read_to_end(connection: &mut TcpStream) -> anyhow::Result<()> {
    let mut buffer = [0; 4_096];
    while connection.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Counts what is left, once it no longer gets less.
async fn rest(server: &Server, tasks: &AtomicUsize, begun: Instant, visits: &Cell<u64>) -> Rest {
    let count = || (tasks.load(Ordering::Relaxed), descriptors(server.process()));
    let asked = Instant::now();
    let mut before = count();
    loop {
        sleep(Duration::from_secs(2)).await;
        let now = count();
        if (now == before && now.0 > 0) || asked.elapsed() > REST_WITHIN {
            let resident_kib = Memory::of(server.process()).resident;
            return Rest {
                since: begun.elapsed(),
                visits: visits.get(),
                tasks: now.0,
                descriptors: now.1,
                resident_kib,
            };
        }
        before = now;
    }
}

fn print(rest: Rest) {
    let Rest { since, visits, tasks, descriptors, resident_kib } = rest;
    println!(
        "| {:.1} | {visits} | {tasks} | {descriptors} | {resident_kib:.0} |",
        since.as_secs_f64() / 60.0
    );
}

/// Compares the last rest with the first, by which all that starts with viewers was there, and its memory
/// with the first one by which logs had come and gone.
fn judge(series: &[Rest]) -> bool {
    let (Some(first), Some(last)) = (series.first(), series.last()) else { return false };
    let mut is_flat = true;
    for (what, before, after) in
        [("tasks", first.tasks, last.tasks), ("open files", first.descriptors, last.descriptors)]
    {
        let grew = after > before + SLACK;
        println!(
            "{what}: {before} after the first round, {after} at the end{}",
            if grew { ": GREW" } else { "" }
        );
        is_flat &= !grew;
    }
    let Some(settled) = series.iter().find(|rest| rest.since > LOG_LIVES + LOG_LIVES / 3) else {
        println!("memory: not judged, logs live for {} s", LOG_LIVES.as_secs());
        return is_flat;
    };
    let most = settled.resident_kib.mul_add(MEMORY_MAY_GROW.0, MEMORY_MAY_GROW.1);
    let grew = last.resident_kib > most;
    println!(
        "memory: {:.0} KiB after {:.1} minutes, {:.0} KiB at the end{}",
        settled.resident_kib,
        settled.since.as_secs_f64() / 60.0,
        last.resident_kib,
        if grew { ": GREW" } else { "" }
    );
    is_flat && !grew
}
