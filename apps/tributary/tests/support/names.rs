//! A name server on loopback that answers what the test tells it to.
//!
//! Its messages are those few bytes of RFC 1035 that an answer with addresses needs. Every answer is good for no time at
//! all, so that each lookup is heard here.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

const TYPE_A: u16 = 1;
const HEADER_BYTES: usize = 12;

/// What is said about a name.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    Addresses(Vec<Ipv4Addr>),
    /// The server fails (SERVFAIL).
    Failure,
    /// There is no such name (NXDOMAIN).
    Unknown,
}

/// The running server.
pub(crate) struct Names {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Names {
    /// Starts one. It is asked with a name, without its last dot, and how often IPv4 addresses were asked for before.
    pub(crate) fn start(answer: impl Fn(&str, usize) -> Record + Send + 'static) -> Names {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let names = Names { address: socket.local_addr().expect("its address"), asked: Arc::default() };
        let asked = Arc::clone(&names.asked);
        thread::spawn(move || {
            let mut query = [0; 1_500];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                let Some((name, kind, end)) = question(&query[..length]) else { continue };
                let record = match kind {
                    TYPE_A => answer(&name, asked.fetch_add(1, Ordering::SeqCst)),
                    _ => Record::Addresses(Vec::new()),
                };
                let _ = socket.send_to(&message(&query[..end], &record), client);
            }
        });
        names
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often IPv4 addresses were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// The name, the type, and where the question ends.
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let (mut labels, mut at) = (Vec::new(), HEADER_BYTES);
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    Some((labels.join("."), kind, at + 4))
}

fn message(question: &[u8], record: &Record) -> Vec<u8> {
    let (code, addresses) = match record {
        Record::Addresses(addresses) => (0, addresses.as_slice()),
        Record::Failure => (2, &[][..]),
        Record::Unknown => (3, &[][..]),
    };
    let mut message = question.to_vec();
    // An answer, recursion available; one question, so many answers, nothing else.
    message[2] = 0x81;
    message[3] = 0x80 | code;
    message[4..HEADER_BYTES].copy_from_slice(&[
        0,
        1,
        0,
        u8::try_from(addresses.len()).expect("few"),
        0,
        0,
        0,
        0,
    ]);
    for address in addresses {
        // The question's name, type A, class IN, for 0 seconds, 4 bytes.
        message.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        message.extend(address.octets());
    }
    message
}
