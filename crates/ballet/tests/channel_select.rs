//! Select: exactly one arm takes effect, the others come back and hold nothing.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ballet::channel::{self, OneOf2, OneOf3, OneOf4, OneOfMany, after, select, select_fair};
use ballet::{Error, Scope, SupervisorScope};
use tokio::task::coop::poll_proceed;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[ballet::test]
async fn c50_the_first_ready_arm_wins_and_without_a_bias_each_wins_as_often() -> Result<(), Error> {
    const ROUNDS: usize = 3_000;
    let (tx, rx) = channel::unlimited();
    for round in 0..=ROUNDS {
        tx.send(round).await?;
        // Two arms are ready; the one before them is not.
        let (_never_tx, never) = channel::bounded::<u32>(1);
        let OneOf3::Second(..) = select((never.recv(), rx.recv(), after(Duration::ZERO))).await else {
            panic!("the first of the ready ones wins");
        };
    }
    let mut wins = [0_usize; 3];
    for round in 0..ROUNDS {
        tx.send(round).await?;
        let (_never_tx, never) = channel::bounded::<u32>(1);
        let arms = (after(Duration::ZERO), never.recv(), tx.send(0), after(Duration::ZERO));
        match select_fair(arms).await {
            OneOf4::First(..) => wins[0] += 1,
            OneOf4::Second(..) => panic!("it is never ready"),
            OneOf4::Third(..) => wins[1] += 1,
            OneOf4::Fourth(..) => wins[2] += 1,
        }
    }
    // Ten times the standard deviation of a fair choice.
    assert!(wins.iter().all(|wins| wins.abs_diff(ROUNDS / 3) < 260), "{wins:?}");
    Ok(())
}

#[ballet::test]
async fn a_ready_arm_does_not_lose_to_a_clock_for_want_of_budget() -> Result<(), Error> {
    let (tx, rx) = channel::unlimited();
    tx.send('x').await?;
    let use_up = |cx: &mut Context<'_>| {
        while let Poll::Ready(unit) = poll_proceed(cx) {
            unit.made_progress();
        }
        Poll::Ready(())
    };
    std::future::poll_fn(use_up).await;
    let selected = select((rx.recv(), after(Duration::ZERO))).await;
    assert!(matches!(selected, OneOf2::First(..)), "the first of the ready ones wins");
    Ok(())
}

#[ballet::test]
async fn a_select_waits_for_sends_receives_joins_and_clocks() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let (full, _keeps_it_open) = channel::bounded(1);
        full.send('x').await?;
        let (_open, empty) = channel::bounded::<char>(1);
        let job = s.spawn(async {
            tokio::time::sleep(20 * MS).await;
            Err::<(), _>(Error::msg("hoarse"))
        });
        let before = Instant::now();
        let selected = select((full.send('y'), empty.recv(), job, after(30 * MS))).await;
        let OneOf4::Third(joined, (send, receive, clock)) = selected else { panic!("the job ends first") };
        assert_eq!(
            (joined.unwrap_err().error().unwrap().to_string(), before.elapsed()),
            ("hoarse".into(), 20 * MS)
        );
        let OneOf3::Third((), _) = select((send, receive, clock)).await else { panic!("the clock went on") };
        assert_eq!(before.elapsed(), 30 * MS);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn losers_have_done_nothing_and_can_be_resumed() -> Result<(), Error> {
    for places in [0, 1] {
        let (tx, rx) = channel::bounded(places);
        let (other_tx, other_rx) = channel::bounded(1);
        drop(tx.try_send("first")); // at a rendezvous nobody is there
        other_tx.send("other").await?;
        let OneOf2::Second(_, send) = select((tx.send("second"), other_rx.recv())).await else {
            panic!("there is no place");
        };
        assert_eq!((tx.stats().waiting_senders, other_tx.stats().waiting_receivers), (0, 0));
        ballet::scope(async |s: Scope| {
            let heard = s.spawn(async move {
                let mut heard = Vec::new();
                while let Some(word) = rx.recv().await? {
                    heard.push(word);
                }
                Ok(heard)
            });
            send.await?;
            tx.close();
            assert_eq!(heard.await.last(), Some(&"second"));
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[test]
fn what_was_kept_for_a_loser_goes_to_who_waits_next() {
    let (tx, rx) = channel::bounded(1);
    let (other_tx, other_rx) = channel::bounded(1);
    let mut select = pin!(select((other_rx.recv(), rx.recv())));
    assert!(poll_once(select.as_mut()).is_pending());
    let mut next = pin!(rx.recv());
    assert!(poll_once(next.as_mut()).is_pending());
    // Both arms have their item at the same moment.
    tx.try_send('a').unwrap();
    other_tx.try_send('b').unwrap();
    let Poll::Ready(OneOf2::First(won, _loser)) = poll_once(select.as_mut()) else {
        panic!("it is the first of two that are ready");
    };
    assert_eq!(won.unwrap(), Some('b'));
    assert!(matches!(poll_once(next.as_mut()), Poll::Ready(Ok(Some('a')))));
}

#[test]
fn a_place_kept_for_a_losing_send_goes_to_who_waits_next() {
    let (tx, rx) = channel::bounded(1);
    let (other_tx, other_rx) = channel::bounded(1);
    tx.try_send(1).unwrap();
    let mut select = pin!(select((other_rx.recv(), tx.send(2))));
    assert!(poll_once(select.as_mut()).is_pending());
    let mut next = pin!(tx.send(3));
    assert!(poll_once(next.as_mut()).is_pending());
    assert_eq!(rx.try_recv().unwrap(), 1);
    other_tx.try_send('b').unwrap();
    let Poll::Ready(OneOf2::First(_, loser)) = poll_once(select.as_mut()) else { panic!("it is the first") };
    assert!(matches!(poll_once(next.as_mut()), Poll::Ready(Ok(()))));
    assert_eq!(rx.try_recv().unwrap(), 3);
    drop(loser);
    assert!(rx.try_recv().is_err());
}

/// Two selects that could meet on either of two rendezvous meet on one of them, once.
#[ballet::test]
async fn two_selects_meet_once() -> Result<(), Error> {
    let ((left_tx, left_rx), (right_tx, right_rx)) = (channel::rendezvous(), channel::rendezvous());
    ballet::scope(async |s: Scope| {
        let heard = s.spawn(async move {
            let heard = match select((left_rx.recv(), right_rx.recv())).await {
                OneOf2::First(heard, _) | OneOf2::Second(heard, _) => heard?,
            };
            Ok((heard, left_rx.try_recv().is_ok() || right_rx.try_recv().is_ok()))
        });
        let said = match select((left_tx.send("left"), right_tx.send("right"))).await {
            OneOf2::First(sent, _) => sent.map(|()| "left"),
            OneOf2::Second(sent, _) => sent.map(|()| "right"),
        };
        assert_eq!(heard.await, (Some(said?), false));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_send_that_was_taken_before_the_select_is_ready_in_it() -> Result<(), Error> {
    let (tx, rx) = channel::rendezvous();
    let mut send = tx.send('a');
    assert!(poll_once(Pin::new(&mut send)).is_pending());
    assert_eq!(rx.try_recv()?, 'a');
    let OneOf2::First(sent, _) = select((send, after(Duration::ZERO))).await else { panic!("it has sent") };
    sent?;
    Ok(())
}

#[ballet::test]
async fn many_arms_of_one_kind_come_back_in_their_order() -> Result<(), Error> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..5).map(|_| channel::bounded(1)).unzip();
    for (number, tx) in senders.iter().enumerate().filter(|(number, _)| number % 2 == 1) {
        tx.send(number).await?;
    }
    let mut arms: Vec<_> = receivers.iter().map(channel::Receiver::recv).collect();
    let mut heard = Vec::new();
    for _ in 0..2 {
        let OneOfMany { index, output, losers } = select(arms).await;
        heard.push((index, output?));
        arms = losers;
    }
    assert_eq!(heard, [(1, Some(1)), (2, Some(3))]);
    assert_eq!(arms.len(), 3);
    Ok(())
}

#[test]
#[should_panic(expected = "a select over no arms would wait for ever")]
fn no_arms_are_refused() {
    drop(select(Vec::<channel::Receiving<'_, u32>>::new()));
}

#[ballet::test]
async fn a_clock_is_not_silenced_by_an_arm_that_is_ever_ready() -> Result<(), Error> {
    let (tx, rx) = channel::unlimited();
    ballet::scope(async |s: Scope| {
        s.spawn(async move {
            loop {
                tx.send(()).await?;
                tokio::time::sleep(MS).await;
            }
            #[expect(unreachable_code, reason = "names the type of the endless child")]
            Ok(())
        });
        let mut clock = after(20 * MS);
        while let OneOf2::First(_, rest) = select((rx.recv(), clock)).await {
            clock = rest;
        }
        s.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}
