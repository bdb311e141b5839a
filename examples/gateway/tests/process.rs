//! The program itself: its words, its exit codes, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::Result;

fn gateway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The text of a configuration in a file, for as long as the file is held.
fn file(text: &str) -> Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

fn config(upstream: SocketAddr, listen: &str) -> String {
    format!(
        "listen = \"{listen}\"\nadmin = \"127.0.0.1:0\"\ndeadline_ms = 5000\n[[part]]\nname = \"profile\"\nneed = \"required\"\nurl = \"http://{upstream}/{{id}}\"\n"
    )
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A program that is killed, if it still runs, when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line of `source` that has `word` in it.
fn line_with(source: impl Read, word: &str) -> Result<(String, BufReader<impl Read>)> {
    let mut reader = BufReader::new(source);
    let mut line = String::new();
    while !line.contains(word) {
        line.clear();
        assert_ne!(reader.read_line(&mut line)?, 0, "it never said {word}");
    }
    Ok((line, reader))
}

fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn help_teaches_by_an_example() {
    let output = gateway(&["--help"]).output().unwrap();
    let text = said(&output);
    assert!(output.status.success());
    for word in ["serve", "check", "demo", "[[part]]", "curl -i"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

#[test]
fn check_says_what_is_right_and_what_is_not() {
    let right = file(&config(([127, 0, 0, 1], 1).into(), "127.0.0.1:8080")).unwrap();
    let output = gateway(&["check", "--config", right.path().to_str().unwrap()]).output().unwrap();
    assert!(
        output.status.success() && said(&output).contains("right: http://127.0.0.1:8080/page/ID"),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains(" GET http://127.0.0.1:1/"), "{}", said(&output));

    let wrong = file("dead_line_ms = 3").unwrap();
    let output = gateway(&["check", "--config", wrong.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("unknown field `dead_line_ms`"), "{}", said(&output));

    let output = gateway(&["check", "--config", "no/such/file"]).output().unwrap();
    assert!(
        output.status.code() == Some(1) && said(&output).contains("cannot read no/such/file"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_port_that_is_taken_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = file(&config(address, &address.to_string())).unwrap();
    let output = gateway(&["serve", "--config", config.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("cannot listen on {address}");
    assert!(
        said(&output).contains(&expected) && said(&output).contains("Change `listen`"),
        "{}",
        said(&output)
    );

    let output = gateway(&["demo", "--listen", &address.to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&expected) && said(&output).contains("--listen"), "{}", said(&output));
}

#[test]
fn a_request_in_flight_is_answered_after_sigterm_and_nothing_is_lost() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = file(&config(upstream.local_addr().unwrap(), "127.0.0.1:0")).unwrap();
    let mut program =
        Running(gateway(&["serve", "--config", config.path().to_str().unwrap()]).spawn().unwrap());
    let (line, log) = line_with(program.0.stderr.take().unwrap(), "serving /metrics").unwrap();
    assert!(line.contains("address=127.0.0.1:"), "{line}");
    let (line, mut log) = line_with(log, "serving pages").unwrap();
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();

    let (answered, answer) = mpsc::channel();
    let client = std::thread::spawn(move || answered.send(get(&address, "/page/42").unwrap()));
    // The upstream has the request, so the page is under way when the signal comes.
    let (mut asked, _) = upstream.accept().unwrap();
    let _ = asked.read(&mut [0; 1_024]).unwrap();
    assert!(Command::new("kill").arg(program.0.id().to_string()).status().unwrap().success());
    let (_, mut rest) = (answer.recv_timeout(Duration::from_millis(200)).unwrap_err(), String::new());
    asked.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42").unwrap();

    let answer = answer.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"profile\":42"), "{answer}");
    assert!(client.join().unwrap().is_ok());
    assert_eq!(program.0.wait().unwrap().code(), Some(0));
    log.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("nothing was lost"), "{rest}");
}

#[test]
fn a_page_that_is_under_way_at_a_second_signal_gets_no_answer() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = file(&config(upstream.local_addr().unwrap(), "127.0.0.1:0")).unwrap();
    let mut program =
        Running(gateway(&["serve", "--config", config.path().to_str().unwrap()]).spawn().unwrap());
    let (line, log) = line_with(program.0.stderr.take().unwrap(), "serving pages").unwrap();
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let client = std::thread::spawn(move || get(&address, "/page/42").unwrap_or_default());
    let (_asked, _) = upstream.accept().unwrap();
    // One signal while another is still to be taken counts as one.
    while program.0.try_wait().unwrap().is_none() {
        assert!(Command::new("kill").arg(program.0.id().to_string()).status().unwrap().success());
        std::thread::yield_now();
    }
    assert_eq!(client.join().unwrap(), "");
    drop(log);
}

#[test]
fn the_demo_shows_a_degraded_page_and_the_operators_view_stands_apart() {
    let mut program = Running(gateway(&["demo", "--listen", "127.0.0.1:0"]).spawn().unwrap());
    let (line, out) = line_with(program.0.stdout.take().unwrap(), "curl -i").unwrap();
    let page = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let (line, out) = line_with(out, "-d hang").unwrap();
    let inventory = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let (line, _out) = line_with(out, "Metrics").unwrap();
    let admin = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();

    assert!(get(&page, "/page/42").unwrap().contains("x-gateway-completed: true"));
    put(&inventory, "/mode", "hang").unwrap();
    let degraded = get(&page, "/page/42").unwrap();
    assert!(degraded.contains("x-gateway-completed: false") && degraded.contains("\"stale\""), "{degraded}");

    let metrics = get(&admin, "/metrics").unwrap();
    assert!(metrics.contains("gateway_pages_total{result=\"degraded\"} 1"), "{metrics}");
    assert!(metrics.contains("gateway_breaker_state{state=\"closed\""), "{metrics}");
    assert!(get(&admin, "/tree").unwrap().contains("gateway/pages"));
    assert!(get(&page, "/healthz").unwrap().starts_with("HTTP/1.1 200"));
    for path in ["/metrics", "/tree"] {
        assert!(get(&page, path).unwrap().starts_with("HTTP/1.1 404"), "{path} is no client's business");
    }
}

fn put(address: &str, path: &str, body: &str) -> Result {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(
        stream,
        "PUT {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}
