//! A relay that hangs up after the final dot: nobody knows what it did, and Herald says so.

use std::time::Duration;

use crate::support::{Server, Sink, eventually, scratch};

#[tokio::test]
async fn a_mail_whose_answer_is_lost_becomes_unknown_and_is_counted() {
    let directory = scratch();
    let sink = Sink::start(&["-q", "."]);
    let server = Server::with_sink(directory.path(), &sink).await;
    let response = server.post_mail("ada@example.org", "Did it arrive?").await.expect("an answer");
    assert_eq!(response.status(), 202);

    let marked = "herald_deliveries_marked_unknown_total";
    eventually("the metric counts it", Duration::from_secs(30), async || {
        (server.metric(marked).await? >= 1.0).then_some(())
    })
    .await;
    // While it is sent again it is not unknown, and then it is, because the relay does the same.
    let delivery = eventually("the list has it", Duration::from_secs(30), async || {
        let page = server.get_json("/v1/deliveries?state=unknown").await.ok()?;
        page["items"].get(0).cloned()
    })
    .await;
    assert!(!delivery["due_at"].is_null(), "it is sent again, with the same Message-ID");
}
