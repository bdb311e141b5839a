//! Strokes from many hands to many eyes: how many deliveries a second Artnest makes, how long they take, and what an
//! idle connection costs, against a y-websocket server and a Socket.IO relay.
//!
//! The servers are the real programs; the peers keep everything in memory, Artnest commits with fsync before it
//! delivers. All get the same strokes from the same clients over loopback (`load`), each in its own protocol
//! (`dialect`). With two processors a server has the first one and the clients the second. A server's rate is the
//! highest one at which 99 of 100 deliveries take at most so long and none is missing (`search`); the contestants take
//! turns.

mod dialect;
mod load;
mod search;
mod server;

use std::time::Duration;

use anyhow::Result;
use bench_report::{Better, Comparison, Goal, Row, median};
use clap::Parser;

use dialect::Updates;
use load::{Load, Outcome};
use server::{Kind, Server};

/// Deliveries count where 99 of 100 take at most so long.
const P99_MAX: Duration = Duration::from_millis(100);
const ROUNDS: usize = 3;
/// One connection of many that do nothing may take so many bytes of the server's memory.
const IDLE_BYTES_MAX: f64 = 20.0 * 1024.0;
const IDLE_CONNECTIONS: usize = 1_000;

/// Measures, and prints the rows as JSON.
#[derive(Parser)]
struct Arguments {
    /// Only the comparisons whose name contains this: `deliveries`, `writers` or `idle`.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // The error means that it is done already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    server::stay_on_second_processor();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let updates = Updates::make()?;
    let mut rows = Vec::new();
    for shape in [Load::ROOMS_OF_FOUR, Load::ONE_ROOM_OF_FORTY] {
        if shape.name.contains(&arguments.only) {
            rows.extend(runtime.block_on(deliveries(&shape, &updates))?);
        }
    }
    if Load::WRITERS.name.contains(&arguments.only) {
        rows.extend(runtime.block_on(writers(&updates))?);
    }
    if IDLE.contains(&arguments.only) {
        rows.extend(runtime.block_on(idle(&updates))?);
    }
    bench_report::print(&rows)?;
    Ok(())
}

/// The highest rates of all, taken by turns.
async fn deliveries(shape: &Load, updates: &Updates) -> Result<Vec<Row>> {
    let mut rates = [const { Vec::new() }; 3];
    let mut starts = [shape.rate; 3];
    for round in 0..ROUNDS {
        for ((kind, rates), start) in Kind::ALL.into_iter().zip(&mut rates).zip(&mut starts) {
            let best = search::highest(kind, shape, *start, P99_MAX, updates).await?;
            eprintln!(
                "round {round}, {}: {}: {:.0} deliveries/s, p99 {:?}",
                shape.name,
                kind.name(),
                best.per_second(),
                best.p99
            );
            rates.push(best.per_second());
            // The next search begins near where this one ended.
            *start = (best.rate / 2.0).max(1.0);
        }
    }
    let [ours, yjs, socketio] = rates.map(median);
    let comparison = |peer: Kind, goal| Comparison {
        name: format!("{}, p99 <= {} ms", shape.name, P99_MAX.as_millis()),
        unit: "deliveries/s",
        better: Better::Higher,
        peer_name: peer.name().to_owned(),
        goal: Some(Goal::Ratio(goal)),
    };
    Ok(vec![comparison(Kind::Yjs, 1.5).row(ours, yjs), comparison(Kind::SocketIo, 3.0).row(ours, socketio)])
}

/// Many writers in one room at the pace of a page.
async fn writers(updates: &Updates) -> Result<Vec<Row>> {
    let load = Load::WRITERS;
    let mut p99 = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        for (kind, p99) in Kind::ALL.into_iter().zip(&mut p99) {
            let server = Server::start(kind).await?;
            let outcome = load.run(&server, load.rate, updates).await?;
            eprintln!("round {round}, {}: {}: {outcome}", load.name, kind.name());
            p99.push(worst_if_missing(&outcome));
        }
    }
    let [ours, yjs, socketio] = p99.map(median);
    let comparison = |peer: Kind, goal| Comparison {
        name: format!("{}, p99 to another client", load.name),
        unit: "ms",
        better: Better::Lower,
        peer_name: peer.name().to_owned(),
        goal,
    };
    let goal = Goal::AtMost(P99_MAX.as_secs_f64() * 1_000.0);
    Ok(vec![
        comparison(Kind::Yjs, Some(goal)).row(ours, yjs),
        comparison(Kind::SocketIo, None).row(ours, socketio),
    ])
}

/// What was not delivered by the end took longer than all of the run.
fn worst_if_missing(outcome: &Outcome) -> f64 {
    let p99 = if outcome.share() < 0.99 { outcome.lasted } else { outcome.p99 };
    p99.as_secs_f64() * 1_000.0
}

const IDLE: &str = "an idle connection, memory of the server";

async fn idle(updates: &Updates) -> Result<Vec<Row>> {
    let mut costs = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (kind, costs) in Kind::ALL.into_iter().zip(&mut costs) {
            let server = Server::start(kind).await?;
            costs.push(load::idle_bytes(&server, IDLE_CONNECTIONS, updates).await?);
        }
    }
    let [ours, yjs, socketio] = costs.map(median);
    let comparison = |peer: Kind, goal| Comparison {
        name: format!("{IDLE} with {IDLE_CONNECTIONS} of them, 4 in a room"),
        unit: "bytes",
        better: Better::Lower,
        peer_name: peer.name().to_owned(),
        goal,
    };
    Ok(vec![
        comparison(Kind::Yjs, Some(Goal::AtMost(IDLE_BYTES_MAX))).row(ours, yjs),
        comparison(Kind::SocketIo, None).row(ours, socketio),
    ])
}
