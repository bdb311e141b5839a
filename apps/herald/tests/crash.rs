//! `kill -9` at random moments: nothing that was accepted is lost, and what arrives twice was marked unknown.

use std::{
    collections::{HashMap, HashSet},
    env,
    ops::Range,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::support::{API_KEY, Server, Sink, eventually, http_client, scratch};

const NOTIFICATIONS: usize = 5_000;
const CRASHES: usize = 12;
/// A crash comes this long after its round of posts began, at the latest.
const CRASH_MILLIS_MAX: u64 = 400;
/// Posts under way at the same time.
const CLIENTS: usize = 32;

#[tokio::test]
async fn crashes_lose_nothing_and_repeat_only_what_was_marked_unknown() {
    let seed = seed();
    println!("to repeat this run: HERALD_CRASH_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let directory = scratch();
    let sink = Sink::start(&[]);
    let mut server = Server::with_sink(directory.path(), &sink).await;
    let client = Client::of(&server);

    let mut accepted = HashSet::new();
    for round in rounds() {
        let (posted, ()) = tokio::join!(client.post_all(round), crash(&mut server, &mut rng));
        accepted.extend(posted);
    }
    assert_eq!(accepted.len(), NOTIFICATIONS);
    everything_is_sent(&server).await;

    let arrived = sink.message_ids();
    let unknown_counts = unknown_counts(&server).await;
    let lost = accepted.iter().filter(|id| !arrived.contains_key(*id)).count();
    let invented = arrived.keys().filter(|id| !accepted.contains(*id)).count();
    let repeated: Vec<&String> = arrived.iter().filter(|(_, times)| **times > 1).map(|(id, _)| id).collect();
    println!(
        "{CRASHES} crashes: {lost} lost, {} repeated, {} marked unknown",
        repeated.len(),
        unknown_counts.values().filter(|count| **count > 0).count()
    );
    assert_eq!((lost, invented), (0, 0));
    for id in repeated {
        assert!(unknown_counts[id] >= 1, "{id} arrived {} times and was never marked unknown", arrived[id]);
    }
}

fn seed() -> u64 {
    let given = env::var("HERALD_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| rand::rng().next_u64())
}

/// The numbers of all notifications, in as many parts as there are crashes.
fn rounds() -> impl Iterator<Item = Range<usize>> {
    let share = NOTIFICATIONS.div_ceil(CRASHES);
    (0..CRASHES).map(move |round| round * share..NOTIFICATIONS.min((round + 1) * share))
}

async fn crash(server: &mut Server, rng: &mut impl Rng) {
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..=CRASH_MILLIS_MAX))).await;
    server.crash().await;
}

/// A client that does not give up when the server goes away.
struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    fn of(server: &Server) -> Client {
        Client { http: http_client(), url: server.url("/v1/notifications") }
    }

    /// Posts each number until it is accepted; the Message-IDs that are to arrive.
    async fn post_all(&self, numbers: Range<usize>) -> Vec<String> {
        stream::iter(numbers).map(|number| self.post(number)).buffer_unordered(CLIENTS).collect().await
    }

    /// The idempotency key makes a second notification impossible where only the answer was lost.
    async fn post(&self, number: usize) -> String {
        let body = json!({ "to": { "email": format!("user{number}@example.org") }, "subject": "Hello", "text": "Hello." });
        eventually("the notification is accepted", Duration::from_secs(60), async || {
            let request = self.http.post(&self.url).bearer_auth(API_KEY).header("Idempotency-Key", number);
            let response = request.json(&body).send().await.ok()?;
            assert_eq!(response.status(), 202);
            let plan: Value = response.json().await.ok()?;
            Some(message_id(plan["deliveries"][0]["id"].as_str()?))
        })
        .await
    }
}

/// The Message-ID of a delivery from the sender that the tests configure.
fn message_id(delivery: &str) -> String {
    format!("<{delivery}@example.org>")
}

async fn everything_is_sent(server: &Server) {
    eventually("every delivery is accepted", Duration::from_secs(60), async || {
        let counts = server.get_json("/v1/counts").await.ok()?;
        assert_eq!(counts["balances"], true, "{counts}");
        (counts["by_state"]["accepted"].as_u64()? == NOTIFICATIONS as u64).then_some(())
    })
    .await;
}

/// How often each Message-ID's delivery was marked unknown.
async fn unknown_counts(server: &Server) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    let mut cursor = String::new();
    loop {
        let page = server.get_json(&format!("/v1/deliveries?limit=100{cursor}")).await.expect("a page");
        for delivery in page["items"].as_array().expect("items") {
            let id = message_id(delivery["id"].as_str().expect("an id"));
            counts.insert(id, delivery["unknown_count"].as_u64().expect("a count"));
        }
        let Some(next) = page["next"].as_str() else { return counts };
        cursor = format!("&cursor={next}");
    }
}
