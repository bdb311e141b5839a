//! A receiver on loopback that keeps every body it is posted, while it is open.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::Value;

/// The running receiver. Its threads end with the test program.
#[derive(Clone)]
pub(crate) struct Gate {
    address: SocketAddr,
    is_open: Arc<AtomicBool>,
    posted: Arc<Mutex<Vec<Value>>>,
}

impl Gate {
    pub(crate) fn open() -> Gate {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let gate = Gate { address, is_open: Arc::new(AtomicBool::new(true)), posted: Arc::default() };
        let here = gate.clone();
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let here = here.clone();
                thread::spawn(move || here.converse(&stream));
            }
        });
        gate
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Closed, it answers 503.
    pub(crate) fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::SeqCst);
    }

    /// The titles of the items that it took, in the order in which it took them.
    pub(crate) fn titles(&self) -> Vec<String> {
        let posted = self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        posted.iter().map(|body| body["data"]["title"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// One request after the other, until the client hangs up.
    fn converse(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(body) = request(&mut reader) {
            let is_open = self.is_open.load(Ordering::SeqCst);
            if is_open {
                let body = serde_json::from_slice(&body).expect("JSON");
                self.posted.lock().unwrap_or_else(PoisonError::into_inner).push(body);
            }
            let status = if is_open { "200 OK" } else { "503 Closed" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            if { stream }.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// The body of the next request.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
