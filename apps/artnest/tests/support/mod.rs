//! What the integration tests share: the real `artnest` in a process of its own, a client that speaks its protocol and
//! keeps what it is told, and waiting for a condition with a deadline. Everything started here is killed when it is
//! dropped.

mod client;
mod replica;
mod server;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use artnest::wire::{Op, Point, Points, PointsWriter};

pub(crate) use client::{Client, Door, End, key, read};
pub(crate) use replica::Replica;
pub(crate) use server::{Room, Server, command, signal};

/// How long anything may take that should happen, on a machine that has much else to do.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// A fresh directory on the disk of the build, removed at the end of the test.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for the test")
}

/// An address nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// Asks again and again until there is an answer; panics with `what` when the time is over.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A line from one point to another, as a stroke's points.
pub(crate) fn line(from: (i32, i32), to: (i32, i32)) -> PointsWriter {
    [from, to].into_iter().map(|(x, y)| Point { x: x * 16, y: y * 16, pressure: 255 }).collect()
}

/// The beginning of a stroke in black.
pub(crate) fn begin(layer: u8, points: Points<'_>) -> Op<'_> {
    Op::Begin { layer, tool: 0, colour: [0, 0, 0, 255], size: 64, ends: false, points }
}

/// A whole stroke, which is told from others by where it is.
pub(crate) fn dot(x: i32) -> PointsWriter {
    PointsWriter::from_iter([Point { x, y: 0, pressure: 255 }])
}

/// A whole stroke of one point.
pub(crate) fn stroke(points: &PointsWriter) -> Op<'_> {
    Op::Begin { layer: 0, tool: 0, colour: [0, 0, 0, 255], size: 64, ends: true, points: points.points() }
}
