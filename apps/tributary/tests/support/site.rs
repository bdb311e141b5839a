//! A web server on loopback that does as it is told, and knows every way of answering badly.
//!
//! It is made of threads and of the few lines of HTTP that a test has in its hand, because no library would send what
//! these tests need. A thread ends when its client hangs up; the listener ends with the test program.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};

/// What a client asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// With its query.
    pub(crate) path: String,
    /// By their names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// How often this path was asked for before.
    pub(crate) before: usize,
}

/// What the server does about it.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// Nothing, until the client hangs up.
    Hang,
    /// These bytes at once, then the others one by one, each after the time.
    Drip(Vec<u8>, Vec<u8>, Duration),
}

impl Reply {
    /// A whole answer.
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
        let body = body.as_ref();
        let mut answer = head(status, headers);
        answer.extend(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        answer.extend(body);
        Reply::Raw(answer)
    }

    /// A feed as it should be.
    pub(crate) fn feed(body: impl AsRef<[u8]>) -> Reply {
        Reply::new(200, &[("content-type", "application/rss+xml; charset=utf-8")], body)
    }

    /// JSON as it should be.
    pub(crate) fn json(body: &serde_json::Value) -> Reply {
        Reply::new(200, &[("content-type", "application/json")], body.to_string())
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Reply {
        Reply::new(status, &[("location", to)], "")
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head.into_bytes()
}

/// A small feed with so many entries, numbered from 1, the newest first.
pub(crate) fn rss(entries: usize) -> String {
    let item = |number: usize| {
        format!(
            "<item><guid>{number}</guid><title>Entry {number}</title><link>https://blog.example/{number}</link>\
             <pubDate>Thu, 26 Nov 2026 {:02}:{:02}:00 GMT</pubDate></item>",
            number / 60 % 24,
            number % 60
        )
    };
    let items: String = (1..=entries).rev().map(item).collect();
    format!("<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Blog</title>{items}</channel></rss>")
}

/// A gzip stream of so many zeros.
pub(crate) fn bomb(bytes: u64) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    io::copy(&mut io::repeat(0).take(bytes), &mut encoder).expect("it is written to memory");
    encoder.finish().expect("it is written to memory")
}

/// The running server.
#[derive(Clone)]
pub(crate) struct Site {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    is_up: Arc<AtomicBool>,
}

impl Site {
    /// Starts one on 127.0.0.1 that answers as told.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Site {
        Site::start_at(Ipv4Addr::LOCALHOST, answer)
    }

    /// Starts one on another address of loopback, which is another host to whoever asks.
    pub(crate) fn start_at(at: Ipv4Addr, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Site {
        let listener = TcpListener::bind((at, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let site = Site { address, log: Arc::default(), is_up: Arc::new(AtomicBool::new(true)) };
        let (answer, seen) = (Arc::new(answer), site.clone());
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (answer, site) = (Arc::clone(&answer), seen.clone());
                // The client hanging up is how most conversations end.
                thread::spawn(move || drop(site.converse(&stream, &*answer)));
            }
        });
        site
    }

    /// Starts one that answers badly, in the way that the path names; any other path has a sound feed of three entries.
    pub(crate) fn bad() -> Site {
        // Now, so that no client waits for it.
        LazyLock::force(&BOMB);
        Site::start(badly)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.address).parse().expect("an address")
    }

    /// From now on it hangs up on everybody, or no longer.
    pub(crate) fn set_up(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::SeqCst);
    }

    /// Everything it was asked so far.
    pub(crate) fn log(&self) -> Vec<Asked> {
        lock(&self.log).clone()
    }

    fn converse(&self, stream: &TcpStream, answer: &dyn Fn(&Asked) -> Reply) -> io::Result<()> {
        let Some(asked) = self.hear(stream)? else { return Ok(()) };
        match answer(&asked) {
            Reply::Raw(bytes) => { stream }.write_all(&bytes)?,
            Reply::Hang => drop(io::copy(&mut { stream }, &mut io::sink())),
            Reply::Drip(at_once, one_by_one, pause) => {
                { stream }.write_all(&at_once)?;
                for byte in one_by_one {
                    { stream }.write_all(&[byte])?;
                    if wait(stream, pause)? {
                        break;
                    }
                }
            }
        }
        stream.shutdown(Shutdown::Write)?;
        // Until the client has read it all: closing earlier could take back what is on its way.
        io::copy(&mut { stream }, &mut io::sink()).map(drop)
    }

    /// Reads a request; none from who hangs up before, or while it is down.
    fn hear(&self, stream: &TcpStream) -> io::Result<Option<Asked>> {
        let mut lines = BufReader::new(stream).lines();
        let Some(first) = lines.next().transpose()? else { return Ok(None) };
        let mut headers = HashMap::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        if !self.is_up.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut log = lock(&self.log);
        let before = log.iter().filter(|asked| asked.path == path).count();
        log.push(Asked { path, headers, before });
        Ok(log.last().cloned())
    }
}

/// Waits for a time, or until the client hangs up, which it says.
fn wait(stream: &TcpStream, time: Duration) -> io::Result<bool> {
    stream.set_read_timeout(Some(time))?;
    match { stream }.read(&mut [0]) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// More than is taken, packed to a thousandth.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| bomb(20 << 20));

/// The ways of answering badly, by path.
fn badly(asked: &Asked) -> Reply {
    let feed = rss(3);
    let path = asked.path.split('?').next().unwrap_or_default();
    match path {
        "/429" => Reply::new(429, &[("retry-after", "120")], ""),
        "/429/silent" => Reply::new(429, &[], ""),
        "/429/date" => Reply::new(
            429,
            &[("date", "Thu, 26 Nov 2026 21:00:00 GMT"), ("retry-after", "Thu, 26 Nov 2026 21:02:00 GMT")],
            "",
        ),
        "/429/mastodon" => Reply::new(
            429,
            &[
                ("date", "Thu, 26 Nov 2026 21:00:00 GMT"),
                ("x-ratelimit-limit", "300"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "2026-11-26T21:05:00.000Z"),
            ],
            "",
        ),
        "/429/x" => Reply::new(
            429,
            &[
                ("date", "Thu, 26 Nov 2026 21:00:00 GMT"),
                ("x-rate-limit-remaining", "0"),
                ("x-rate-limit-reset", "1795727700"),
            ],
            "",
        ),
        "/429/reddit" => {
            Reply::new(429, &[("x-ratelimit-remaining", "0.0"), ("x-ratelimit-reset", "417")], "")
        }
        "/401" => Reply::new(401, &[], ""),
        "/403" => Reply::new(403, &[], "Forbidden"),
        "/404" => Reply::new(404, &[], ""),
        "/410" => Reply::new(410, &[], ""),
        "/500" => Reply::new(500, &[], ""),
        "/503" => Reply::new(503, &[("retry-after", "90")], ""),
        "/304" => Reply::new(304, &[], ""),
        "/hang" => Reply::Hang,
        "/drip" => {
            let head = [head(200, &[]), b"content-length: 100000\r\n\r\n".into()].concat();
            Reply::Drip(head, vec![b' '; 100_000], Duration::from_secs(1))
        }
        "/drip/head" => Reply::Drip(Vec::new(), b"HTTP/1.1 200 OK\r\n".repeat(1_000), Duration::from_secs(1)),
        "/bomb" => Reply::new(200, &[("content-encoding", "gzip")], &*BOMB),
        "/packed/badly" => {
            Reply::new(200, &[("content-encoding", "gzip")], [&[0x1f, 0x8b, 8, 0][..], &[0xff; 64]].concat())
        }
        "/packed/strangely" => Reply::new(200, &[("content-encoding", "compress")], &feed),
        "/invalid" => Reply::feed(
            [feed.replace("Entry 2", "Entry \u{0}2").as_bytes(), &[0xff, 0xfe, 0xc3, 0x28]].concat(),
        ),
        "/charset" => Reply::new(
            200,
            &[("content-type", "text/xml; charset=iso-8859-1")],
            feed.replace("Entry", "Größe"),
        ),
        "/html" => Reply::new(
            200,
            &[("content-type", "text/html")],
            "<!doctype html><title>Blog</title><link rel=alternate type=application/rss+xml href=/sound>",
        ),
        "/empty" => Reply::feed(""),
        "/truncated" => {
            Reply::Raw([head(200, &[]), format!("content-length: 100000\r\n\r\n{feed}").into()].concat())
        }
        "/broken" => Reply::feed(&feed[..feed.len() / 2]),
        "/garbage" => Reply::Raw((0..=255).cycle().take(10_000).collect()),
        "/head/large" => Reply::new(200, &[("x-large", &"x".repeat(1 << 20))], &feed),
        "/loop" => Reply::redirect(302, "/loop"),
        "/loop/two" => Reply::redirect(301, "/loop/three"),
        "/loop/three" => Reply::redirect(301, "/loop/two"),
        "/for/ever" => {
            let steps: u32 =
                asked.path.split_once('?').map_or(0, |(_, steps)| steps.parse().expect("a number"));
            Reply::redirect(302, &format!("/for/ever?{}", steps + 1))
        }
        "/to/nowhere" => Reply::new(302, &[], ""),
        "/to/file" => Reply::redirect(302, "file:///etc/passwd"),
        "/to/loopback" => Reply::redirect(302, "http://127.0.0.2:1/"),
        "/to/loopback/six" => Reply::redirect(302, "http://[::1]:1/"),
        "/to/metadata" => Reply::redirect(302, "http://169.254.169.254/latest/meta-data/"),
        "/to/sound" => Reply::redirect(301, "/sound"),
        "/flapping" if asked.before.is_multiple_of(2) => Reply::Raw(Vec::new()),
        _ => Reply::feed(feed),
    }
}
