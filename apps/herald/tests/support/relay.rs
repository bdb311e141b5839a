//! A relay that answers what the test tells it to, for the replies that `smtp-sink` cannot be made to give.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// What the relay does on a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Whatever a relay without extensions says when all is well.
    Usual,
    Say(&'static str),
    SayAndHangUp(&'static str),
    HangUp,
    /// Says nothing until the client hangs up.
    Silence,
}

/// A scripted relay, which holds one conversation at a time. Its thread ends with the test program.
pub(crate) struct Relay {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    heard: Vec<String>,
    messages: Vec<String>,
}

impl Relay {
    /// Starts one. The script is asked with the number of the connection, from 0, and each thing that happens on it:
    /// `CONNECT`, every command, and `.` for a whole message.
    pub(crate) fn start(script: impl Fn(usize, &str) -> Reaction + Send + 'static) -> Relay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let log = Arc::new(Mutex::new(Log::default()));
        let relay = Relay { address, log: Arc::clone(&log) };
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let hear = |event: &str| {
                    lock(&log).heard.push(format!("{number} {event}"));
                    script(number, event)
                };
                let keep = |message| lock(&log).messages.push(message);
                // The client hanging up is how most conversations end.
                let _ = stream.and_then(|stream| converse(&stream, hear, keep));
            }
        });
        relay
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that happened, each with the number of its connection in front.
    pub(crate) fn heard(&self) -> Vec<String> {
        lock(&self.log).heard.clone()
    }

    /// Every message that came whole, whatever was answered.
    pub(crate) fn messages(&self) -> Vec<String> {
        lock(&self.log).messages.clone()
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

fn converse(
    stream: &TcpStream,
    mut hear: impl FnMut(&str) -> Reaction,
    mut keep: impl FnMut(String),
) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let mut event = "CONNECT".to_owned();
    loop {
        let reply = match hear(&event) {
            Reaction::Usual => usual(&event),
            Reaction::Say(reply) => reply,
            Reaction::SayAndHangUp(reply) => return say(stream, reply),
            Reaction::HangUp => return Ok(()),
            Reaction::Silence => return lines.try_for_each(|line| line.map(drop)),
        };
        say(stream, reply)?;
        event = next_line(&mut lines)?;
        if reply.starts_with("354") {
            let mut message = String::new();
            while event != "." {
                message += &event;
                message += "\n";
                event = next_line(&mut lines)?;
            }
            keep(message);
        }
    }
}

fn next_line(lines: &mut impl Iterator<Item = io::Result<String>>) -> io::Result<String> {
    lines.next().unwrap_or_else(|| Err(ErrorKind::UnexpectedEof.into()))
}

fn say(mut stream: &TcpStream, reply: &str) -> io::Result<()> {
    stream.write_all(format!("{reply}\r\n").as_bytes())
}

fn usual(event: &str) -> &'static str {
    match event {
        "CONNECT" => "220 relay ESMTP",
        "DATA" => "354 go on",
        "QUIT" => "221 bye",
        _ => "250 ok",
    }
}
