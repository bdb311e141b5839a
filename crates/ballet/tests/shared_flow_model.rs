//! A shared flow against a model of itself: random steps of emitters that wait and leave, and of subscribers that come,
//! receive, wait and leave. After every step both must say the same.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ballet::flow::{NotEmitted, SharedEmitter, Subscriber};
use ballet::{SharedFlow, Sharing};
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Debug)]
enum Step {
    TryEmit,
    /// A new emission is polled once, and stays if it waits.
    Emit,
    /// One of the emissions that wait is polled.
    PollEmission(Index),
    /// One of the emissions that wait is dropped.
    CancelEmission(Index),
    Subscribe,
    /// One of the subscribers is asked for its next item, and waits if there is none.
    Recv(Index),
    RecvMany(Index, usize),
    Leave(Index),
    ForgetReplay,
    Complete,
    Fail,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        8 => Just(Step::TryEmit),
        6 => Just(Step::Emit),
        4 => index().prop_map(Step::PollEmission),
        2 => index().prop_map(Step::CancelEmission),
        3 => Just(Step::Subscribe),
        14 => index().prop_map(Step::Recv),
        2 => (index(), 1_usize..5).prop_map(|(index, limit)| Step::RecvMany(index, limit)),
        2 => index().prop_map(Step::Leave),
        1 => prop_oneof![2 => Just(Step::ForgetReplay), 1 => Just(Step::Complete), 1 => Just(Step::Fail)],
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    Suspend,
    DropOldest,
    DropLatest,
}

fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![Just(Overflow::Suspend), Just(Overflow::DropOldest), Just(Overflow::DropLatest)]
}

/// What the flow should do, without a ring, cursors, locks or wakers: it keeps everything that was ever put, and each
/// listener's own list of what it has still to receive.
#[derive(Debug)]
struct Model {
    capacity: usize,
    replay: usize,
    overflow: Overflow,
    /// What is told to a new subscriber, at most `replay` of it; with how many were dropped before each, and after all.
    replayed: Vec<(u64, u64)>,
    dropped: u64,
    listeners: BTreeMap<u32, Listener>,
    emitted: u64,
    line: Vec<u64>,
    end: Option<Result<(), String>>,
}

#[derive(Clone, Debug, Default)]
struct Listener {
    pending: Vec<u64>,
    missed: u64,
    /// Missed, and not told yet: before each pending item, and after the last.
    gaps: BTreeMap<u64, u64>,
    after: u64,
}

impl Model {
    /// The slowest has as many items to receive as the buffer holds.
    fn is_full(&self) -> bool {
        self.listeners.values().any(|listener| listener.pending.len() >= self.capacity)
    }

    /// An item gets in, or is refused because the flow is full. `None`: it waits or is refused.
    fn emit(&mut self, item: u64) -> bool {
        if self.is_full() {
            match self.overflow {
                Overflow::Suspend => return false,
                Overflow::DropLatest => {
                    self.listeners.values_mut().for_each(|listener| listener.after += 1);
                    self.dropped += 1;
                    return true;
                }
                Overflow::DropOldest => {
                    for listener in self.listeners.values_mut() {
                        listener.push_out(self.capacity - 1);
                    }
                }
            }
        }
        for listener in self.listeners.values_mut() {
            let gap = std::mem::take(&mut listener.after);
            listener.gaps.insert(item, gap);
            listener.pending.push(item);
        }
        self.replayed.push((item, std::mem::take(&mut self.dropped)));
        let surplus = self.replayed.len().saturating_sub(self.replay);
        self.replayed.drain(..surplus);
        true
    }
}

impl Listener {
    fn new(model: &Model) -> Self {
        let Some((first, later)) = model.replayed.split_first() else { return Self::default() };
        let pending = model.replayed.iter().map(|(item, _)| *item).collect();
        let gaps = [(first.0, 0)].iter().chain(later).copied().collect();
        Self { pending, missed: 0, gaps, after: model.dropped }
    }

    fn push_out(&mut self, keep: usize) {
        while self.pending.len() > keep {
            let item = self.pending.remove(0);
            let lost = 1 + self.gaps.remove(&item).unwrap_or(0);
            match self.pending.first() {
                Some(next) => *self.gaps.entry(*next).or_default() += lost,
                None => self.after += lost,
            }
        }
    }

    fn next(&mut self) -> Option<u64> {
        if self.pending.is_empty() {
            return None;
        }
        let item = self.pending.remove(0);
        self.missed += self.gaps.remove(&item).unwrap_or(0);
        Some(item)
    }
}

#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    fn has_rung(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

type Emission = Pin<Box<dyn Future<Output = Result<(), NotEmitted<u64>>>>>;

struct Waiting {
    item: u64,
    emission: Emission,
    bell: Arc<Bell>,
}

impl Waiting {
    fn poll(&mut self) -> Poll<Result<(), NotEmitted<u64>>> {
        self.bell.0.store(0, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.bell));
        self.emission.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

struct Member {
    id: u32,
    subscriber: Subscriber<u64, String>,
    /// Where it waits.
    bell: Option<Arc<Bell>>,
}

/// The flow, those who are at it, and the model beside it.
struct Stand {
    emitter: SharedEmitter<u64, String>,
    flow: SharedFlow<u64, String>,
    model: Model,
    emissions: Vec<Waiting>,
    members: Vec<Member>,
    next_id: u32,
}

impl Stand {
    fn new(capacity: usize, replay: usize, overflow: Overflow) -> Self {
        let sharing = match overflow {
            Overflow::Suspend => Sharing::suspend(capacity),
            Overflow::DropOldest => Sharing::drop_oldest(capacity),
            Overflow::DropLatest => Sharing::drop_latest(capacity),
        };
        let (emitter, flow) = SharedFlow::fallible(sharing.replay(replay));
        let model = Model {
            capacity: capacity.max(replay),
            replay,
            overflow,
            replayed: Vec::new(),
            dropped: 0,
            listeners: BTreeMap::new(),
            emitted: 0,
            line: Vec::new(),
            end: None,
        };
        Self { emitter, flow, model, emissions: Vec::new(), members: Vec::new(), next_id: 0 }
    }

    fn next_item(&mut self) -> u64 {
        self.model.emitted += 1;
        self.model.emitted
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::TryEmit => self.try_emit()?,
            Step::Emit => {
                let (item, emitter) = (self.next_item(), self.emitter.clone());
                let emission: Emission = Box::pin(async move { emitter.emit(item).await });
                self.emissions.push(Waiting { item, emission, bell: Arc::default() });
                self.model.line.push(item);
                self.poll_emission(self.emissions.len() - 1)?;
            }
            Step::PollEmission(index) if !self.emissions.is_empty() => {
                self.poll_emission(index.index(self.emissions.len()))?;
            }
            Step::CancelEmission(index) if !self.emissions.is_empty() => {
                let left = self.emissions.remove(index.index(self.emissions.len()));
                self.model.line.retain(|item| *item != left.item);
            }
            Step::Subscribe => {
                self.next_id += 1;
                let subscriber = self.flow.subscribe();
                self.members.push(Member { id: self.next_id, subscriber, bell: None });
                self.model.listeners.insert(self.next_id, Listener::new(&self.model));
            }
            Step::Recv(index) if !self.members.is_empty() => self.recv(index.index(self.members.len()))?,
            Step::RecvMany(index, limit) if !self.members.is_empty() => {
                self.recv_many(index.index(self.members.len()), *limit)?;
            }
            Step::Leave(index) if !self.members.is_empty() => {
                let left = self.members.remove(index.index(self.members.len()));
                self.model.listeners.remove(&left.id);
            }
            Step::ForgetReplay => {
                self.emitter.forget_replay();
                self.model.replayed.clear();
            }
            Step::Complete => self.end(Ok(())),
            Step::Fail => self.end(Err("failed".to_owned())),
            _ => {}
        }
        self.compare()
    }

    fn end(&mut self, end: Result<(), String>) {
        match end.clone() {
            Ok(()) => self.emitter.complete(),
            Err(error) => self.emitter.fail(error),
        }
        self.model.end.get_or_insert(end);
    }

    fn try_emit(&mut self) -> Result<(), TestCaseError> {
        let item = self.next_item();
        let others_wait = !self.model.line.is_empty() && !self.model.listeners.is_empty();
        let refused = self.emitter.try_emit(item).err();
        if self.model.end.is_some() {
            prop_assert!(refused.is_some_and(|refused| refused.is_ended()));
        } else if others_wait || !self.model.emit(item) {
            prop_assert!(refused.is_some_and(|refused| refused.is_full() && refused.into_item() == item));
        } else {
            prop_assert!(refused.is_none());
        }
        Ok(())
    }

    fn poll_emission(&mut self, index: usize) -> Result<(), TestCaseError> {
        let item = self.emissions[index].item;
        let polled = self.emissions[index].poll();
        let may_go = self.model.line[0] == item || self.model.listeners.is_empty();
        if self.model.end.is_some() {
            prop_assert!(matches!(polled, Poll::Ready(Err(refused)) if refused.is_ended()));
        } else if may_go && self.model.emit(item) {
            prop_assert!(matches!(polled, Poll::Ready(Ok(()))));
        } else {
            prop_assert!(polled.is_pending());
            return Ok(());
        }
        self.model.line.retain(|other| *other != item);
        self.emissions.remove(index);
        Ok(())
    }

    fn recv(&mut self, index: usize) -> Result<(), TestCaseError> {
        let member = &mut self.members[index];
        let listener = self.model.listeners.get_mut(&member.id).expect("it listens");
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let polled = Box::pin(member.subscriber.recv()).as_mut().poll(&mut Context::from_waker(&waker));
        member.bell = None;
        match (listener.next(), &self.model.end) {
            (Some(item), _) => prop_assert_eq!(polled, Poll::Ready(Ok(Some(item)))),
            (None, Some(end)) => {
                listener.missed += std::mem::take(&mut listener.after);
                prop_assert_eq!(polled, Poll::Ready(end.clone().map(|()| None)));
            }
            (None, None) => {
                prop_assert!(polled.is_pending());
                member.bell = Some(bell);
            }
        }
        Ok(())
    }

    fn recv_many(&mut self, index: usize, limit: usize) -> Result<(), TestCaseError> {
        let member = &mut self.members[index];
        let listener = self.model.listeners.get_mut(&member.id).expect("it listens");
        let (mut received, waker) = (Vec::new(), Waker::noop());
        let polled = Box::pin(member.subscriber.recv_many(&mut received, limit))
            .as_mut()
            .poll(&mut Context::from_waker(waker));
        member.bell = None;
        let expected: Vec<_> = std::iter::from_fn(|| listener.next()).take(limit).collect();
        match &self.model.end {
            _ if !expected.is_empty() => prop_assert_eq!(polled, Poll::Ready(Ok(expected.len()))),
            Some(end) => {
                listener.missed += std::mem::take(&mut listener.after);
                prop_assert_eq!(polled, Poll::Ready(end.clone().map(|()| 0)));
            }
            None => prop_assert!(polled.is_pending()),
        }
        prop_assert_eq!(received, expected);
        Ok(())
    }

    /// Every figure is the model's, and everybody with an answer to fetch has been woken.
    fn compare(&self) -> Result<(), TestCaseError> {
        let model = &self.model;
        prop_assert_eq!(self.flow.subscribers(), model.listeners.len());
        let replayed: Vec<_> = model.replayed.iter().map(|(item, _)| *item).collect();
        prop_assert_eq!(self.flow.replayed(), replayed);
        prop_assert_eq!(self.flow.is_ended(), model.end.is_some());
        for member in &self.members {
            let listener = &model.listeners[&member.id];
            prop_assert_eq!(member.subscriber.behind(), listener.pending.len());
            prop_assert_eq!(member.subscriber.missed(), listener.missed);
            if let Some(bell) = &member.bell {
                let has_answer = !listener.pending.is_empty() || model.end.is_some();
                prop_assert!(bell.has_rung() || !has_answer, "subscriber {} was not woken", member.id);
            }
        }
        for waiting in &self.emissions {
            let has_turn = model.listeners.is_empty() || (model.line[0] == waiting.item && !model.is_full());
            let has_answer = has_turn || model.end.is_some();
            prop_assert!(waiting.bell.has_rung() || !has_answer, "emission {} was not woken", waiting.item);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn a_shared_flow_does_what_its_model_does(
        // More than the buffer has slots for at first, now and then.
        capacity in prop_oneof![3 => 1_usize..5, 1 => 5_usize..20],
        replay in 0_usize..4,
        overflow in overflow(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut stand = Stand::new(capacity, replay, overflow);
        for step in &steps {
            stand.take(step)?;
        }
        // Whoever is still there leaves, in any state; only the replay is kept.
        stand.members.clear();
        stand.emissions.clear();
        let kept = stand.flow.replayed();
        prop_assert_eq!(kept.len(), stand.model.replayed.len());
        let (shown, buffered) = (format!("{:?}", stand.flow), format!("buffered: {}", kept.len()));
        prop_assert!(shown.contains(&buffered), "{}", shown);
    }
}
