//! Groups: every item of the source reaches one, wherever the group is read, and however it ends.

use std::future::pending;
use std::sync::{Arc, Mutex};

use ballet::flow::{Group, Never};
use ballet::{Dispatcher, Error, Flow, FlowExt, Scope, flow};
use tokio::time::sleep;

use crate::support::MS;

/// How much comes out of two groups of 50 numbers each.
async fn of_two_groups<F>(make: impl FnMut(u32, Group<u32>) -> F) -> usize
where
    F: Flow<Item = u32, Error = Never>,
{
    flow::iter(0..100).group_by(2, |n| n % 2, make).count().await
}

#[ballet::test]
async fn a_group_that_is_read_in_a_child_may_hand_on_less_than_it_takes() {
    assert_eq!(of_two_groups(|_, group| group.chunked(10).map(|ten| ten[0]).buffer(4)).await, 10);
    assert_eq!(of_two_groups(|_, group| group.filter(|n| n % 10 >= 8).buffer(4)).await, 20);
    assert!(of_two_groups(|_, group| group.filter(|n| *n > 90).conflate()).await > 0);
    let elsewhere = Dispatcher::limited(1, "groups");
    let sums = |_, group: Group<u32>| {
        flow(async move |out| out.emit(group.fold(0, |sum, n| sum + n).await).await).flow_on(&elsewhere)
    };
    assert_eq!(of_two_groups(sums).await, 2);
}

#[ballet::test]
async fn a_group_may_be_read_in_a_child_of_its_own() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let sums = of_two_groups(|_, group| {
            let reader = s.spawn(async move { Ok(group.count().await) });
            flow(async move |out| {
                assert_eq!(reader.await, 50);
                out.emit(1).await;
            })
        });
        assert_eq!(sums.await, 2);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_group_that_is_read_elsewhere_ends_with_the_flow() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let endless = flow(async |out| {
            out.emit(0).await;
            pending::<()>().await;
        });
        let mut reader = None;
        let make = |(), group: Group<u32>| {
            reader = Some(s.spawn(async move { Ok(group.count().await) }));
            flow(async |out| {
                out.emit("begun").await;
                pending::<()>().await;
            })
        };
        assert_eq!(endless.group_by(1, |_| (), make).first().await, Some("begun"));
        assert_eq!(reader.unwrap().await, 1);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn what_a_group_was_given_and_did_not_take_begins_the_next() {
    let slow = async |n| {
        sleep(10 * MS).await;
        n
    };
    let one_each = flow::iter(0..6).group_by(4, |_| 0, |_, group| group.then(slow).take(1));
    assert_eq!(one_each.collect::<Vec<_>>().await, [0, 1, 2, 3, 4, 5]);
    let in_children = flow::iter(0..6).group_by(4, |_| 0, |_, group| group.then(slow).take(1).buffer(1));
    assert_eq!(in_children.collect::<Vec<_>>().await, [0, 1, 2, 3, 4, 5]);
    let taken = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&taken);
    let make = move |_, group: Group<i32>| {
        let noted = Arc::clone(&noted);
        group.tap(move |n| noted.lock().unwrap().push(*n)).then(slow).buffer(4).take(1)
    };
    assert!(flow::iter(0..60).group_by(4, |n| n % 2, make).count().await > 0);
    let mut taken = std::mem::take(&mut *taken.lock().unwrap());
    taken.sort_unstable();
    assert!(taken.into_iter().eq(0..60), "each item came to a group");
    let crowded = flow::iter(0..60).group_by(2, |n| n % 3, |_, group| group.then(slow).take(1));
    assert_eq!(crowded.count().await, 60);
}

#[ballet::test]
async fn a_group_that_takes_nothing_ends_with_the_item_that_it_began_with() {
    assert_eq!(flow::iter(0..10).group_by(4, |n| n % 2, |_, _| flow::iter([1])).count().await, 10);
}

/// Two groups at a time, each of which says its letter as it ends; the first one leaves its flow, which goes on for ever.
async fn beside_a_flow_that_goes_on(letters: &'static str) -> String {
    let mut is_first = true;
    let make = |letter, group: Group<char>| {
        let leaves = std::mem::take(&mut is_first);
        flow(async move |out| {
            if leaves {
                group.first().await;
                out.emit(letter).await;
                return pending().await;
            }
            group.count().await;
            out.emit(letter).await;
        })
    };
    flow::iter(letters.chars()).group_by(2, |letter| *letter, make).take(3).collect().await
}

#[ballet::test]
async fn a_flow_that_goes_on_without_its_group_keeps_no_other_from_being_ended() {
    assert_eq!(beside_a_flow_that_goes_on("aac").await, "aac", "another group of the same letter has begun");
    assert_eq!(
        beside_a_flow_that_goes_on("abbc").await,
        "abc",
        "none has, and the one that was left is the oldest"
    );
}
