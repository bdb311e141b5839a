//! Channels: what is sent is received, once and in order; who waits for whom; and how a channel ends.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ballet::channel::{self, Receiver, Sender, Stats};
use ballet::{Error, Scope};

const MS: Duration = Duration::from_millis(1);

/// Polls once, and remembers nothing.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The item of a receive that is ready.
fn received<T>(polled: Poll<Result<Option<T>, channel::Cause>>) -> Option<T> {
    match polled {
        Poll::Ready(Ok(item)) => item,
        Poll::Ready(Err(cause)) => panic!("closed: {cause}"),
        Poll::Pending => panic!("it had to be ready"),
    }
}

type Pair<T> = (Sender<T>, Receiver<T>);

fn each_kind<T>() -> [(&'static str, Pair<T>); 6] {
    [
        ("rendezvous", channel::rendezvous()),
        ("bounded", channel::bounded(2)),
        ("conflated", channel::conflated()),
        ("drop_oldest", channel::drop_oldest(2)),
        ("drop_latest", channel::drop_latest(2)),
        ("unlimited", channel::unlimited()),
    ]
}

#[ballet::test]
async fn items_come_in_the_order_in_which_they_were_sent() -> Result<(), Error> {
    for places in [0, 1, 2, 64, usize::MAX] {
        let (tx, rx) = channel::bounded(places);
        let heard = ballet::scope(async |s: Scope| {
            s.spawn(async move {
                for number in 0..1_000 {
                    tx.send(number).await?;
                }
                Ok(())
            });
            let mut heard = Vec::new();
            while let Some(number) = rx.recv().await? {
                heard.push(number);
            }
            Ok(heard)
        })
        .await?;
        assert!(heard.into_iter().eq(0..1_000), "{places} places");
    }
    Ok(())
}

#[test]
fn a_full_channel_makes_its_sender_wait_and_a_place_lets_it_go_on() {
    let (tx, rx) = channel::bounded(1);
    tx.try_send(1).unwrap();
    let mut second = tx.send(2);
    assert!(poll_once(&mut second).is_pending());
    assert_eq!(rx.try_recv().unwrap(), 1);
    // The place is kept for who waits: nobody overtakes.
    assert_eq!(tx.try_send(3).unwrap_err().into_item(), 3);
    assert!(matches!(poll_once(&mut second), Poll::Ready(Ok(()))));
    assert_eq!(rx.try_recv().unwrap(), 2);
}

#[test]
fn a_send_that_is_dropped_while_it_waits_has_sent_nothing_and_passes_its_place_on() {
    let (tx, rx) = channel::bounded(1);
    tx.try_send(1).unwrap();
    let (mut second, mut third) = (tx.send(2), tx.send(3));
    assert!(poll_once(&mut second).is_pending() && poll_once(&mut third).is_pending());
    assert_eq!(rx.try_recv().unwrap(), 1);
    drop(second); // called up, and gone
    assert!(matches!(poll_once(&mut third), Poll::Ready(Ok(()))));
    assert_eq!(rx.try_recv().unwrap(), 3);
    assert_eq!(rx.stats().sent, 2);
}

#[test]
fn an_item_on_its_way_stays_in_the_channel_when_its_receiver_is_dropped() {
    for places in [0, 1] {
        let (tx, rx) = channel::bounded(places);
        let (mut first, mut second) = (rx.recv(), rx.recv());
        assert!(poll_once(&mut first).is_pending() && poll_once(&mut second).is_pending());
        tx.try_send('a').unwrap();
        assert!(rx.try_recv().unwrap_err().is_empty(), "it is kept for the first");
        drop(first);
        assert_eq!(received(poll_once(&mut second)), Some('a'));
    }
}

#[test]
fn a_rendezvous_gives_what_a_sender_has_brought_to_who_does_not_wait() {
    let (tx, rx) = channel::rendezvous();
    let mut sending = tx.send('a');
    assert!(poll_once(&mut sending).is_pending());
    assert_eq!(rx.try_recv().unwrap(), 'a');
    assert!(matches!(poll_once(&mut sending), Poll::Ready(Ok(()))));
    assert!(rx.try_recv().unwrap_err().is_empty());
}

// In Ballet the hook that releases an undelivered element is the item's own destructor.
#[ballet::test]
async fn c46_an_undelivered_item_is_released_exactly_once_and_a_failed_try_send_gives_it_back() {
    for (kind, (tx, rx)) in each_kind() {
        let item = Arc::new(());
        // Some are in the channel, some wait, one waits and is cancelled.
        for _ in 0..4 {
            drop(tx.try_send(Arc::clone(&item)));
        }
        let mut waiting: Vec<_> = (0..3).map(|_| tx.send(Arc::clone(&item))).collect();
        waiting.retain_mut(|sending| poll_once(sending).is_pending());
        waiting.pop();
        drop(rx); // the channel is given up with all that is in it
        for sending in waiting {
            let unsent = sending.await.unwrap_err();
            assert!(unsent.is_closed() && unsent.cause().is_none(), "{kind}");
            assert!(Arc::ptr_eq(&unsent.into_item(), &item), "{kind}");
        }
        assert_eq!(Arc::strong_count(&item), 1, "{kind}");
        let unsent = tx.try_send(item).unwrap_err();
        assert_eq!(Arc::strong_count(&unsent.into_item()), 1, "{kind}");
    }
}

#[ballet::test]
async fn c48_who_waited_before_the_close_still_sends_and_the_rest_gets_the_cause() -> Result<(), Error> {
    let (tx, rx) = channel::bounded(1);
    tx.send(1).await?;
    let mut before = tx.send(2);
    assert!(poll_once(&mut before).is_pending());
    assert!(tx.close_with(Error::msg("the curtain fell")));
    assert!(!tx.close() && !rx.close_with(Error::msg("too late")));
    for unsent in [tx.send(3).await.unwrap_err(), tx.try_send(3).unwrap_err()] {
        assert!(unsent.is_closed());
        assert_eq!(unsent.to_string(), "the channel is closed: the curtain fell");
        assert_eq!(unsent.into_item(), 3);
    }
    assert_eq!(rx.recv().await?, Some(1));
    before.await?;
    assert_eq!(rx.recv().await?, Some(2));
    for _ in 0..2 {
        assert_eq!(rx.recv().await.unwrap_err().to_string(), "the curtain fell");
        assert_eq!(rx.try_recv().unwrap_err().cause().unwrap().to_string(), "the curtain fell");
    }
    Ok(())
}

#[ballet::test]
async fn c49_a_conflated_channel_gives_the_last_item_and_then_the_end() -> Result<(), Error> {
    let (tx, rx) = channel::conflated();
    tx.send('a').await?;
    tx.send('b').await?;
    tx.close();
    assert_eq!((rx.recv().await?, rx.recv().await?), (Some('b'), None));
    Ok(())
}

#[ballet::test]
async fn waiting_receivers_are_told_of_the_end() -> Result<(), Error> {
    let (tx, rx) = channel::bounded::<u32>(4);
    ballet::scope(async |s: Scope| {
        let waiting = [rx.clone(), rx].map(|rx| s.spawn(async move { Ok(rx.recv().await?) }));
        tokio::time::sleep(MS).await;
        drop(tx);
        for waiting in waiting {
            assert_eq!(waiting.await, None);
        }
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_receiver_waits_for_who_was_called_up_before_the_close_and_learns_when_it_leaves() {
    let (tx, rx) = channel::bounded(1);
    tx.try_send(1).unwrap();
    let mut before = tx.send(2);
    assert!(poll_once(&mut before).is_pending());
    tx.close();
    assert_eq!(rx.try_recv().unwrap(), 1);
    let mut last = rx.recv();
    assert!(poll_once(&mut last).is_pending());
    drop(before);
    assert_eq!(received(poll_once(&mut last)), None);
}

#[ballet::test]
async fn a_sender_can_wait_for_the_end() -> Result<(), Error> {
    let (tx, rx) = channel::bounded::<u32>(4);
    ballet::scope(async |s: Scope| {
        let told = s.spawn(async move {
            tx.closed().await;
            Ok(tx.is_closed())
        });
        tokio::time::sleep(MS).await;
        drop(rx);
        assert!(told.await);
        Ok(())
    })
    .await?;
    Ok(())
}

#[test]
fn statistics_tell_length_peak_and_waits() {
    let (tx, rx) = channel::bounded(2);
    for number in 0..2 {
        tx.try_send(number).unwrap();
    }
    let mut waits = pin!(tx.send(2));
    assert!(poll_once(&mut waits).is_pending());
    let Stats { len, peak, send_waits, waiting_senders, .. } = tx.stats();
    assert_eq!((len, peak, send_waits, waiting_senders), (2, 2, 1, 1));
    rx.try_recv().unwrap();
    let Stats { len, peak, received, waiting_senders, .. } = rx.stats();
    assert_eq!((len, peak, received, waiting_senders), (1, 2, 1, 0));
}

/// Looks at its channel while it is dropped, which waits for ever where that happens under the channel's lock.
struct Curious(Option<Sender<Curious>>, Arc<AtomicUsize>);

impl Drop for Curious {
    fn drop(&mut self) {
        let tx = self.0.take();
        assert!(tx.is_none_or(|tx| tx.stats().senders > 0));
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn an_item_may_use_its_channel_while_it_is_dropped() {
    for (kind, (tx, rx)) in each_kind() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let item = || Curious(Some(tx.clone()), Arc::clone(&dropped));
        let mut waiting: Vec<_> = (0..5).map(|_| tx.send(item())).collect();
        waiting.retain_mut(|sending| poll_once(sending).is_pending());
        waiting.pop();
        drop(rx);
        waiting.retain_mut(|sending| poll_once(sending).is_pending());
        assert!(waiting.is_empty());
        assert_eq!(dropped.load(Ordering::SeqCst), 5, "{kind}");
    }
}

/// Uses the channel when it is woken.
struct Eager(Receiver<u32>, AtomicUsize);

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(self.0.stats().len, Ordering::SeqCst);
    }
}

#[test]
fn whoever_is_woken_may_use_the_channel_at_once() {
    let (tx, rx) = channel::bounded(1);
    let eager = Arc::new(Eager(rx.clone(), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&eager));
    let mut receiving = rx.recv();
    assert!(Pin::new(&mut receiving).poll(&mut Context::from_waker(&waker)).is_pending());
    tx.try_send(1).unwrap();
    assert_eq!(eager.1.load(Ordering::SeqCst), 1);
}

#[ballet::test]
async fn a_loop_over_a_channel_that_is_ever_ready_lets_others_run() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let greedy = s.spawn(async move {
            let (tx, rx) = channel::bounded(1);
            loop {
                tx.send(()).await?;
                rx.recv().await?;
            }
            #[expect(unreachable_code, reason = "names the type of the endless child")]
            Ok(())
        });
        tokio::task::yield_now().await;
        greedy.job().cancel();
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_receiver_that_takes_long_over_each_item_lets_others_run_more_often() -> Result<(), Error> {
    const ITEMS: usize = 2_000;
    let (tx, rx) = channel::unlimited();
    (0..ITEMS).try_for_each(|number| tx.try_send(number)).expect("there is room for all");
    drop(tx);
    let turns = ballet::scope(async |s: Scope| {
        let slow = s.spawn(async move {
            while rx.recv().await?.is_some() {
                let start = std::time::Instant::now();
                while start.elapsed() < Duration::from_micros(20) {}
            }
            Ok(())
        });
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = s.spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                ballet::yield_now().await;
            }
            #[expect(unreachable_code, reason = "names the type of the endless child")]
            Ok(())
        });
        slow.await;
        other.job().cancel();
        Ok(turns.load(Ordering::Relaxed))
    });
    let turns = turns.await?;
    assert!(turns > 5, "{turns} turns of others");
    Ok(())
}

#[ballet::test]
async fn receivers_are_served_in_the_order_in_which_they_came() -> Result<(), Error> {
    let (tx, rx) = channel::bounded(4);
    ballet::scope(async |s: Scope| {
        let mut waiting = Vec::new();
        for _ in 0..4 {
            let rx = rx.clone();
            waiting.push(s.spawn(async move { Ok(rx.recv().await?) }));
            tokio::time::sleep(MS).await;
        }
        for number in 0..4 {
            tx.send(number).await?;
        }
        for (number, waiting) in waiting.into_iter().enumerate() {
            assert_eq!(waiting.await, Some(number));
        }
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_batch_takes_what_is_there_and_lets_as_many_senders_go_on() -> Result<(), Error> {
    let (tx, rx) = channel::bounded(2);
    ballet::scope(async |s: Scope| {
        for number in 0..6 {
            let tx = tx.clone();
            s.spawn(async move { Ok(tx.send(number).await?) });
        }
        drop(tx);
        tokio::time::sleep(MS).await;
        let mut batch = Vec::new();
        assert_eq!((rx.recv_many(&mut batch, 5).await?, rx.stats().waiting_senders), (2, 2));
        while rx.recv_many(&mut batch, 5).await? > 0 {}
        batch.sort_unstable();
        assert_eq!(batch, [0, 1, 2, 3, 4, 5]);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
#[should_panic(expected = "this send has ended and cannot be polled again")]
async fn a_send_that_has_ended_is_not_polled_again() {
    let (tx, _rx) = channel::bounded(1);
    let mut sending = tx.send(1);
    assert!(poll_once(&mut sending).is_ready());
    let _ = poll_once(&mut sending);
}
