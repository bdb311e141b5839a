//! Somebody who does not read costs the others nothing, and gets everything when they do.

use std::{
    env,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use artnest::wire::{ClientFrame, Op, Point, PointsWriter};

use crate::support::{Client, Door, Server, begin, eventually, scratch, signal};

/// Set for the process that is to be a client and nothing else.
const AS_CLIENT: &str = "ARTNEST_TEST_CLIENT";
const BATCHES: u32 = 400;

/// A client in a process of its own, which can be stopped: it joins and reads until it is killed.
#[tokio::test]
async fn reads_and_reads() {
    let Ok(door) = env::var(AS_CLIENT) else { return };
    let mut words = door.split_whitespace();
    let mut next = || words.next().expect("a word").to_owned();
    let address: SocketAddr = next().parse().expect("an address");
    let mut client = Door { address, room: next(), token: next() }.join("Stopped").await;
    while client.end.is_none() {
        client.take().await;
    }
}

struct Process(Child);

impl Process {
    fn start(door: &Door) -> Process {
        let program = env::current_exe().expect("this program");
        let door = format!("{} {} {}", door.address, door.room, door.token);
        let child = Command::new(program)
            .args(["--exact", "slow::reads_and_reads"])
            .env(AS_CLIENT, door)
            .stdout(Stdio::null())
            .spawn()
            .expect("a process");
        Process(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Draws at the pace of a page and notes how long each batch took to reach the other.
async fn draw(ada: &mut Client, grace: &mut Client) -> Vec<Duration> {
    let stroke = ada.act([begin(0, crowd().points())]).await;
    let mut took = Vec::new();
    for _ in 0..BATCHES {
        let points = crowd();
        let began = Instant::now();
        ada.act([Op::Points { stroke, ends: false, points: points.points() }]).await;
        let seq = ada.replica.seq.max(grace.replica.seq);
        grace.settle(seq).await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took
}

/// As many points as fit into an operation, so that a client that does not read has much to miss.
fn crowd() -> PointsWriter {
    (0..90).map(|x| Point { x: x * 100, y: x % 7 * 100, pressure: 255 }).collect()
}

fn p90(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 9 / 10]
}

#[tokio::test]
async fn a_stopped_client_costs_the_others_nothing() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    let mut grace = room.as_artist().join("Grace").await;
    let before = draw(&mut ada, &mut grace).await;

    let stopped = Process::start(&room.as_viewer());
    let here = |client: &Client| client.replica.roster.values().filter(|line| line.0).count();
    ada.until("the third is here", |ada| here(ada) == 3).await;
    signal(stopped.0.id(), "STOP");
    let with = draw(&mut ada, &mut grace).await;
    println!(
        "p90 from stroke to other client: {:?} alone, {:?} beside a stopped one",
        p90(&before),
        p90(&with)
    );
    // Generous, as others share the machine: a room that waited for it would stand still for ever.
    assert!(p90(&with) < p90(&before) * 10 + Duration::from_millis(500));
    signal(stopped.0.id(), "CONT");
}

#[tokio::test]
async fn somebody_who_reads_late_gets_every_stroke() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut late = room.as_viewer().join("Late").await;
    let mut ada = room.as_artist().join("Ada").await;
    for _ in 0..60 {
        ada.act(vec![begin(0, crowd().points()); 6]).await;
    }
    late.settle(360).await;
    ada.settle(360).await;
    assert_eq!(late.replica.picture(), ada.replica.picture());
}

#[tokio::test]
async fn a_client_that_floods_is_read_more_slowly_and_the_others_draw_on() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut flood = room.as_artist().join("Flood").await;
    let mut ada = room.as_artist().join("Ada").await;
    let floods = async {
        let dots: Vec<_> = (0..200).map(crate::support::dot).collect();
        for _ in 0..60 {
            flood.send(dots.iter().map(crate::support::stroke)).await;
            while tokio::time::timeout(Duration::ZERO, flood.take()).await.is_ok() && flood.end.is_none() {}
        }
    };
    let draws = async {
        for x in 0..20 {
            ada.act([crate::support::stroke(&crate::support::dot(x))]).await;
        }
    };
    tokio::join!(floods, draws);
    flood.until("the flood is decided", |flood| flood.acked == 12_000).await;
    assert_eq!((ada.acked, ada.refused), (20, vec![]));
}

#[tokio::test]
async fn everything_of_a_connection_is_gone_when_it_is() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    for _ in 0..20 {
        let mut ada = room.as_artist().join("Ada").await;
        ada.send_frame(&ClientFrame::Cursor { x: 1, y: 2, state: 1 }).await;
        drop(ada);
    }
    eventually("no connection is left", async || {
        (server.metric("artnest_connections ").await == 0.0).then_some(())
    })
    .await;
    eventually("the room is let go", async || {
        (server.metric("artnest_live_rooms ").await == 0.0).then_some(())
    })
    .await;
}
