//! What runs when a scope has ended: R13.

use std::future::pending;
use std::time::Duration;

use ballet::{Failure, Scope};
use tokio::time::{Instant, sleep};

use crate::words::Words;

#[ballet::test]
async fn c42_finalizers_run_last_in_first_out_each_once_though_some_fail() {
    let began = Instant::now();
    let words = Words::default();
    let failure = ballet::scope(async |s: Scope<&'static str>| {
        for word in ["first", "second", "third"] {
            let words = words.clone();
            s.defer(async move {
                sleep(Duration::from_secs(1)).await;
                words.say(word);
                if word == "first" { Ok(()) } else { Err(word) }
            });
        }
        let canceller = s.clone();
        s.spawn(async move {
            sleep(Duration::from_secs(1)).await;
            canceller.cancel(); // while the body is suspended
            Ok(())
        });
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(words.said(), ["third", "second", "first"]);
    assert_eq!(began.elapsed(), Duration::from_secs(1 + 3));
    assert_eq!(failure.error(), Some(&"third"));
    let suppressed: Vec<_> = failure.suppressed().iter().filter_map(Failure::error).collect();
    assert_eq!(suppressed, [&"second"]);
}
