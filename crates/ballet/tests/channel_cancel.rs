//! Channels under cancellation at every moment: nothing is lost, nothing comes twice, nobody waits in vain.

#[path = "support/cut.rs"]
mod cut;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ballet::channel::{self, OneOf2, Receiver, Sender, after, select, select_fair};
use ballet::{Error, Scope, yield_now};
use cut::cut_at_yield;

const PLACES: [usize; 4] = [0, 1, 2, 64];

#[ballet::test]
async fn a_receiver_that_is_cut_at_any_yield_leaves_the_rest_to_the_next() -> Result<(), Error> {
    for (places, limit) in PLACES.into_iter().flat_map(|places| (1..=25).map(move |limit| (places, limit))) {
        let (tx, rx) = channel::bounded(places);
        let heard = ballet::scope(async |s: Scope| {
            s.spawn(async move {
                for number in 0..20 {
                    tx.send(number).await?;
                }
                Ok(())
            });
            let mut heard = Vec::new();
            let listen = async |heard: &mut Vec<u32>| {
                while let Some(number) = rx.recv().await? {
                    heard.push(number);
                }
                Ok::<_, Error>(())
            };
            cut_at_yield(limit, listen(&mut heard)).await.transpose()?;
            yield_now().await;
            listen(&mut heard).await?;
            Ok(heard)
        })
        .await?;
        assert!(heard.into_iter().eq(0..20), "{places} places, cut at {limit}");
    }
    Ok(())
}

#[ballet::test]
async fn a_sender_that_is_cut_at_any_yield_has_sent_what_it_was_told() -> Result<(), Error> {
    for (places, limit) in PLACES.into_iter().flat_map(|places| (1..=25).map(move |limit| (places, limit))) {
        let (tx, rx) = channel::bounded(places);
        let (heard, sent) = ballet::scope(async |s: Scope| {
            let heard = s.spawn(async move {
                let mut heard = Vec::new();
                while let Some(number) = rx.recv().await? {
                    heard.push(number);
                }
                Ok(heard)
            });
            let mut sent = 0_u32;
            let speak = async {
                while sent < 20 {
                    tx.send(sent).await?;
                    sent += 1;
                }
                Ok::<_, Error>(())
            };
            cut_at_yield(limit, speak).await.transpose()?;
            tx.close();
            Ok((heard.await, sent))
        })
        .await?;
        // At a rendezvous the last one may have been taken in the moment of the cut.
        let most = if places == 0 { sent + 1 } else { sent };
        let count = u32::try_from(heard.len())?;
        assert!((sent..=most).contains(&count), "{places} places, cut at {limit}: {count} of {sent}");
        assert!(heard.into_iter().eq(0..count));
    }
    Ok(())
}

/// Passes the numbers on from one channel to another, in a loop that is cut in the middle of a select and begun again.
#[ballet::test]
async fn a_select_that_is_cut_at_any_yield_has_done_nothing() -> Result<(), Error> {
    for (places, limit) in [0, 1].into_iter().flat_map(|places| (1..=15).map(move |limit| (places, limit))) {
        let ((from_tx, from), (to, to_rx)) = (channel::bounded(places), channel::bounded(places));
        let heard = ballet::scope(async |s: Scope| {
            s.spawn(async move {
                for number in 0..10 {
                    from_tx.send(number).await?;
                }
                Ok(())
            });
            let heard = s.spawn(async move {
                let mut heard = Vec::new();
                while let Some(number) = to_rx.recv().await? {
                    heard.push(number);
                }
                Ok(heard)
            });
            let mut under_way = VecDeque::new();
            cut_at_yield(limit, pass_on(&from, &to, &mut under_way)).await.transpose()?;
            pass_on(&from, &to, &mut under_way).await?;
            to.close();
            Ok(heard.await)
        })
        .await?;
        assert!(heard.into_iter().eq(0..10), "{places} places, cut at {limit}");
    }
    Ok(())
}

async fn pass_on(from: &Receiver<u32>, to: &Sender<u32>, under_way: &mut VecDeque<u32>) -> Result<(), Error> {
    loop {
        let Some(&oldest) = under_way.front() else {
            match from.recv().await? {
                Some(number) => under_way.push_back(number),
                None => return Ok(()),
            }
            continue;
        };
        match select_fair((from.recv(), to.send(oldest))).await {
            OneOf2::First(number, send) => match number? {
                Some(number) => under_way.push_back(number),
                None => {
                    send.await?;
                    under_way.pop_front();
                }
            },
            OneOf2::Second(sent, _) => {
                sent?;
                under_way.pop_front();
            }
        }
    }
}

/// What became of each item of the storm.
#[derive(Default)]
struct Ledger {
    fates: Mutex<BTreeMap<u32, Fate>>,
    next: AtomicU32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Fate {
    /// `None`: its sender was cut, and was told nothing.
    sent: Option<bool>,
    received: u32,
    dropped: u32,
}

struct Item {
    number: u32,
    ledger: Arc<Ledger>,
}

impl Item {
    fn new(ledger: &Arc<Ledger>) -> Self {
        Self { number: ledger.next.fetch_add(1, Ordering::Relaxed), ledger: Arc::clone(ledger) }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.ledger.note(self.number, |fate| fate.dropped += 1);
    }
}

impl Ledger {
    fn fates(&self) -> MutexGuard<'_, BTreeMap<u32, Fate>> {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, number: u32, change: impl FnOnce(&mut Fate)) {
        change(self.fates().entry(number).or_default());
    }

    fn receive(&self, item: &Item) {
        self.note(item.number, |fate| fate.received += 1);
    }
}

/// Sends in every way there is; `seed` differs for each sender.
async fn send_all(tx: Sender<Item>, ledger: Arc<Ledger>, seed: usize) -> Result<(), Error> {
    for step in seed..seed + 400 {
        let item = Item::new(&ledger);
        let number = item.number;
        let sent = match step % 5 {
            0 => Some(tx.try_send(item).is_ok()),
            1 | 2 => Some(tx.send(item).await.is_ok()),
            3 => cut_at_yield(1 + step % 3, tx.send(item)).await.map(|sent| sent.is_ok()),
            _ => match select((tx.send(item), after(Duration::from_micros(10)))).await {
                OneOf2::First(sent, _) => Some(sent.is_ok()),
                OneOf2::Second(..) => Some(false),
            },
        };
        ledger.note(number, |fate| fate.sent = sent);
    }
    Ok(())
}

/// Receives in every way there is, until the end.
async fn receive_all(rx: Receiver<Item>, ledger: Arc<Ledger>, seed: usize) -> Result<(), Error> {
    let mut batch = Vec::new();
    for step in seed.. {
        let received = match step % 5 {
            0 => rx.try_recv().map(Some).or_else(
                |unreceived| {
                    if unreceived.is_closed() { Ok(None) } else { Err(()) }
                },
            ),
            1 => rx.recv().await.map_err(drop),
            2 => {
                cut_at_yield(1 + step % 3, rx.recv()).await.map_or(Err(()), |received| received.map_err(drop))
            }
            3 => match select((after(Duration::from_micros(10)), rx.recv())).await {
                OneOf2::First(..) => Err(()),
                OneOf2::Second(received, _) => received.map_err(drop),
            },
            _ => {
                rx.recv_many(&mut batch, 3).await?;
                batch.drain(..).for_each(|item| ledger.receive(&item));
                Err(())
            }
        };
        match received {
            Ok(Some(item)) => ledger.receive(&item),
            Ok(None) => break,
            Err(()) => yield_now().await,
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm_each_item_is_received_once_or_comes_back() -> Result<(), Error> {
    for places in PLACES {
        let ledger = Arc::new(Ledger::default());
        let (tx, rx) = channel::bounded(places);
        let storm = ballet::scope(async |s: Scope| {
            for seed in 0..4 {
                s.spawn(send_all(tx.clone(), Arc::clone(&ledger), seed));
                s.spawn(receive_all(rx.clone(), Arc::clone(&ledger), seed));
            }
            drop((tx, rx));
            Ok(())
        });
        tokio::time::timeout(Duration::from_secs(60), storm).await.expect("somebody waits in vain")?;
        let fates = ledger.fates();
        assert_eq!(fates.len(), 1_600);
        for (number, fate) in &*fates {
            let is_right = match fate.sent {
                Some(sent) => fate.received == u32::from(sent),
                // Taken from the line in the moment of the cut.
                None => fate.received <= u32::from(places == 0),
            };
            assert!(is_right && fate.dropped == 1, "{places} places, item {number}: {fate:?}");
        }
    }
    Ok(())
}
