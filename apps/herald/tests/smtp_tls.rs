//! STARTTLS and AUTH against a server that insists on both.

use std::{
    fs,
    io::{BufRead, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use herald::provider::{Answer, Handover, Provider, Smtp, smtp::Settings};

use crate::support::{Reaction, Relay, scratch, work};

/// aiosmtpd with a certificate of its own making, for the name `localhost`.
struct Submission {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    directory: tempfile::TempDir,
}

impl Submission {
    fn start() -> Submission {
        let directory = scratch();
        let (certificate, key) = (directory.path().join("certificate.pem"), directory.path().join("key.pem"));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        fs::write(&certificate, made.cert.pem()).expect("the certificate is written");
        fs::write(&key, made.signing_key.serialize_pem()).expect("the key is written");

        let mut process =
            Command::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/venv/bin/python"))
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/submission.py"))
                .args([&certificate, &key])
                .args(["ada", "correct horse"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("aiosmtpd does not start ({error}); run `cargo xtask setup`"));
        let stdout = process.stdout.take().expect("its standard output");
        let mut lines = BufReader::new(stdout).lines();
        let port = lines.next().expect("aiosmtpd runs; else `cargo xtask setup`").expect("a line");
        Submission { process, lines, port: port.parse().expect("a port"), directory }
    }

    fn provider(&self, more: &str) -> Provider {
        provider(self.port, more)
    }

    fn trusted(&self) -> String {
        trusted(&self.directory.path().join("certificate.pem"))
    }
}

fn provider(port: u16, more: &str) -> Provider {
    let table = format!("host = \"localhost\"\nport = {port}\nfrom = \"herald@example.org\"\n{more}");
    let settings: Settings = toml::from_str(&table).expect("settings");
    Provider::Smtp(Smtp::new(settings).expect("usable settings"))
}

fn trusted(authority: &Path) -> String {
    format!("ca_file = \"{}\"\n", authority.display())
}

impl Drop for Submission {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_mail_is_sent_encrypted_and_logged_in() {
    let mut server = Submission::start();
    let login = "username = \"ada\"\npassword = \"correct horse\"\n";
    let answer = server.provider(&(server.trusted() + login)).send(&work(), &Handover::default()).await;
    assert_eq!(answer, Answer::Accepted { reply: "250 2.0.0 kept".into(), viewer: None });
    assert_eq!(server.lines.next().expect("a mail").expect("a line"), work().message_id);
}

#[tokio::test]
async fn a_wrong_password_is_a_matter_of_configuration() {
    let server = Submission::start();
    let login = "username = \"ada\"\npassword = \"battery staple\"\n";
    let answer = server.provider(&(server.trusted() + login)).send(&work(), &Handover::default()).await;
    let Answer::Configuration { reply } = answer else { panic!("{answer:?}") };
    assert!(reply.starts_with("535"), "{reply}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_matter_of_configuration() {
    let server = Submission::start();
    let answer = server.provider("").send(&work(), &Handover::default()).await;
    let Answer::Configuration { reply } = answer else { panic!("{answer:?}") };
    assert!(reply.contains("certificate"), "{reply}");
}

#[tokio::test]
async fn a_demand_to_log_in_is_a_matter_of_configuration() {
    let server = Submission::start();
    let answer = server.provider(&server.trusted()).send(&work(), &Handover::default()).await;
    let Answer::Configuration { reply } = answer else { panic!("{answer:?}") };
    assert!(reply.starts_with("530"), "{reply}");
}

#[tokio::test]
async fn what_is_injected_before_the_handshake_is_no_reply_of_the_relay() {
    // Somebody on the line adds, in plain text and to the reply that lets TLS begin, all the replies of a whole
    // transaction. The relay itself refuses everything.
    const INJECTED: &str =
        "220 go\r\n250-relay\r\n250 8BITMIME\r\n250 ok\r\n250 ok\r\n354 go\r\n250 injected";
    let directory = scratch();
    let authority = directory.path().join("certificate.pem");
    let relay = Relay::start_with_tls(&authority, |_, event| match event {
        "CONNECT" => Reaction::Usual,
        "EHLO localhost" => Reaction::Say("250-relay\r\n250 STARTTLS"),
        "STARTTLS" => Reaction::Say(INJECTED),
        _ => Reaction::Say("550 5.7.1 the relay refuses everything"),
    });
    let answer =
        provider(relay.address().port(), &trusted(&authority)).send(&work(), &Handover::default()).await;
    assert_eq!(answer, Answer::Configuration { reply: "550 5.7.1 the relay refuses everything".into() });
}

#[tokio::test]
async fn a_reply_over_tls_that_is_no_utf_8_means_what_its_code_says() {
    let directory = scratch();
    let authority = directory.path().join("certificate.pem");
    let relay = Relay::start_with_tls(&authority, |_, event| match event {
        "EHLO localhost" => Reaction::Say("250-relay\r\n250 STARTTLS"),
        "STARTTLS" => Reaction::Say("220 go"),
        "RCPT TO:<ada@example.com>" => Reaction::SayInLatin1("550 5.1.1 Empfänger unbekannt"),
        _ => Reaction::Usual,
    });
    let answer =
        provider(relay.address().port(), &trusted(&authority)).send(&work(), &Handover::default()).await;
    assert_eq!(answer, Answer::Gone { reply: "550 5.1.1 Empf?nger unbekannt".into() });
}
