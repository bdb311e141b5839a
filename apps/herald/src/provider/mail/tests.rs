//! The mails are read back by another library than the one that wrote them.

use mail_parser::MessageParser;
use proptest::{option, prelude::*};

use super::*;
use crate::{model::EmailAddress, provider::testing::work};

fn sender() -> Mailbox {
    "Herald <herald@example.org>".parse().expect("a mailbox")
}

fn rendered(work: &Work) -> String {
    let mail = render(work, &sender()).expect("a mail");
    String::from_utf8(mail.bytes).expect("UTF-8")
}

/// Subject, text and HTML as a recipient's program would show them.
fn read(mail: &str) -> (Option<String>, Option<String>, Option<String>) {
    let message = MessageParser::default().parse(mail).expect("a well-formed mail");
    let text = message.text_bodies().find(|part| part.is_text()).and_then(|part| part.text_contents());
    let html = message.html_bodies().find(|part| part.is_text_html()).and_then(|part| part.text_contents());
    (message.subject().map(str::to_owned), text.map(lines_of), html.map(lines_of))
}

/// The content with line ends as they were written, but for those at its end, of which a mail has one more.
fn lines_of(content: &str) -> String {
    content.replace("\r\n", "\n").trim_end_matches('\n').to_owned()
}

fn headers(mail: &str) -> Vec<&str> {
    let (head, _) = mail.split_once("\r\n\r\n").expect("a head");
    let names = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    names.filter_map(|line| Some(line.split_once(':')?.0)).collect()
}

#[test]
fn a_mail_in_two_forms() {
    let mut work = work();
    work.html = Some("<p>Hello.</p>".to_owned());
    let id = work.delivery;
    let message_id = &work.message_id;
    let expected = format!(
        "From: Herald <herald@example.org>\r\n\
         To: ada@example.com\r\n\
         Subject: Hello\r\n\
         Message-ID: {message_id}\r\n\
         Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative;\r\n \
         boundary=\"herald-{id}\"\r\n\
         \r\n\
         --herald-{id}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         Hello.\r\n\
         --herald-{id}\r\n\
         Content-Type: text/html; charset=utf-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         <p>Hello.</p>\r\n\
         --herald-{id}--\r\n"
    );
    assert_eq!(rendered(&work), expected);
}

#[test]
fn a_domain_beyond_ascii_becomes_punycode_and_the_mail_stays_ascii() {
    let mut work = work();
    work.to = "ada@bücher.example".parse().expect("an address");
    let mail = render(&work, &sender()).expect("a mail");
    assert_eq!(mail.to.to_string(), "ada@xn--bcher-kva.example");
    assert!(mail.bytes.is_ascii());
}

#[test]
fn a_local_part_beyond_ascii_is_kept() {
    let mut work = work();
    work.to = "zoë@example.com".parse().expect("an address");
    let mail = render(&work, &sender()).expect("a mail");
    assert_eq!(mail.to.to_string(), "zoë@example.com");
    assert!(!mail.bytes.is_ascii(), "so MAIL asks for SMTPUTF8");
}

#[test]
fn every_address_that_is_taken_is_written_as_it_is() {
    for address in [
        r#""a b"@example.org"#,
        r#""a,<b>@c"@example.org"#,
        r#""a\"b\\c"@example.org"#,
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a+b=c!#$%&'*/?^_`{|}~-@example.org",
    ] {
        let work = Work { to: address.parse().expect("an address"), ..work() };
        let mail = render(&work, &sender()).expect("a mail");
        assert_eq!(mail.to.to_string(), address);
        let text = String::from_utf8(mail.bytes).expect("UTF-8");
        assert!(text.contains(&format!("\r\nTo: {address}\r\n")), "{text}");
    }
}

#[test]
fn what_looks_like_an_encoded_word_is_shown_as_it_was_written() {
    let mut work = work();
    work.subject = "=?utf-8?q?surprise?=".to_owned();
    assert_eq!(read(&rendered(&work)).0.as_deref(), Some("=?utf-8?q?surprise?="));
}

#[test]
fn a_lone_carriage_return_does_not_reach_the_wire() {
    let mut work = work();
    work.text = Some("one\rtwo\nthree\r\nfour".to_owned());
    let mail = rendered(&work);
    assert_eq!(mail.matches('\r').count(), mail.matches("\r\n").count());
    assert_eq!(mail.matches('\n').count(), mail.matches("\r\n").count());
    assert_eq!(read(&mail).1.as_deref(), Some("one\ntwo\nthree\nfour"));
}

#[test]
fn no_address_can_carry_a_line_end_into_a_command_or_a_header() {
    for hidden in ['\r', '\n', '\0'] {
        for address in [
            format!("\"ada{hidden}RCPT TO:<eve\"@example.com"),
            format!("ada{hidden}@example.com"),
            format!("ada@example.com{hidden}"),
            format!("ada@exa{hidden}mple.com"),
        ] {
            assert!(address.parse::<EmailAddress>().is_err(), "{address:?}");
        }
    }
}

/// Subjects as the API takes them: anything but line ends and NUL.
fn subjects() -> impl Strategy<Value = String> {
    prop_oneof!["[^\r\n\0]{1,200}", "[!-~]{1,998}", "[ -~]{1,998}", "[éß語🎉 ]{1,200}"]
}

fn bodies() -> impl Strategy<Value = String> {
    prop_oneof!["[^\0\r]{1,400}", "[a-z.\n]{1,400}", "[!-~]{1,3000}", "[é語🎉\n]{1,400}"]
}

proptest! {
    #[test]
    fn any_mail_is_read_as_it_was_written_and_rendered_again_to_the_same_bytes(
        subject in subjects(),
        text in bodies(),
        html in option::of(bodies()),
    ) {
        let mut work = work();
        work.subject = subject;
        work.text = Some(text);
        work.html = html;
        let mail = rendered(&work);
        prop_assert_eq!(&rendered(&work), &mail);
        prop_assert!(mail.is_ascii());
        prop_assert!(mail.split("\r\n").all(|line| line.len() <= 998), "a line is too long for SMTP");
        prop_assert_eq!(headers(&mail)[..5].to_vec(), ["From", "To", "Subject", "Message-ID", "Date"]);
        prop_assert!((7..=8).contains(&headers(&mail).len()), "a header was added");

        let (subject, text, html) = read(&mail);
        prop_assert_eq!(subject.as_deref(), Some(work.subject.as_str()));
        prop_assert_eq!(text, work.text.as_deref().map(lines_of));
        prop_assert_eq!(html, work.html.as_deref().map(lines_of));
    }
}
