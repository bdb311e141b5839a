//! So many clients in so many rooms, each sending batches of strokes at its pace and reading what the others send.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::dialect::{Client, Updates};
use crate::server::Server;

type Socket = WebSocketStream<TcpStream>;

/// What is sent in this time does not count.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long deliveries are waited for after the last was sent.
const GRACE: Duration = Duration::from_millis(500);
/// Connections that are opened at the same time.
const OPENED_AT_ONCE: usize = 50;

pub(crate) struct Load {
    pub(crate) name: &'static str,
    rooms: usize,
    people: usize,
    /// Batches a second of each person, to begin with.
    pub(crate) rate: f64,
    lasts: Duration,
}

impl Load {
    pub(crate) const ROOMS_OF_FOUR: Load = Load {
        name: "deliveries, 100 rooms of 4",
        rooms: 100,
        people: 4,
        rate: 5.0,
        lasts: Duration::from_secs(2),
    };
    pub(crate) const ONE_ROOM_OF_FORTY: Load = Load {
        name: "deliveries, one room of 40",
        rooms: 1,
        people: 40,
        rate: 5.0,
        lasts: Duration::from_secs(2),
    };
    pub(crate) const WRITERS: Load = Load {
        name: "200 writers in one room, 25 batches/s each",
        rooms: 1,
        people: 200,
        rate: 25.0,
        lasts: Duration::from_secs(4),
    };
    /// The most people in one room, and the most batches that one of them sends.
    pub(crate) const PEOPLE_MAX: usize = 200;
    pub(crate) const BATCHES_MAX: usize = 1_200;

    /// Runs it against a server that nobody used before.
    pub(crate) async fn run(&self, server: &Server, rate: f64, updates: &Updates) -> Result<Outcome> {
        let rate = rate.min(Self::BATCHES_MAX as f64 / (WARM_UP + self.lasts).as_secs_f64());
        let rooms = try_join_all((0..self.rooms).map(|_| Client::new_room(server))).await?;
        let mut sockets = Vec::new();
        for room in &rooms {
            for first in (0..self.people).step_by(OPENED_AT_ONCE) {
                let people = first..self.people.min(first + OPENED_AT_ONCE);
                let joins = people.map(|person| Client::join(server, room, person));
                sockets.extend(try_join_all(joins).await?);
            }
        }
        let began = Instant::now() + Duration::from_millis(100);
        let ledgers: Vec<_> = (0..self.rooms).map(|_| Ledger::new(self.people)).collect();
        let talks = sockets.into_iter().enumerate().map(|(index, (socket, client))| {
            let ledger = Rc::clone(&ledgers[index / self.people]);
            let phase = (index as f64 * 0.618_034).fract() / rate;
            let pace = Pace {
                began,
                first: began + Duration::from_secs_f64(phase),
                every: Duration::from_secs_f64(1.0 / rate),
                until: began + WARM_UP + self.lasts,
            };
            talk(socket, client, pace, ledger, updates)
        });
        try_join_all(talks).await?;
        Ok(Outcome::of(&ledgers, self, rate))
    }
}

/// When somebody sends.
#[derive(Clone, Copy)]
struct Pace {
    began: Instant,
    first: Instant,
    every: Duration,
    until: Instant,
}

/// When what was sent in a room, and how long it took to each of the others.
struct Ledger {
    people: usize,
    sent_at: Vec<Vec<Instant>>,
    /// How many deliveries are due of what counts.
    due: usize,
    took: Vec<Duration>,
}

impl Ledger {
    fn new(people: usize) -> Rc<RefCell<Ledger>> {
        let sent_at = vec![Vec::new(); people];
        Rc::new(RefCell::new(Ledger { people, sent_at, due: 0, took: Vec::new() }))
    }

    fn sends(&mut self, person: usize, counts: bool) -> usize {
        let number = self.sent_at[person].len();
        self.sent_at[person].push(Instant::now());
        if counts {
            self.due += self.people - 1;
        }
        number
    }

    fn receives(&mut self, person: usize, number: usize, now: Instant, since: Instant) {
        if let Some(&at) = self.sent_at.get(person).and_then(|sent| sent.get(number))
            && at >= since
        {
            self.took.push(now - at);
        }
    }
}

/// One person: sends at its pace, reads what comes, and stops some time after the end.
async fn talk(
    socket: Socket,
    client: Client,
    pace: Pace,
    ledger: Rc<RefCell<Ledger>>,
    updates: &Updates,
) -> Result<()> {
    let (sink, stream) = socket.split();
    let client = RefCell::new(client);
    let sink = RefCell::new(Some(sink));
    let over = sleep_until((pace.until + GRACE).into());
    let reads = read(stream, &client, pace, &ledger);
    let sends = send(&sink, &client, pace, &ledger, updates);
    tokio::select! {
        () = over => Ok(()),
        result = async { tokio::try_join!(reads, sends).map(|_| ()) } => result,
    }
}

#[expect(clippy::await_holding_refcell_ref, reason = "only this future uses the sink")]
async fn send(
    sink: &RefCell<Option<SplitSink<Socket, Message>>>,
    client: &RefCell<Client>,
    pace: Pace,
    ledger: &Rc<RefCell<Ledger>>,
    updates: &Updates,
) -> Result<()> {
    let mut sink = sink.borrow_mut();
    let Some(sink) = sink.as_mut() else { return Ok(()) };
    let mut ticks = interval_at(pace.first.into(), pace.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        ticks.tick().await;
        let now = Instant::now();
        if now >= pace.until {
            return std::future::pending().await;
        }
        let counts = now >= pace.began + WARM_UP;
        let person = client.borrow().person;
        let number = ledger.borrow_mut().sends(person, counts);
        let messages = client.borrow_mut().stroke(number, updates);
        for message in messages {
            sink.feed(message).await?;
        }
        sink.flush().await?;
    }
}

async fn read(
    mut stream: SplitStream<Socket>,
    client: &RefCell<Client>,
    pace: Pace,
    ledger: &Rc<RefCell<Ledger>>,
) -> Result<()> {
    let since = pace.began + WARM_UP;
    while let Some(message) = stream.next().await {
        let message = message?;
        let now = Instant::now();
        let mut ledger = ledger.borrow_mut();
        client
            .borrow_mut()
            .deliveries(&message, |person, number| ledger.receives(person, number, now, since))?;
    }
    anyhow::bail!("a server closed a connection")
}

/// What came of a load.
pub(crate) struct Outcome {
    pub(crate) rate: f64,
    pub(crate) delivered: usize,
    due: usize,
    pub(crate) p99: Duration,
    pub(crate) lasted: Duration,
}

impl Outcome {
    pub(crate) fn nothing(rate: f64) -> Outcome {
        Outcome { rate, delivered: 0, due: 0, p99: Duration::MAX, lasted: Duration::from_secs(1) }
    }

    fn of(ledgers: &[Rc<RefCell<Ledger>>], load: &Load, rate: f64) -> Outcome {
        let mut took: Vec<Duration> =
            ledgers.iter().flat_map(|ledger| ledger.borrow().took.clone()).collect();
        took.sort_unstable();
        let due = ledgers.iter().map(|ledger| ledger.borrow().due).sum();
        let p99 = took.get((took.len() * 99 / 100).min(took.len().saturating_sub(1))).copied();
        Outcome { rate, delivered: took.len(), due, p99: p99.unwrap_or(Duration::MAX), lasted: load.lasts }
    }

    /// How much of what was due has arrived.
    pub(crate) fn share(&self) -> f64 {
        if self.due == 0 { 0.0 } else { self.delivered as f64 / self.due as f64 }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.delivered as f64 / self.lasted.as_secs_f64()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (per_second, share) = (self.per_second(), self.share() * 100.0);
        write!(f, "{per_second:.0} deliveries/s, {share:.1} % of those due, p99 {:?}", self.p99)
    }
}

/// What one more connection that does nothing takes of the server's memory.
pub(crate) async fn idle_bytes(server: &Server, connections: usize, updates: &Updates) -> Result<f64> {
    const IN_A_ROOM: usize = 4;
    // What the server needs once, it has by then.
    let mut open = idle(server, 100, IN_A_ROOM).await?;
    let before = settled(server).await?;
    open.extend(idle(server, connections, IN_A_ROOM).await?);
    let after = settled(server).await?;
    ensure!(open.len() == connections + 100 && !updates.is_empty(), "not all are connected");
    Ok((after - before) / connections as f64)
}

async fn idle(server: &Server, connections: usize, in_a_room: usize) -> Result<Vec<(Socket, Client)>> {
    let mut open = Vec::new();
    for _ in 0..connections / in_a_room {
        let room = Client::new_room(server).await?;
        let joins = (0..in_a_room).map(|person| Client::join(server, &room, person));
        open.extend(try_join_all(joins).await?);
    }
    Ok(open)
}

/// The server's memory, when it has stopped changing.
async fn settled(server: &Server) -> Result<f64> {
    let mut last = server.resident()?;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = server.resident()?;
        if (now - last).abs() < 64.0 * 1024.0 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}
