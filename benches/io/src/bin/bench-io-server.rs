//! The echo server that is measured: a child of a scope, or a Tokio task, for each connection.
//!
//! Nothing else differs. It reads requests from standard input: `scope N` or `tasks N` opens a port for N connections
//! and answers with its number; `join` waits until all of them are closed and answers with how many bytes it echoed.
//! Each time it serves on a new runtime with two workers.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use ballet::Scope;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

fn main() -> Result<()> {
    let mut serving = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = if line == "join" {
            let server: Server = serving.take().context("nothing to join")?;
            server.join()?
        } else {
            let server = Server::start(&line)?;
            let port = u64::from(server.address.port());
            serving = Some(server);
            port
        };
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}

struct Server {
    runtime: Runtime,
    address: SocketAddr,
    echoed: JoinHandle<Result<u64>>,
}

impl Server {
    fn start(request: &str) -> Result<Self> {
        let (who, connections) =
            request.split_once(' ').with_context(|| format!("not a request: {request}"))?;
        let connections = connections.parse()?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let echoed = match who {
            "scope" => runtime.spawn(in_a_scope(listener, connections)),
            "tasks" => runtime.spawn(in_tasks(listener, connections)),
            _ => bail!("neither `scope` nor `tasks`: {who}"),
        };
        Ok(Self { runtime, address, echoed })
    }

    fn join(self) -> Result<u64> {
        self.runtime.block_on(self.echoed)?
    }
}

async fn in_a_scope(listener: TcpListener, connections: usize) -> Result<u64> {
    let echoed = ballet::scope(async |s: Scope| {
        let mut children = Vec::with_capacity(connections);
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            children.push(s.spawn(async move { Ok(echo(stream).await?) }));
        }
        let mut echoed = 0;
        for child in children {
            echoed += child.await;
        }
        Ok(echoed)
    });
    Ok(echoed.await?)
}

#[expect(clippy::disallowed_methods, reason = "the peer that is measured")]
async fn in_tasks(listener: TcpListener, connections: usize) -> Result<u64> {
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (stream, _) = listener.accept().await?;
        tasks.push(tokio::spawn(echo(stream)));
    }
    let mut echoed = 0;
    for task in tasks {
        echoed += task.await??;
    }
    Ok(echoed)
}

/// Sends back what comes until the client closes; how many bytes that were.
async fn echo(mut stream: TcpStream) -> io::Result<u64> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1024];
    let mut echoed = 0;
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(echoed);
        }
        stream.write_all(&buffer[..length]).await?;
        echoed += length as u64;
    }
}
