//! What Herald makes of a relay's replies, one scripted conversation each.

use std::{
    cell::Cell,
    net::SocketAddr,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use herald::{
    model::Timestamp,
    provider::{Answer, Handover, Provider, Smtp, smtp::Settings},
    store::Work,
};

use crate::support::{Reaction, Relay, eventually, free_address, smtp_table, work};

/// A relay that answers `reply` to whatever begins with `command`, and all else as usual.
fn relay(command: &'static str, reaction: Reaction) -> Relay {
    Relay::start(move |_, event| if event.starts_with(command) { reaction } else { Reaction::Usual })
}

fn provider(relay: SocketAddr, more: &str) -> Provider {
    provider_with_tls(relay, "none", more)
}

fn provider_with_tls(relay: SocketAddr, tls: &str, more: &str) -> Provider {
    let table = smtp_table(relay).replace("[smtp]\n", "").replace("\"none\"", &format!("\"{tls}\""));
    let settings: Settings = toml::from_str(&(table + more)).expect("settings");
    Provider::Smtp(Smtp::new(settings).expect("usable settings"))
}

async fn answer_to(command: &'static str, reaction: Reaction) -> Answer {
    let relay = relay(command, reaction);
    provider(relay.address(), "").send(&work(), &Handover::default()).await
}

#[tokio::test]
async fn a_positive_reply_after_the_dot_is_acceptance() {
    let answer = answer_to(".", Reaction::Say("250 2.0.0 queued as 7")).await;
    assert_eq!(answer, Answer::Accepted { reply: "250 2.0.0 queued as 7".into(), viewer: None });
}

#[tokio::test]
async fn a_transient_reply_is_transient_at_every_step() {
    for step in ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let answer = answer_to(step, Reaction::Say("451 4.3.0 try later")).await;
        assert_eq!(answer, Answer::Transient { reply: "451 4.3.0 try later".into() }, "{step}");
    }
}

#[tokio::test]
async fn a_permanent_reply_concerns_the_mail_once_the_relay_has_heard_of_it() {
    for step in ["RCPT", "DATA", "."] {
        let answer = answer_to(step, Reaction::Say("554 5.7.1 not this one")).await;
        assert_eq!(answer, Answer::Permanent { reply: "554 5.7.1 not this one".into() }, "{step}");
    }
    for step in ["CONNECT", "EHLO", "MAIL"] {
        let answer = answer_to(step, Reaction::Say("554 5.7.1 not you")).await;
        assert_eq!(answer, Answer::Configuration { reply: "554 5.7.1 not you".into() }, "{step}");
    }
}

#[tokio::test]
async fn an_unknown_mailbox_is_gone() {
    let answer = answer_to("RCPT", Reaction::Say("550-5.1.1 nobody here\r\n550 5.1.1 by that name")).await;
    assert_eq!(answer, Answer::Gone { reply: "550 5.1.1 nobody here by that name".into() });
}

#[tokio::test]
async fn a_reply_that_is_no_utf_8_means_what_its_code_says() {
    let refused = answer_to("RCPT", Reaction::SayInLatin1("550 5.1.1 Empfänger unbekannt")).await;
    assert_eq!(refused, Answer::Gone { reply: "550 5.1.1 Empf?nger unbekannt".into() });
    let taken = answer_to(".", Reaction::SayInLatin1("250 2.0.0 für Zustellung")).await;
    assert_eq!(taken, Answer::Accepted { reply: "250 2.0.0 f?r Zustellung".into(), viewer: None });
    let readable = answer_to(".", Reaction::Say("250 2.0.0 für Zustellung")).await;
    assert_eq!(readable, Answer::Accepted { reply: "250 2.0.0 für Zustellung".into(), viewer: None });
}

#[tokio::test]
async fn a_demand_for_authentication_is_a_matter_of_configuration() {
    for step in ["MAIL", "RCPT", "DATA"] {
        let answer = answer_to(step, Reaction::Say("530 5.7.0 log in first")).await;
        assert_eq!(answer, Answer::Configuration { reply: "530 5.7.0 log in first".into() }, "{step}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_a_matter_of_configuration() {
    let relay = Relay::start(|_, event| match event {
        "EHLO localhost" => Reaction::Say("250-relay\r\n250 AUTH PLAIN"),
        _ if event.starts_with("AUTH") => Reaction::Say("535 5.7.8 no"),
        _ => Reaction::Usual,
    });
    let answer = provider(relay.address(), "username = \"ada\"\npassword = \"wrong\"\n")
        .send(&work(), &Handover::default())
        .await;
    assert_eq!(answer, Answer::Configuration { reply: "535 5.7.8 no".into() });
}

#[tokio::test]
async fn a_relay_without_starttls_gets_no_mail_where_tls_is_required() {
    let relay = relay("-", Reaction::Usual);
    let provider = provider_with_tls(relay.address(), "required", "");
    let Answer::Configuration { reply } = provider.send(&work(), &Handover::default()).await else {
        panic!("it was not refused")
    };
    assert!(reply.contains("STARTTLS"), "{reply}");
    assert!(!relay.heard().iter().any(|event| event.contains("MAIL")));
}

#[tokio::test]
async fn opportunistic_tls_does_without_but_keeps_the_password() {
    let taking = relay("-", Reaction::Usual);
    let without_login = provider_with_tls(taking.address(), "opportunistic", "");
    assert!(matches!(without_login.send(&work(), &Handover::default()).await, Answer::Accepted { .. }));

    let relay = relay("-", Reaction::Usual);
    let login = "username = \"ada\"\npassword = \"tiger\"\n";
    let with_login = provider_with_tls(relay.address(), "opportunistic", login);
    let Answer::Configuration { reply } = with_login.send(&work(), &Handover::default()).await else {
        panic!("it was not refused")
    };
    assert!(reply.contains("without TLS"), "{reply}");
    assert!(!relay.heard().iter().any(|event| event.contains("AUTH")));
}

#[tokio::test]
async fn an_address_beyond_ascii_needs_a_relay_that_knows_it() {
    let work = Work { to: "zoë@example.com".parse().expect("an address"), ..work() };
    let ignorant = relay("-", Reaction::Usual);
    let answer = provider(ignorant.address(), "").send(&work, &Handover::default()).await;
    assert_eq!(answer, Answer::Permanent { reply: "the relay does not support SMTPUTF8".into() });

    let knowing = relay("EHLO", Reaction::Say("250-relay\r\n250-8BITMIME\r\n250 SMTPUTF8"));
    let answer = provider(knowing.address(), "").send(&work, &Handover::default()).await;
    assert!(matches!(answer, Answer::Accepted { .. }), "{answer:?}");
    let mail = "0 MAIL FROM:<herald@example.org> SMTPUTF8 BODY=8BITMIME".to_owned();
    assert!(knowing.heard().contains(&mail), "{:?}", knowing.heard());
}

#[tokio::test]
async fn a_connection_lost_before_the_dot_delivered_nothing() {
    for step in ["MAIL", "RCPT", "DATA"] {
        let answer = answer_to(step, Reaction::HangUp).await;
        assert!(matches!(answer, Answer::Transient { .. }), "{step}: {answer:?}");
    }
    for step in ["CONNECT", "EHLO"] {
        let answer = answer_to(step, Reaction::HangUp).await;
        assert!(matches!(answer, Answer::Unreachable { .. }), "{step}: {answer:?}");
    }
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_of_the_message_delivered_nothing() {
    let relay = relay("DATA", Reaction::SayAndHangUp("354 go on"));
    // More than the socket buffers of both sides hold, so that the loss is noticed while it is being written.
    let work = Work { text: Some("A line of text.\n".repeat(2_000_000)), ..work() };
    let answer = provider(relay.address(), "").send(&work, &Handover::default()).await;
    assert!(matches!(answer, Answer::Transient { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_connection_lost_after_the_dot_is_ambiguous() {
    let answer = answer_to(".", Reaction::HangUp).await;
    assert!(matches!(answer, Answer::Ambiguous { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_reply_after_the_dot_that_is_no_smtp_is_ambiguous() {
    for nonsense in ["hello?", "354 go on"] {
        let answer = answer_to(".", Reaction::Say(nonsense)).await;
        assert!(matches!(answer, Answer::Ambiguous { .. }), "{nonsense}: {answer:?}");
    }
}

#[tokio::test]
async fn a_reply_too_many_is_not_taken_for_the_one_to_the_mail() {
    for replies in ["250 ok\r\n250 ok", "250 ok\r\n250 ok\r\n250 ok"] {
        let answer = answer_to("RCPT", Reaction::Say(replies)).await;
        assert!(matches!(answer, Answer::Transient { .. }), "{replies}: {answer:?}");
    }
}

#[tokio::test]
async fn a_relay_that_closes_is_not_spoken_to_again() {
    let relay = relay("RCPT", Reaction::Say("421 4.3.2 closing"));
    let answer = provider(relay.address(), "").send(&work(), &Handover::default()).await;
    assert_eq!(answer, Answer::Transient { reply: "421 4.3.2 closing".into() });
    assert_eq!(relay.heard().last().map(|event| event.starts_with("0 RCPT")), Some(true));
}

#[tokio::test]
async fn nobody_listening_is_an_outage_that_names_the_relay() {
    let nobody = free_address();
    let answer = provider(nobody, "").send(&work(), &Handover::default()).await;
    let Answer::Unreachable { reply } = answer else { panic!("{answer:?}") };
    assert!(reply.starts_with(&format!("{nobody}: ")), "{reply}");
}

#[tokio::test]
async fn silence_is_transient_before_the_dot_and_ambiguous_after_it() {
    let patience = "command_seconds = 1\nreply_seconds = 1\n";
    let before = relay("RCPT", Reaction::Silence);
    let answer = provider(before.address(), patience).send(&work(), &Handover::default()).await;
    assert_eq!(answer, Answer::Transient { reply: "no answer within 1s".into() });

    let after = relay(".", Reaction::Silence);
    let answer = provider(after.address(), patience).send(&work(), &Handover::default()).await;
    assert_eq!(answer, Answer::Ambiguous { detail: "no answer within 1s".into() });
}

#[tokio::test]
async fn the_deadline_of_a_mail_cuts_the_conversation_short() {
    let relay = relay("RCPT", Reaction::Silence);
    let expires_at = Timestamp::now() + Duration::from_millis(200);
    let started = Instant::now();
    let answer = provider(relay.address(), "")
        .send(&Work { expires_at: Some(expires_at), ..work() }, &Handover::default())
        .await;
    assert!(matches!(answer, Answer::Transient { .. }), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "it waited for the command's time-out");
}

/// The runtime's clock stands still here, as that of a machine does while it sleeps: the time of day alone tells that the
/// deadline is over.
#[tokio::test(start_paused = true)]
async fn a_mail_whose_deadline_passes_unnoticed_is_not_begun() {
    for late in ["EHLO", "MAIL", "RCPT", "DATA"] {
        let expires_at = Timestamp::now() + Duration::from_millis(300);
        let relay = Relay::start(move |_, event| {
            while event.starts_with(late) && Timestamp::now() <= expires_at {
                thread::yield_now();
            }
            Reaction::Usual
        });
        // While a blocking job runs, the runtime's clock does not go on by itself.
        let (over, wait) = mpsc::channel::<()>();
        let asleep = tokio::task::spawn_blocking(move || _ = wait.recv());
        let answer = provider(relay.address(), "")
            .send(&Work { expires_at: Some(expires_at), ..work() }, &Handover::default())
            .await;
        drop(over);
        asleep.await.expect("the job ends");
        assert_eq!(answer, Answer::Transient { reply: "it expired before it was sent".into() }, "{late}");
        assert!(relay.messages().is_empty(), "{late}: {:?}", relay.heard());
    }
}

#[tokio::test]
async fn a_connection_is_used_for_the_next_mail_even_after_a_refusal() {
    let relay = Relay::start(|_, event| match event {
        "RCPT TO:<nobody@example.com>" => Reaction::Say("550 5.1.1 unknown"),
        _ => Reaction::Usual,
    });
    let provider = provider(relay.address(), "");
    let unknown = Work { to: "nobody@example.com".parse().expect("an address"), ..work() };
    assert!(matches!(provider.send(&unknown, &Handover::default()).await, Answer::Gone { .. }));
    assert!(matches!(provider.send(&work(), &Handover::default()).await, Answer::Accepted { .. }));
    let heard = relay.heard();
    assert_eq!(heard.iter().filter(|event| event.ends_with("CONNECT")).count(), 1, "{heard:?}");
    assert!(heard.contains(&"0 RSET".to_owned()), "{heard:?}");
}

#[tokio::test]
async fn an_idle_connection_that_the_relay_gave_up_costs_no_attempt() {
    for farewell in [Reaction::HangUp, Reaction::SayAndHangUp("421 4.4.2 idle for too long")] {
        let mails = Cell::new(0);
        let relay = Relay::start(move |number, event| {
            mails.set(mails.get() + usize::from(event.starts_with("MAIL")));
            if number == 0 && mails.get() == 2 { farewell } else { Reaction::Usual }
        });
        let provider = provider(relay.address(), "");
        assert!(matches!(provider.send(&work(), &Handover::default()).await, Answer::Accepted { .. }));
        assert!(matches!(provider.send(&work(), &Handover::default()).await, Answer::Accepted { .. }));
        assert!(relay.heard().contains(&"1 .".to_owned()), "{:?}", relay.heard());
    }
}

#[tokio::test]
async fn idle_connections_are_closed_with_a_goodbye() {
    let relay = relay("-", Reaction::Usual);
    let provider = provider(relay.address(), "idle_seconds = 1\n");
    assert!(matches!(provider.send(&work(), &Handover::default()).await, Answer::Accepted { .. }));
    let goodbye = eventually("QUIT comes", Duration::from_secs(20), async || {
        relay.heard().contains(&"0 QUIT".to_owned()).then_some(())
    });
    tokio::select! {
        never = provider.tend() => match never {},
        () = goodbye => {}
    }
}
