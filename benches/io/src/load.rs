//! The clients: 1 000 connections on one thread, each of which sends a message and waits for it to come back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep};

pub(crate) const CONNECTIONS: usize = 1_000;
pub(crate) const MESSAGE_BYTES: usize = 64;
const WARM_UP: Duration = Duration::from_millis(250);
const MEASURED: Duration = Duration::from_millis(750);
/// Where connections are paced, each sends a message so often.
const PACE: Duration = Duration::from_millis(100);

/// How hard the clients press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Each sends again as soon as its message is back: what the server can do at most.
    Full,
    /// 10 000 messages a second among them all: how soon each comes back when there is room.
    Paced,
}

/// What the clients saw.
pub(crate) struct Seen {
    /// How long each message of the measured time took, in ascending order.
    latencies: Vec<Duration>,
    /// All that came back, before and after the measured time too.
    pub(crate) bytes: u64,
}

impl Seen {
    pub(crate) fn messages_per_second(&self) -> f64 {
        self.latencies.len() as f64 / MEASURED.as_secs_f64()
    }

    /// Microseconds within which so much of all messages were back.
    pub(crate) fn within(&self, share: f64) -> f64 {
        let index = (self.latencies.len() as f64 * share) as usize;
        self.latencies[index.min(self.latencies.len() - 1)].as_nanos() as f64 / 1_000.0
    }
}

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// Connects, presses for the measured time, and closes all connections.
pub(crate) async fn press(port: u16, load: Load) -> Result<Seen> {
    let phase = Arc::new(AtomicU8::new(WARMING));
    let mut clients = JoinSet::new();
    for number in 0..CONNECTIONS {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        stream.set_nodelay(true)?;
        clients.spawn(client(stream, number, load, Arc::clone(&phase)));
    }
    sleep(WARM_UP).await;
    phase.store(MEASURING, Ordering::Relaxed);
    sleep(MEASURED).await;
    phase.store(OVER, Ordering::Relaxed);
    let mut seen = Seen { latencies: Vec::new(), bytes: 0 };
    while let Some(client) = clients.join_next().await {
        let (latencies, messages) = client??;
        seen.latencies.extend(latencies);
        seen.bytes += messages * MESSAGE_BYTES as u64;
    }
    ensure!(!seen.latencies.is_empty(), "no message came back in the measured time");
    seen.latencies.sort_unstable();
    Ok(seen)
}

/// One connection: the latencies that count, and how many messages came back in all.
async fn client(
    mut stream: TcpStream,
    number: usize,
    load: Load,
    phase: Arc<AtomicU8>,
) -> io::Result<(Vec<Duration>, u64)> {
    // Spread over the pace, so that they do not all send at once.
    let first = Instant::now() + PACE * number as u32 / CONNECTIONS as u32;
    let mut turns = interval_at(first, PACE);
    let mut latencies = Vec::new();
    let mut message = [number as u8; MESSAGE_BYTES];
    let mut messages = 0;
    while phase.load(Ordering::Relaxed) != OVER {
        if load == Load::Paced {
            turns.tick().await;
        }
        let counts = phase.load(Ordering::Relaxed) == MEASURING;
        let start = Instant::now();
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
        if counts {
            latencies.push(start.elapsed());
        }
        messages += 1;
    }
    Ok((latencies, messages))
}
