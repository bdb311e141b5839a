//! The command line: what `herald` says, and with what it exits.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use crate::support::{API_KEY, Server, eventually, free_address, http_client, scratch, smtp_table};

#[tokio::test]
async fn send_waits_and_status_tells_the_same_story() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;

    let sent =
        ask(&server, &["send", "--to", "ada@example.org", "--subject", "Hello", "--text", "Hi.", "--wait"]);
    assert!(sent.status.success(), "{}", stderr(&sent));
    let report = stdout(&sent);
    assert!(report.contains("email to ada@example.org through outbox: accepted"), "{report}");

    let id = report.split_whitespace().next().unwrap();
    let status = ask(&server, &["status", id]);
    assert!(status.status.success(), "{}", stderr(&status));
    assert_eq!(stdout(&status), report);
}

#[tokio::test]
async fn send_without_wait_prints_the_id_alone_and_the_same_id_for_the_same_key() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let words = [
        "send",
        "--to",
        "ada@example.org",
        "--subject",
        "Hello",
        "--html",
        "<p>Hi",
        "--idempotency-key",
        "17",
    ];
    let first = ask(&server, &words);
    assert!(first.status.success(), "{}", stderr(&first));
    assert_eq!(stdout(&first), stdout(&ask(&server, &words)));
    assert_eq!(stdout(&first).lines().count(), 1);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one_with_a_message() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let words = ["send", "--to", "ada@example.org", "--subject", "Hello", "--text", "Hi.", "--wait"];
    let told = |to: Stdio| {
        let mut command = herald();
        command.args(words).args(["--server", &server.url("")]).env("HERALD_API_KEY", API_KEY);
        command.stdout(to).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
    };
    let full = told(fs::File::options().write(true).open("/dev/full").unwrap().into());
    assert_eq!(full.status.code(), Some(1));
    assert!(stderr(&full).contains("cannot write to standard output: No space left"), "{}", stderr(&full));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let gone = told(writer.into());
    assert!(gone.status.success(), "{}", stderr(&gone));
}

#[tokio::test]
async fn what_nobody_reads_on_standard_error_is_no_failure() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let words = ["send", "--to", "ada@example.org", "--subject", "Hello", "--text", "Hi."];
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = herald();
    command.args(words).args(["--server", &server.url("")]).env("HERALD_API_KEY", API_KEY);
    let sent = command.env("HERALD_LOG", "bad=[").stderr(writer).output().unwrap();
    assert_eq!(sent.status.code(), Some(0));
    assert_eq!(stdout(&sent).lines().count(), 1);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let refused = herald().args(["status", "x"]).stderr(writer).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
}

#[tokio::test]
async fn a_wait_outlives_a_restart_of_the_server() {
    let directory = scratch();
    let mut server = Server::with_outbox(directory.path()).await;
    let soon = jiff::Timestamp::now() + Duration::from_secs(3);
    let mut waiting = herald();
    waiting.args(["send", "--to", "ada@example.org", "--subject", "Hello", "--text", "Hi.", "--wait", "60"]);
    waiting
        .args(["--send-at", &soon.to_string(), "--server", &server.url("")])
        .env("HERALD_API_KEY", API_KEY);
    let said = directory.path().join("said");
    waiting.stdout(fs::File::create(&said).unwrap()).stderr(Stdio::piped());
    let mut waiting = waiting.spawn().unwrap();
    let id = eventually("the id is said", Duration::from_secs(20), async || {
        read(&said).split_whitespace().next().map(str::to_owned)
    })
    .await;
    assert!(waiting.try_wait().unwrap().is_none(), "the id comes before the end of the wait");

    server.crash().await;
    let ended = waiting.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", stderr(&ended));
    let report = read(&said);
    assert!(report.starts_with(&format!("{id}  Hello\nemail to ada@example.org")), "{report}");
    assert!(report.contains("through outbox: accepted"), "{report}");
}

#[tokio::test]
async fn a_wait_for_a_server_that_does_not_come_back_is_not_yet() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let mut waiting = herald();
    waiting.args(["send", "--to", "ada@example.org", "--subject", "Hello", "--text", "Hi.", "--wait", "3"]);
    waiting.args(["--send-at", "2101-01-31T12:00:00Z", "--server", &server.url("")]);
    let said = directory.path().join("said");
    waiting.env("HERALD_API_KEY", API_KEY).stdout(fs::File::create(&said).unwrap()).stderr(Stdio::piped());
    let waiting = waiting.spawn().unwrap();
    let id = eventually("the id is said", Duration::from_secs(20), async || {
        read(&said).split_whitespace().next().map(str::to_owned)
    })
    .await;

    drop(server);
    let ended = waiting.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", stderr(&ended));
    assert!(stderr(&ended).contains(&format!("herald status {id}")), "{}", stderr(&ended));
}

#[test]
fn a_wait_has_a_bound() {
    for words in [&["send", "--wait", "86401"], &["send", "--wait", "18446744073709551615"]] {
        let output = herald().args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("86400"), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn what_a_subject_says_to_a_terminal_is_shown_and_not_obeyed() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let words = [
        "send",
        "--to",
        "ada@example.org",
        "--subject",
        "\x1b]0;owned\x07\u{202e}",
        "--text",
        "Hi.",
        "--wait",
    ];
    let sent = ask(&server, &words);
    assert!(sent.status.success(), "{}", stderr(&sent));
    let report = stdout(&sent);
    assert!(report.contains("  \\u{1b}]0;owned\\u{7}\\u{202e}\n"), "{report:?}");
    let status = ask(&server, &["status", report.split_whitespace().next().unwrap()]);
    assert_eq!(stdout(&status), report);
}

#[tokio::test]
async fn what_waits_for_its_time_says_until_when() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let words = ["send", "--to", "ada@example.org", "--subject", "Later", "--text", "Hi."];
    let sent = ask(&server, &[&words[..], &["--send-at", "2101-01-31T12:00:00Z", "--wait", "0"]].concat());
    assert_eq!(sent.status.code(), Some(3), "{}", stderr(&sent));
    let report = stdout(&sent);
    assert!(report.contains("outbox: planned, goes on at 2101-01-31T12:00:00.000Z\n"), "{report}");
}

#[tokio::test]
async fn a_refusal_is_explained_and_fails() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let wrong = ask(&server, &["send", "--to", "nobody", "--subject", "Hello", "--text", "Hi."]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("/to/email"), "{}", stderr(&wrong));

    let unknown = ask(&server, &["status", "01890a5d-ac96-774b-bcce-b302099a8057"]);
    assert_eq!(unknown.status.code(), Some(1));

    let nobody = format!("http://{}", free_address());
    let output =
        herald().args(["status", "x", "--server", &nobody]).env("HERALD_API_KEY", API_KEY).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("herald serve"), "{}", stderr(&output));
}

#[test]
fn without_a_key_the_variable_is_named_that_holds_it() {
    let output = herald().args(["status", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("HERALD_API_KEY"), "{}", stderr(&output));
}

#[test]
fn a_wrong_filter_for_the_log_is_told_by_the_name_of_its_variable() {
    let output = herald().args(["status", "x"]).env("HERALD_LOG", "bad=[").output().unwrap();
    let said = stderr(&output);
    assert!(said.starts_with("herald: HERALD_LOG is ignored: ") && said.contains("no API key"), "{said}");
}

#[test]
fn an_empty_key_is_none() {
    let output = herald().args(["status", "x"]).env("HERALD_API_KEY", "").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no API key: set HERALD_API_KEY"), "{}", stderr(&output));
}

#[test]
fn a_mail_without_a_message_is_refused_with_both_ways_to_give_one() {
    let output = herald()
        .args(["send", "--to", "ada@example.org", "--subject", "Hello"])
        .env("HERALD_API_KEY", API_KEY)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("<--text <TEXT>|--html <HTML>>\n"), "{said}");
    assert!(!said.contains("--key"), "{said}");
}

#[test]
fn a_server_is_a_whole_address() {
    for wrong in ["127.0.0.1:8080", "localhost:8080", "ftp://127.0.0.1", ""] {
        let output = herald().args(["status", "x", "--server", wrong]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(stderr(&output).contains("such as http://127.0.0.1:8080"), "{}", stderr(&output));
    }
}

#[test]
fn an_address_and_a_time_are_refused_with_an_example() {
    for (words, example) in [
        (&["serve", "--listen", "localhost:8080"][..], "127.0.0.1:8080"),
        (&["send", "--send-at", "tomorrow"], "2027-01-31T09:00:00Z"),
    ] {
        let output = herald().args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(example), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn https_without_a_proxy_is_explained() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let https = format!("https://{}", server.address());
    let output =
        herald().args(["status", "x", "--server", &https]).env("HERALD_API_KEY", API_KEY).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("plain HTTP"), "{}", stderr(&output));
}

#[test]
fn a_taken_port_is_an_error_that_names_the_flag() {
    let directory = scratch();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = serve(directory.path()).args(["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("herald: ")).count(), 1, "{said}");
}

#[tokio::test]
async fn a_data_directory_in_use_is_an_error_that_names_the_setting() {
    let directory = scratch();
    let _server = Server::with_outbox(directory.path()).await;
    let listen = free_address().to_string();
    for words in [&["serve", "--listen", &listen][..], &["key", "add", "second"]] {
        let output = herald().args(words).arg("--data").arg(directory.path().join("data")).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(stderr(&output).contains("choose another directory for `data`"), "{}", stderr(&output));
    }
}

#[test]
fn a_key_for_no_data_is_refused_and_makes_none() {
    let directory = scratch();
    let data = directory.path().join("data");
    let output = herald().args(["key", "add", "second", "--data"]).arg(&data).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("--data") && said.contains("herald serve"), "{said}");
    assert!(!data.exists(), "nothing was made");
}

#[tokio::test]
async fn a_key_that_nobody_reads_is_a_failure_that_asks_for_another_name() {
    let directory = scratch();
    start_and_stop(directory.path()).await;
    let add = |name: &str, to: Stdio| {
        let mut command = herald();
        command.args(["key", "add", name, "--data"]).arg(directory.path().join("data"));
        command.stdout(to).output().unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let lost = add("second", writer.into());
    assert_eq!(lost.status.code(), Some(1));
    let said = stderr(&lost);
    assert!(said.contains("It is lost") && said.contains("another name than \"second\""), "{said}");
    assert!(add("third", Stdio::piped()).status.success());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_first_key_that_nobody_reads_is_a_failure_that_names_the_remedy() {
    let directory = scratch();
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    let listen = free_address();
    let lost =
        serve(directory.path()).args(["--listen", &listen.to_string()]).stdout(full()).output().unwrap();
    assert_eq!(lost.status.code(), Some(1));
    let said = stderr(&lost);
    assert!(said.contains("It is lost") && said.contains("herald key add NAME"), "{said}");

    let added = herald()
        .args(["key", "add", "second", "--data"])
        .arg(directory.path().join("data"))
        .output()
        .unwrap();
    assert!(added.status.success(), "{}", stderr(&added));
    // Without a key in it, the greeting is no reason not to serve.
    let mut process = serve(directory.path())
        .args(["--listen", &listen.to_string()])
        .stdout(full())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("herald is ready", Duration::from_secs(30), async || {
        assert!(process.try_wait().unwrap().is_none(), "herald ended");
        http_client().get(format!("http://{listen}/readyz")).send().await.ok()
    })
    .await;
    terminate(&mut process).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_data_directory_that_others_may_use_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;

    for (mode, warned) in [(0o777, true), (0o750, true), (0o700, false)] {
        let directory = scratch();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(mode)).unwrap();
        let (_said, logged) = start_and_stop(directory.path()).await;
        let told = logged.contains("others may read or write the data directory");
        assert_eq!(told, warned, "{mode:o}: {logged}");
    }
}

#[test]
fn a_file_in_place_of_the_data_is_refused() {
    let directory = scratch();
    fs::write(directory.path().join("data"), "").unwrap();
    let listen = free_address().to_string();
    let output = serve(directory.path()).args(["--listen", &listen]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("data is not a directory; choose another for `data`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_short_key_is_refused_with_the_remedy() {
    let directory = scratch();
    let output = serve(directory.path()).env("HERALD_API_KEY", "secret").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("32") && said.contains("openssl rand"), "{said}");
    assert!(!directory.path().join("data").exists(), "nothing was made");
}

#[test]
fn a_misspelt_setting_is_refused_with_its_line() {
    let directory = scratch();
    let path = directory.path().join("herald.toml");
    fs::write(&path, "listen = \"127.0.0.1:0\"\n\n[smtp]\nhosst = \"relay\"\n").unwrap();
    let output = serve(directory.path()).arg("--config").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("line 4") && said.contains("hosst") && said.contains("`host`"), "{said}");
}

#[test]
fn settings_that_contradict_each_other_are_refused_before_anything_is_made() {
    let directory = scratch();
    let path = directory.path().join("herald.toml");
    let smtp = "host = \"relay\"\nfrom = \"a@example.org\"\n";
    for (wrong, named) in [("username = \"a\"", "smtp.password"), ("ca_file = \"no.pem\"", "no.pem")] {
        fs::write(&path, format!("listen = \"127.0.0.1:0\"\n[smtp]\n{smtp}{wrong}\n")).unwrap();
        let output = serve(directory.path()).arg("--config").arg(&path).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(named), "{}", stderr(&output));
        assert_eq!(stdout(&output), "", "no key is shown that a start did not survive");
        assert!(!directory.path().join("data").exists(), "nothing was made");
    }
}

#[tokio::test]
async fn the_first_start_prints_a_key_once_and_it_works() {
    let directory = scratch();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failed = serve(directory.path()).args(["--listen", &address]).output().unwrap();
    assert_eq!(stdout(&failed), "", "a start that failed has shown no key, so it has made none");
    assert!(!directory.path().join("data").exists(), "nothing was made");

    let (said, logged) = start_and_stop(directory.path()).await;
    let key =
        said.lines().find_map(|line| line.trim().strip_prefix("export HERALD_API_KEY=")).expect("a key");
    assert!(key.len() >= 32);
    assert!(said.contains("curl ") && said.contains(&format!("/#key={key}")), "{said}");
    assert!(!logged.contains(key), "the key is in the log");

    let (said, logged) = start_and_stop(directory.path()).await;
    assert!(said.contains("herald key add"), "{said}");
    assert!(!said.contains(key) && !logged.contains(key));

    let added = herald()
        .args(["key", "add", "second", "--data"])
        .arg(directory.path().join("data"))
        .output()
        .unwrap();
    assert!(added.status.success(), "{}", stderr(&added));
    let again = herald()
        .args(["key", "add", "second", "--data"])
        .arg(directory.path().join("data"))
        .output()
        .unwrap();
    assert!(stderr(&again).contains("a key called \"second\" already"), "{}", stderr(&again));
    let second = stdout(&added).trim().to_owned();
    let server = Server::with_outbox(directory.path()).await;
    for key in [key, &second] {
        let request = http_client().get(server.url("/v1/counts")).bearer_auth(key);
        assert_eq!(request.send().await.unwrap().status(), 200, "{key}");
    }
}

#[tokio::test]
async fn a_dead_relay_is_told_once_and_by_its_address() {
    let directory = scratch();
    let relay = free_address();
    let config = directory.path().join("herald.toml");
    fs::write(&config, smtp_table(relay)).unwrap();
    let address = free_address();
    let mut command = serve(directory.path());
    command.arg("--config").arg(&config).env("HERALD_API_KEY", API_KEY);
    let mut process = start(directory.path(), &mut command, address).await;

    for _ in 0..3 {
        let sent = herald()
            .args(["send", "--to", "ada@example.org", "--subject", "Hello", "--text", "Hi."])
            .args(["--server", &format!("http://{address}")])
            .env("HERALD_API_KEY", API_KEY)
            .output()
            .unwrap();
        assert!(sent.status.success(), "{}", stderr(&sent));
    }
    eventually("every mail has failed", Duration::from_secs(30), async || {
        let request = http_client().get(format!("http://{address}/v1/counts")).bearer_auth(API_KEY);
        let counts: serde_json::Value = request.send().await.ok()?.json().await.ok()?;
        (counts["by_state"]["retry"] == 3).then_some(())
    })
    .await;
    terminate(&mut process).await;
    let logged = read(&directory.path().join("logged"));
    let told: Vec<&str> = logged.lines().filter(|line| line.contains("cannot be reached")).collect();
    assert_eq!(told.len(), 1, "{logged}");
    assert!(told[0].contains("WARN") && told[0].contains(&relay.to_string()), "{logged}");
}

/// Runs `herald` with no key given until it has said how to reach it; its output and its log.
async fn start_and_stop(directory: &Path) -> (String, String) {
    let mut process = start(directory, &mut serve(directory), free_address()).await;
    terminate(&mut process).await;
    (read(&directory.join("said")), read(&directory.join("logged")))
}

/// Starts it with its output and its log in files, and waits until it is ready.
async fn start(directory: &Path, serve: &mut Command, address: SocketAddr) -> Child {
    let (said, logged) = (directory.join("said"), directory.join("logged"));
    let mut process = serve
        .args(["--listen", &address.to_string()])
        .stdout(fs::File::create(&said).expect("a file"))
        .stderr(fs::File::create(&logged).expect("a file"))
        .spawn()
        .expect("herald starts");
    eventually("herald is ready", Duration::from_secs(30), async || {
        let ended = process.try_wait().expect("the state of herald");
        assert!(ended.is_none(), "{}", read(&logged));
        http_client().get(format!("http://{address}/readyz")).send().await.ok()
    })
    .await;
    process
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("what herald wrote")
}

async fn terminate(process: &mut Child) {
    let kill = format!("kill -TERM {}", process.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    let ended =
        eventually("herald ends", Duration::from_secs(30), async || process.try_wait().expect("its state"))
            .await;
    assert!(ended.success(), "{ended}");
}

fn ask(server: &Server, words: &[&str]) -> Output {
    herald()
        .args(words)
        .args(["--server", &server.url("")])
        .env("HERALD_API_KEY", API_KEY)
        .output()
        .expect("herald runs")
}

fn serve(directory: &Path) -> Command {
    let mut command = herald();
    command.arg("serve").arg("--data").arg(directory.join("data"));
    command
}

/// The program, without what the environment of the test says to it.
fn herald() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_herald"));
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HERALD_")) {
        command.env_remove(name);
    }
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
