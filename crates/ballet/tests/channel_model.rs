//! Channels of every kind against a small sequential model: random senders and receivers who come, wait, are polled
//! and are cancelled, while the channel is closed. After every step both must say the same.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ballet::Error;
use ballet::channel::{self, Cause, Receiver, Sender, Unsent, select};
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bounded(usize),
    DropOldest(usize),
    DropLatest(usize),
    Unlimited,
}

#[derive(Clone, Debug)]
enum Step {
    TrySend,
    /// A new sender is polled for the first time: alone, or as the only arm of a select.
    Send {
        in_select: bool,
    },
    PollSend(Index),
    DropSend(Index),
    TryRecv,
    Recv,
    PollRecv(Index),
    DropRecv(Index),
    Close {
        with_cause: bool,
    },
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        6 => (0_usize..4).prop_map(Kind::Bounded),
        1 => (1_usize..3).prop_map(Kind::DropOldest),
        1 => (1_usize..3).prop_map(Kind::DropLatest),
        1 => Just(Kind::Unlimited),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        12 => Just(Step::TrySend),
        24 => any::<bool>().prop_map(|in_select| Step::Send { in_select }),
        16 => index().prop_map(Step::PollSend),
        12 => index().prop_map(Step::DropSend),
        12 => Just(Step::TryRecv),
        20 => Just(Step::Recv),
        16 => index().prop_map(Step::PollRecv),
        12 => index().prop_map(Step::DropRecv),
        1 => any::<bool>().prop_map(|with_cause| Step::Close { with_cause }),
    ]
}

const CAUSE: &str = "the curtain fell";

/// What a call is told, with items as their numbers.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Sent,
    Full(u32),
    Refused(u32),
    Item(u32),
    Empty,
    End,
    Broken,
    Waits,
}

/// A sender in the line of the model.
#[derive(Clone, Copy, Debug)]
struct Offer {
    id: u32,
    item: u32,
    /// A receiver may take the item from the line.
    brings: bool,
}

/// What a channel should do, without locks, wakers or futures.
#[derive(Debug)]
struct Model {
    kind: Kind,
    items: VecDeque<u32>,
    senders: VecDeque<Offer>,
    /// Those for whom a place is kept.
    called_senders: Vec<Offer>,
    /// Those whose item was taken from the line.
    done_senders: Vec<u32>,
    receivers: VecDeque<u32>,
    /// Those for whom an item is kept.
    called_receivers: Vec<u32>,
    /// With whether there was a cause.
    closed: Option<bool>,
    dropped: u64,
}

impl Model {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            items: VecDeque::new(),
            senders: VecDeque::new(),
            called_senders: Vec::new(),
            done_senders: Vec::new(),
            receivers: VecDeque::new(),
            called_receivers: Vec::new(),
            closed: None,
            dropped: 0,
        }
    }

    fn is_rendezvous(&self) -> bool {
        matches!(self.kind, Kind::Bounded(0))
    }

    fn has_room(&self) -> bool {
        let places = match self.kind {
            Kind::Bounded(0) => return self.receivers.len() > self.called_senders.len(),
            Kind::Bounded(places) | Kind::DropOldest(places) | Kind::DropLatest(places) => places,
            Kind::Unlimited => usize::MAX,
        };
        self.items.len() + self.called_senders.len() < places
    }

    /// Everybody who can go on is called up, in the order in which they came.
    fn call_up(&mut self) {
        loop {
            if self.items.len() > self.called_receivers.len()
                && let Some(receiver) = self.receivers.pop_front()
            {
                self.called_receivers.push(receiver);
            } else if self.has_room()
                && let Some(offer) = self.senders.pop_front()
            {
                if offer.brings {
                    self.items.push_back(offer.item);
                    self.done_senders.push(offer.id);
                } else {
                    self.called_senders.push(offer);
                }
            } else {
                return;
            }
        }
    }

    fn try_send(&mut self, item: u32) -> Answer {
        if self.closed.is_some() {
            return Answer::Refused(item);
        }
        if self.has_room() {
            self.items.push_back(item);
        } else {
            match self.kind {
                Kind::Bounded(_) | Kind::Unlimited => return Answer::Full(item),
                Kind::DropOldest(_) => {
                    self.items.pop_front();
                    self.items.push_back(item);
                    self.dropped += 1;
                }
                Kind::DropLatest(_) => self.dropped += 1,
            }
        }
        self.call_up();
        Answer::Sent
    }

    fn send(&mut self, id: u32, item: u32, in_select: bool) -> Answer {
        match self.try_send(item) {
            Answer::Full(_) => {
                let brings = self.is_rendezvous() && !in_select;
                self.senders.push_back(Offer { id, item, brings });
                Answer::Waits
            }
            answer => answer,
        }
    }

    fn poll_send(&mut self, id: u32) -> Answer {
        if self.done_senders.contains(&id) {
            self.done_senders.retain(|other| *other != id);
            return Answer::Sent;
        }
        let Some(index) = self.called_senders.iter().position(|offer| offer.id == id) else {
            return Answer::Waits;
        };
        let offer = self.called_senders.remove(index);
        if self.is_rendezvous() && self.receivers.is_empty() {
            // The receiver for which it was called up has left.
            self.senders.push_front(offer);
            return Answer::Waits;
        }
        self.items.push_back(offer.item);
        self.call_up();
        Answer::Sent
    }

    fn drop_send(&mut self, id: u32) {
        self.senders.retain(|offer| offer.id != id);
        self.called_senders.retain(|offer| offer.id != id);
        self.done_senders.retain(|other| *other != id);
        self.call_up();
    }

    fn end(&self) -> Option<Answer> {
        let is_drained = self.items.is_empty() && self.senders.is_empty() && self.called_senders.is_empty();
        let with_cause = self.closed.filter(|_| is_drained)?;
        Some(if with_cause { Answer::Broken } else { Answer::End })
    }

    fn take(&mut self) -> Option<u32> {
        if self.items.len() == self.called_receivers.len() {
            if !self.receivers.is_empty() {
                return None;
            }
            let offer = *self.senders.front().filter(|offer| offer.brings)?;
            self.senders.pop_front();
            self.items.push_back(offer.item);
            self.done_senders.push(offer.id);
        }
        let item = self.items.pop_front();
        self.call_up();
        item
    }

    fn try_recv(&mut self) -> Answer {
        self.take().map(Answer::Item).or_else(|| self.end()).unwrap_or(Answer::Empty)
    }

    fn recv(&mut self, id: u32) -> Answer {
        let answer = self.take().map(Answer::Item).or_else(|| self.end());
        answer.unwrap_or_else(|| {
            self.receivers.push_back(id);
            self.call_up();
            Answer::Waits
        })
    }

    fn poll_recv(&mut self, id: u32) -> Answer {
        if self.called_receivers.contains(&id) {
            self.called_receivers.retain(|other| *other != id);
            let item = self.items.pop_front().expect("it is kept for it");
            self.call_up();
            return Answer::Item(item);
        }
        match self.end() {
            Some(end) => {
                self.receivers.retain(|other| *other != id);
                end
            }
            None => Answer::Waits,
        }
    }

    fn drop_recv(&mut self, id: u32) {
        self.receivers.retain(|other| *other != id);
        self.called_receivers.retain(|other| *other != id);
        self.call_up();
    }

    /// Whether a call that waits has something to fetch.
    fn has_answer(&self, id: u32) -> bool {
        self.done_senders.contains(&id)
            || self.called_senders.iter().any(|offer| offer.id == id)
            || self.called_receivers.contains(&id)
            || (self.end().is_some() && self.receivers.contains(&id))
    }
}

/// Counts how many items are alive.
struct Item(u32, Arc<AtomicUsize>);

impl Drop for Item {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A call that waits, and whether it was woken since it was polled.
struct Call<T> {
    id: u32,
    future: Pin<Box<dyn Future<Output = T>>>,
    bell: Arc<Bell>,
}

impl<T> Call<T> {
    fn poll(&mut self) -> Poll<T> {
        self.bell.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.bell));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

type Sent = Result<(), Unsent<Item>>;
type Received = Result<Option<Item>, Cause>;

/// The channel, those who are at it, and the model beside it.
struct Stand {
    tx: Arc<Sender<Item>>,
    rx: Arc<Receiver<Item>>,
    model: Model,
    sends: Vec<Call<Sent>>,
    receives: Vec<Call<Received>>,
    alive: Arc<AtomicUsize>,
    next: u32,
}

impl Stand {
    fn new(kind: Kind) -> Self {
        let (tx, rx) = match kind {
            Kind::Bounded(places) => channel::bounded(places),
            Kind::DropOldest(places) => channel::drop_oldest(places),
            Kind::DropLatest(places) => channel::drop_latest(places),
            Kind::Unlimited => channel::unlimited(),
        };
        Self {
            tx: Arc::new(tx),
            rx: Arc::new(rx),
            model: Model::new(kind),
            sends: Vec::new(),
            receives: Vec::new(),
            alive: Arc::default(),
            next: 0,
        }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn item(&mut self) -> Item {
        self.alive.fetch_add(1, Ordering::SeqCst);
        Item(self.number(), Arc::clone(&self.alive))
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let (said, expected) = match step {
            Step::TrySend => {
                let item = self.item();
                let expected = self.model.try_send(item.0);
                (sent(Poll::Ready(self.tx.try_send(item))), expected)
            }
            Step::Send { in_select } => self.send(*in_select),
            Step::PollSend(index) if !self.sends.is_empty() => {
                let index = index.index(self.sends.len());
                let said = sent(self.sends[index].poll());
                let expected = self.model.poll_send(self.sends[index].id);
                if said != Answer::Waits {
                    self.sends.remove(index);
                }
                (said, expected)
            }
            Step::DropSend(index) if !self.sends.is_empty() => {
                let call = self.sends.remove(index.index(self.sends.len()));
                self.model.drop_send(call.id);
                return Ok(());
            }
            Step::TryRecv => {
                let said = match self.rx.try_recv() {
                    Ok(item) => Answer::Item(item.0),
                    Err(unreceived) if unreceived.is_empty() => Answer::Empty,
                    Err(unreceived) if unreceived.cause().is_some() => Answer::Broken,
                    Err(_) => Answer::End,
                };
                (said, self.model.try_recv())
            }
            Step::Recv => self.recv(),
            Step::PollRecv(index) if !self.receives.is_empty() => {
                let index = index.index(self.receives.len());
                let said = received(self.receives[index].poll());
                let expected = self.model.poll_recv(self.receives[index].id);
                if said != Answer::Waits {
                    self.receives.remove(index);
                }
                (said, expected)
            }
            Step::DropRecv(index) if !self.receives.is_empty() => {
                let call = self.receives.remove(index.index(self.receives.len()));
                self.model.drop_recv(call.id);
                return Ok(());
            }
            Step::Close { with_cause } => {
                let was_open =
                    if *with_cause { self.tx.close_with(Error::msg(CAUSE)) } else { self.rx.close() };
                prop_assert_eq!(was_open, self.model.closed.is_none());
                self.model.closed.get_or_insert(*with_cause);
                return Ok(());
            }
            Step::PollSend(_) | Step::DropSend(_) | Step::PollRecv(_) | Step::DropRecv(_) => return Ok(()),
        };
        prop_assert_eq!(said, expected);
        Ok(())
    }

    fn send(&mut self, in_select: bool) -> (Answer, Answer) {
        let (id, item) = (self.number(), self.item());
        let expected = self.model.send(id, item.0, in_select);
        let tx = Arc::clone(&self.tx);
        let future: Pin<Box<dyn Future<Output = Sent>>> = if in_select {
            Box::pin(async move { select(vec![tx.send(item)]).await.output })
        } else {
            Box::pin(async move { tx.send(item).await })
        };
        let mut call = Call { id, future, bell: Arc::default() };
        let said = sent(call.poll());
        if said == Answer::Waits {
            self.sends.push(call);
        }
        (said, expected)
    }

    fn recv(&mut self) -> (Answer, Answer) {
        let id = self.number();
        let expected = self.model.recv(id);
        let rx = Arc::clone(&self.rx);
        let mut call = Call { id, future: Box::pin(async move { rx.recv().await }), bell: Arc::default() };
        let said = received(call.poll());
        if said == Answer::Waits {
            self.receives.push(call);
        }
        (said, expected)
    }

    /// Every figure is the model's, and everybody with an answer to fetch has been woken.
    fn compare(&self) -> Result<(), TestCaseError> {
        let (now, model) = (self.tx.stats(), &self.model);
        prop_assert_eq!(now.len, model.items.len());
        prop_assert_eq!(now.waiting_senders, model.senders.len());
        prop_assert_eq!(now.waiting_receivers, model.receivers.len());
        prop_assert_eq!(now.dropped, model.dropped);
        let latest_dropped = if matches!(model.kind, Kind::DropLatest(_)) { now.dropped } else { 0 };
        prop_assert_eq!(now.sent - now.received, now.len as u64 + now.dropped - latest_dropped);
        let calls = self.sends.iter().map(|call| (call.id, &call.bell));
        for (id, bell) in calls.chain(self.receives.iter().map(|call| (call.id, &call.bell))) {
            let was_woken = bell.0.load(Ordering::SeqCst);
            prop_assert!(was_woken || !model.has_answer(id), "{} has an answer and was not woken", id);
        }
        let held = model.items.len() + self.sends.len() - model.done_senders.len();
        prop_assert_eq!(self.alive.load(Ordering::SeqCst), held, "items are lost or kept");
        Ok(())
    }
}

fn sent(polled: Poll<Sent>) -> Answer {
    match polled {
        Poll::Pending => Answer::Waits,
        Poll::Ready(Ok(())) => Answer::Sent,
        Poll::Ready(Err(unsent)) if unsent.is_full() => Answer::Full(unsent.into_item().0),
        Poll::Ready(Err(unsent)) => Answer::Refused(unsent.into_item().0),
    }
}

fn received(polled: Poll<Received>) -> Answer {
    match polled {
        Poll::Pending => Answer::Waits,
        Poll::Ready(Ok(Some(item))) => Answer::Item(item.0),
        Poll::Ready(Ok(None)) => Answer::End,
        Poll::Ready(Err(cause)) => {
            assert_eq!(cause.to_string(), CAUSE);
            Answer::Broken
        }
    }
}

proptest! {
    #[test]
    fn a_channel_does_what_its_model_does(
        kind in kind(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut stand = Stand::new(kind);
        for step in &steps {
            stand.take(step)?;
            stand.compare()?;
        }
        // Whoever is still there leaves, in any state; no item is left.
        let alive = Arc::clone(&stand.alive);
        drop(stand);
        prop_assert_eq!(alive.load(Ordering::SeqCst), 0);
    }
}
