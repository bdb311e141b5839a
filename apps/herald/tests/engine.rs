//! The delivery engine over a real store: retries, deadlines, refused credentials, and the end of a drain.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ballet::Stage;
use herald::{
    deliver::{Engine, Monitor},
    model::{NewNotification, State},
    provider::{Provider, Smtp, smtp::Settings},
    store::{DeliveryFilter, DeliverySummary, Options, Store},
};
use serde_json::{Value, json};

use crate::support::{Reaction, Relay, eventually, scratch, smtp_table};

const PATIENCE: Duration = Duration::from_secs(20);

/// A store, and the relay that its mails go to.
struct Bench {
    store: Store,
    relay: Relay,
    /// Further lines of the `[smtp]` table.
    settings: &'static str,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new(script: impl Fn(usize, &str) -> Reaction + Send + 'static) -> Bench {
        let directory = scratch();
        let options = Options { email_provider: "smtp".to_owned(), ..Options::default() };
        let store = Store::open(directory.path(), options).expect("a store");
        Bench { store, relay: Relay::start(script), settings: "", _directory: directory }
    }

    async fn accept(&self, more: Value) {
        let mut body = json!({ "to": { "email": "ada@example.com" }, "subject": "Hello", "text": "Hello." });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let notification = NewNotification::from_json(body.to_string().as_bytes()).expect("a notification");
        self.store.accept(notification, None).await.expect("it is stored");
    }

    async fn deliveries(&self) -> Vec<DeliverySummary> {
        self.store.deliveries(DeliveryFilter::default(), None, 100).await.expect("a page").items
    }

    async fn state_of(&self, subject: &str) -> Option<State> {
        let deliveries = self.deliveries().await;
        deliveries.iter().find(|delivery| delivery.subject == subject).map(|delivery| delivery.state)
    }

    /// Delivers on a stage until `done` gives something; then the stage drains for at most `drain`, and must not lose
    /// anything.
    async fn deliver_until(&self, drain: Duration, mut done: impl AsyncFnMut(&Monitor) -> Option<()>) {
        let table = smtp_table(self.relay.address()).replace("[smtp]\n", "");
        let settings: Settings = toml::from_str(&(table + self.settings)).expect("settings");
        let provider = Provider::Smtp(Smtp::new(settings).expect("usable settings"));
        let engine = Engine::new(&self.store, vec![provider]);
        let monitor = engine.monitor();
        let stage = Stage::new().drain(drain);
        let phases = stage.phases();
        let curtain = stage.run(async |scope| {
            scope.named("providers").spawn(engine.run());
            eventually("what the test waits for", PATIENCE, async || done(&monitor).await).await;
            phases.shut_down();
            Ok(())
        });
        let curtain = curtain.await;
        assert!(!curtain.is_lossy(), "{curtain}");
    }
}

#[tokio::test]
async fn a_transient_failure_is_tried_again() {
    let refused = AtomicBool::new(false);
    let bench = Bench::new(move |_, event| {
        let first = event.starts_with("RCPT") && !refused.swap(true, Ordering::Relaxed);
        if first { Reaction::Say("451 4.7.1 greylisted") } else { Reaction::Usual }
    });
    bench.accept(json!({})).await;
    bench
        .deliver_until(PATIENCE, async |_| {
            (bench.deliveries().await[0].state == State::Accepted).then_some(())
        })
        .await;
    assert_eq!(bench.deliveries().await[0].attempts, 2);
}

#[tokio::test]
async fn a_transient_failure_without_time_for_another_attempt_expires() {
    let bench = Bench::new(|_, event| match event {
        "DATA" => Reaction::Say("451 4.3.0 later"),
        _ => Reaction::Usual,
    });
    let soon = jiff::Timestamp::now() + Duration::from_millis(1_500);
    bench.accept(json!({ "expires_at": soon })).await;
    bench
        .deliver_until(PATIENCE, async |_| {
            (bench.deliveries().await[0].state == State::Expired).then_some(())
        })
        .await;
    assert_eq!(bench.deliveries().await[0].attempts, 1);
}

#[tokio::test]
async fn an_unknown_delivery_is_sent_again_byte_for_byte() {
    let bench = Bench::new(|number, event| match event {
        "." if number == 0 => Reaction::HangUp,
        _ => Reaction::Usual,
    });
    bench.accept(json!({ "subject": "Grüße", "html": "<p>Hello.</p>" })).await;
    bench
        .deliver_until(PATIENCE, async |_| {
            (bench.deliveries().await[0].state == State::Accepted).then_some(())
        })
        .await;
    assert_eq!(bench.deliveries().await[0].unknown_count, 1);
    let messages = bench.relay.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0], messages[1]);
}

#[tokio::test]
async fn a_relay_that_refuses_us_pauses_its_provider_and_burns_no_attempt() {
    let bench = Bench::new(|_, event| match event {
        "CONNECT" => Reaction::SayAndHangUp("554 5.7.1 not from you"),
        _ => Reaction::Usual,
    });
    for _ in 0..5 {
        bench.accept(json!({})).await;
    }
    bench
        .deliver_until(PATIENCE, async |monitor| {
            let status = monitor.providers().next()?;
            (status.paused && status.in_flight == 0).then_some(())
        })
        .await;
    let deliveries = bench.deliveries().await;
    assert_eq!(deliveries.len(), 5);
    for delivery in deliveries {
        assert_eq!((delivery.state, delivery.attempts), (State::Due, 0));
    }
}

#[tokio::test]
async fn a_deadline_passes_while_every_slot_is_taken() {
    let bench = Bench::new(|_, event| if event == "." { Reaction::Silence } else { Reaction::Usual });
    let bench = Bench { settings: "concurrency = 1\n", ..bench };
    bench.accept(json!({ "subject": "Never answered" })).await;
    let mut late = None;
    bench
        .deliver_until(Duration::from_millis(100), async |_| {
            if late.is_none() && bench.relay.heard().contains(&"0 .".to_owned()) {
                let soon = jiff::Timestamp::now() + Duration::from_millis(500);
                bench.accept(json!({ "subject": "Late", "expires_at": soon })).await;
                late = Some(());
            }
            bench.state_of("Late").await.filter(|&state| state == State::Expired).map(|_| ())
        })
        .await;
    assert_eq!(bench.state_of("Late").await, Some(State::Expired));
}

#[tokio::test]
async fn a_deadline_passes_while_the_provider_is_paused() {
    let bench = Bench::new(|_, event| match event {
        "CONNECT" => Reaction::SayAndHangUp("554 5.7.1 not from you"),
        _ => Reaction::Usual,
    });
    bench.accept(json!({ "subject": "Refused" })).await;
    let mut late = None;
    bench
        .deliver_until(PATIENCE, async |monitor| {
            if late.is_none() && monitor.providers().next()?.paused {
                let soon = jiff::Timestamp::now() + Duration::from_millis(500);
                bench.accept(json!({ "subject": "Late", "expires_at": soon })).await;
                late = Some(());
            }
            bench.state_of("Late").await.filter(|&state| state == State::Expired).map(|_| ())
        })
        .await;
    assert_eq!(bench.state_of("Late").await, Some(State::Expired));
}

#[tokio::test]
async fn what_the_end_of_the_drain_cuts_off_is_recorded_as_unknown() {
    let bench = Bench::new(|_, event| if event == "." { Reaction::Silence } else { Reaction::Usual });
    bench.accept(json!({})).await;
    bench
        .deliver_until(Duration::from_millis(100), async |_| {
            bench.relay.heard().contains(&"0 .".to_owned()).then_some(())
        })
        .await;
    let delivery = &bench.deliveries().await[0];
    assert_eq!((delivery.state, delivery.unknown_count), (State::Unknown, 1));
}

#[tokio::test]
async fn what_is_cut_off_before_the_relay_may_have_it_is_not_unknown() {
    for silent in ["CONNECT", "DATA"] {
        let bench =
            Bench::new(move |_, event| if event == silent { Reaction::Silence } else { Reaction::Usual });
        bench.accept(json!({})).await;
        bench
            .deliver_until(Duration::from_millis(100), async |_| {
                bench.relay.heard().contains(&format!("0 {silent}")).then_some(())
            })
            .await;
        let delivery = &bench.deliveries().await[0];
        assert_eq!((delivery.state, delivery.unknown_count), (State::Retry, 0), "{silent}");
    }
}
