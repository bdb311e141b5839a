//! A relay that answers what the test tells it to, for the replies that `smtp-sink` cannot be made to give.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
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

/// A scripted relay. Its thread ends with the test program.
pub(crate) struct Relay {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// Starts one. The script is asked with the number of the connection, from 0, and each thing that happens on it:
    /// `CONNECT`, every command, and `.` for a whole message.
    pub(crate) fn start(script: impl Fn(usize, &str) -> Reaction + Send + 'static) -> Relay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let hear = |event: &str| {
                    hearing.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{number} {event}"));
                    script(number, event)
                };
                // The client hanging up is how most conversations end.
                let _ = stream.and_then(|stream| converse(&stream, hear));
            }
        });
        Relay { address, heard }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that happened, each with the number of its connection in front.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn converse(stream: &TcpStream, mut script: impl FnMut(&str) -> Reaction) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let mut event = "CONNECT".to_owned();
    loop {
        let reply = match script(&event) {
            Reaction::Usual => usual(&event),
            Reaction::Say(reply) => reply,
            Reaction::SayAndHangUp(reply) => return say(stream, reply),
            Reaction::HangUp => return Ok(()),
            Reaction::Silence => return lines.try_for_each(|line| line.map(drop)),
        };
        say(stream, reply)?;
        if reply.starts_with("354") {
            while lines.next().transpose()?.ok_or(std::io::ErrorKind::UnexpectedEof)? != "." {}
            event = ".".to_owned();
        } else {
            event = lines.next().transpose()?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        }
    }
}

fn say(mut stream: &TcpStream, reply: &str) -> std::io::Result<()> {
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
