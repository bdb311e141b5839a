//! Servers with ten thousand feeds between them, each on an address of loopback of its own.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use anyhow::Result;

const ENTRIES: usize = 10;
const HOSTS: u8 = 200;

/// Its threads end with the program.
pub(crate) struct Site {
    hosts: Vec<SocketAddr>,
    asked: Arc<AtomicU32>,
}

impl Site {
    pub(crate) fn start() -> Result<Site> {
        let mut site = Site { hosts: Vec::new(), asked: Arc::default() };
        for host in 1..=HOSTS {
            let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 1, host), 0))?;
            site.hosts.push(listener.local_addr()?);
            let asked = Arc::clone(&site.asked);
            thread::spawn(move || {
                for stream in listener.incoming().filter_map(Result::ok) {
                    let asked = Arc::clone(&asked);
                    // The client hanging up is how a conversation ends.
                    thread::spawn(move || drop(answer(&stream, &asked)));
                }
            });
        }
        Ok(site)
    }

    pub(crate) fn url(&self, number: usize) -> String {
        format!("http://{}/{number}", self.hosts[number % self.hosts.len()])
    }

    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn answer(stream: &TcpStream, asked: &AtomicU32) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(first) = lines.next().transpose()? {
        for line in lines.by_ref() {
            if line?.is_empty() {
                break;
            }
        }
        let number = first.split(' ').nth(1).and_then(|path| path[1..].parse().ok()).unwrap_or_default();
        let feed = feed(number);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/rss+xml\r\ncontent-length: {}\r\n\r\n",
            feed.len()
        );
        { stream }.write_all(head.as_bytes())?;
        { stream }.write_all(feed.as_bytes())?;
        asked.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// A feed of ordinary size: ten entries, each with a paragraph or two of HTML.
pub(crate) fn feed(number: usize) -> String {
    let mut feed =
        format!("<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Blog {number}</title>");
    for entry in 0..ENTRIES {
        let text = "<p>A paragraph of <b>ordinary</b> text with a <a href=\"https://example.org/\">link</a> in it.</p>".repeat(8);
        write!(
            feed,
            "<item><guid>{number}-{entry}</guid><title>Entry {entry}</title><link>https://blog.example/{number}/{entry}</link>\
             <pubDate>Thu, 26 Nov 2026 12:00:00 GMT</pubDate><description><![CDATA[{text}]]></description></item>"
        )
        .expect("memory");
    }
    feed + "</channel></rss>"
}
