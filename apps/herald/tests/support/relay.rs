//! A relay that answers what the test tells it to, for the replies that `smtp-sink` cannot be made to give.

use std::{
    fs,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivatePkcs8KeyDer};

/// What the relay does on a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Whatever a relay without extensions says when all is well.
    Usual,
    Say(&'static str),
    /// The same in Latin-1.
    SayInLatin1(&'static str),
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
        Relay::start_with(None, script)
    }

    /// Starts one that goes over to TLS once it has said 220 to STARTTLS. The certificate is for `localhost`; whoever
    /// is to trust it finds it at `authority`.
    pub(crate) fn start_with_tls(
        authority: &Path,
        script: impl Fn(usize, &str) -> Reaction + Send + 'static,
    ) -> Relay {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        fs::write(authority, made.cert.pem()).expect("the certificate is written");
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![made.cert.into()], key.into())
            });
        Relay::start_with(Some(Arc::new(config.expect("a configuration"))), script)
    }

    fn start_with(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(usize, &str) -> Reaction + Send + 'static,
    ) -> Relay {
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
                let _ = stream.and_then(|stream| converse(stream, tls.as_ref(), hear, keep));
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
    stream: TcpStream,
    tls: Option<&Arc<ServerConfig>>,
    mut hear: impl FnMut(&str) -> Reaction,
    mut keep: impl FnMut(String),
) -> io::Result<()> {
    let same_stream = stream.try_clone()?;
    let mut line = Line::over(stream);
    let mut event = "CONNECT".to_owned();
    loop {
        let reply = match hear(&event) {
            Reaction::Usual => usual(&event),
            Reaction::Say(reply) => reply,
            Reaction::SayInLatin1(reply) => {
                line.say_bytes(reply.chars().filter_map(|char| u8::try_from(char).ok()).collect())?;
                event = line.next()?;
                continue;
            }
            Reaction::SayAndHangUp(reply) => return line.say(reply),
            Reaction::HangUp => return Ok(()),
            Reaction::Silence => loop {
                line.next()?;
            },
        };
        line.say(reply)?;
        if let (Some(tls), "STARTTLS", true) = (tls, event.as_str(), reply.starts_with("220")) {
            let session = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
            line = Line::over(StreamOwned::new(session, same_stream.try_clone()?));
        }
        event = line.next()?;
        if reply.starts_with("354") {
            let mut message = String::new();
            while event != "." {
                message += &event;
                message += "\n";
                event = line.next()?;
            }
            keep(message);
        }
    }
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// The relay's end of the line, plain or encrypted.
struct Line(BufReader<Box<dyn Stream>>);

impl Line {
    fn over(stream: impl Stream + 'static) -> Line {
        Line(BufReader::new(Box::new(stream)))
    }

    fn next(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        self.say_bytes(reply.as_bytes().to_vec())
    }

    fn say_bytes(&mut self, mut reply: Vec<u8>) -> io::Result<()> {
        reply.extend(b"\r\n");
        self.0.get_mut().write_all(&reply)
    }
}

fn usual(event: &str) -> &'static str {
    match event {
        "CONNECT" => "220 relay ESMTP",
        "DATA" => "354 go on",
        "QUIT" => "221 bye",
        _ => "250 ok",
    }
}
