//! SIGTERM under load: what was accepted is sent or kept, nothing is lost, nothing is sent twice, exit code 0.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;

use crate::support::{Server, Sink, eventually, scratch};

/// Posts under way at the same time.
const CLIENTS: usize = 16;
/// So many are accepted before the signal.
const BEFORE: usize = 500;

#[tokio::test]
async fn a_drain_under_load_loses_nothing_and_exits_cleanly() {
    let directory = scratch();
    let sink = Sink::start(&[]);
    let server = Server::with_sink(directory.path(), &sink).await;
    let accepted = AtomicUsize::new(0);

    // Clients go on until the server is gone; what it takes after the signal counts as well.
    let client = async |client: usize| {
        for number in 0.. {
            let recipient = format!("user{client}.{number}@example.org");
            match server.post_mail(&recipient, "Under load").await {
                Ok(response) if response.status() == 202 => _ = accepted.fetch_add(1, Ordering::Relaxed),
                Ok(_refused) => {}
                Err(_gone) => return,
            }
        }
    };
    let load = join_all((0..CLIENTS).map(client));
    let signal = async {
        eventually("the load is on", Duration::from_secs(60), async || {
            (accepted.load(Ordering::Relaxed) >= BEFORE).then_some(())
        })
        .await;
        server.ask_to_end();
    };
    tokio::join!(load, signal);
    let ended = server.end().await;
    assert_eq!(ended.code(), Some(0), "something was lost");

    let accepted = accepted.into_inner();
    let server = Server::with_sink(directory.path(), &sink).await;
    eventually("the rest is sent after the restart", Duration::from_secs(60), async || {
        let counts = server.get_json("/v1/counts").await.ok()?;
        assert_eq!(counts["balances"], true);
        let stored = counts["accepted_total"].as_u64()?;
        // One that was stored while its answer was cut off is no loss.
        assert!(stored >= accepted as u64, "{stored} of {accepted} are left");
        (counts["by_state"]["accepted"].as_u64()? == stored).then_some(())
    })
    .await;
    assert!(sink.message_ids().values().all(|times| *times == 1), "some arrived twice");
}
