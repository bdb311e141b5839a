//! The bulkhead against a small sequential model: random callers who come, wait, are cancelled, work and leave, while
//! it is resized and closed. After every step both must say the same.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ballet::{Acquired, Bulkhead, Busy, Rejected};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Try,
    /// A new caller begins to wait.
    Queue,
    /// One of the waiting callers is polled.
    Poll(prop::sample::Index),
    /// One of the waiting callers is dropped.
    Cancel(prop::sample::Index),
    /// One of the acquired places begins to be busy.
    Begin(prop::sample::Index),
    Release(prop::sample::Index),
    End(prop::sample::Index),
    Resize(usize),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => Just(Step::Try),
        6 => Just(Step::Queue),
        6 => index().prop_map(Step::Poll),
        4 => index().prop_map(Step::Cancel),
        3 => index().prop_map(Step::Begin),
        3 => index().prop_map(Step::Release),
        4 => index().prop_map(Step::End),
        2 => prop_oneof![0_usize..5, Just(usize::MAX)].prop_map(Step::Resize),
        1 => Just(Step::Close),
    ]
}

/// What the bulkhead should do, without locks, wakers or futures.
#[derive(Debug)]
struct Model {
    places: usize,
    closed: bool,
    acquired: usize,
    busy: usize,
    /// Callers in the line, oldest first; and those who were granted a place and have not been polled since.
    line: VecDeque<u32>,
    granted_unseen: Vec<u32>,
    granted: u64,
    rejected: u64,
}

impl Model {
    fn in_use(&self) -> usize {
        self.acquired + self.busy + self.granted_unseen.len()
    }

    fn has_room(&self) -> bool {
        !self.closed && self.in_use() < self.places
    }

    fn serve(&mut self) {
        while self.has_room()
            && let Some(caller) = self.line.pop_front()
        {
            self.granted_unseen.push(caller);
            self.granted += 1;
        }
    }

    /// Whether a new caller gets in at once.
    fn enter(&mut self) -> bool {
        let enters = self.has_room() && self.line.is_empty();
        self.acquired += usize::from(enters);
        self.granted += u64::from(enters);
        enters
    }

    fn leave(&mut self, caller: u32) {
        self.line.retain(|other| *other != caller);
        self.granted_unseen.retain(|other| *other != caller);
        self.serve();
    }
}

#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Caller {
    id: u32,
    turn: Pin<Box<dyn Future<Output = Result<Acquired, Rejected>>>>,
    bell: Arc<Bell>,
}

impl Caller {
    fn new(id: u32, bulkhead: &Bulkhead) -> Self {
        let bulkhead = bulkhead.clone();
        Self { id, turn: Box::pin(async move { bulkhead.acquire().await }), bell: Arc::default() }
    }

    fn poll(&mut self) -> Poll<Result<Acquired, Rejected>> {
        let waker = Waker::from(Arc::clone(&self.bell));
        self.turn.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// The bulkhead, those who are at it, and the model beside it.
struct Stand {
    bulkhead: Bulkhead,
    model: Model,
    waiting: Vec<Caller>,
    acquired: Vec<Acquired>,
    busy: Vec<Busy>,
    next_id: u32,
}

impl Stand {
    fn new(places: usize) -> Self {
        let model = Model {
            places,
            closed: false,
            acquired: 0,
            busy: 0,
            line: VecDeque::new(),
            granted_unseen: Vec::new(),
            granted: 0,
            rejected: 0,
        };
        let bulkhead = Bulkhead::new("model", places);
        Self { bulkhead, model, waiting: Vec::new(), acquired: Vec::new(), busy: Vec::new(), next_id: 0 }
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Try => {
                let enters = self.model.enter();
                self.model.rejected += u64::from(!enters);
                let answer = self.bulkhead.try_acquire();
                prop_assert_eq!(answer.is_ok(), enters);
                self.acquired.extend(answer);
            }
            Step::Queue => {
                let caller = Caller::new(self.next_id, &self.bulkhead);
                self.next_id += 1;
                self.come(caller)?;
            }
            Step::Poll(index) if !self.waiting.is_empty() => self.poll(index.index(self.waiting.len()))?,
            Step::Cancel(index) if !self.waiting.is_empty() => {
                let caller = self.waiting.remove(index.index(self.waiting.len()));
                self.model.leave(caller.id);
            }
            Step::Begin(index) if !self.acquired.is_empty() => {
                self.busy.push(self.acquired.remove(index.index(self.acquired.len())).begin());
                self.model.acquired -= 1;
                self.model.busy += 1;
            }
            Step::Release(index) if !self.acquired.is_empty() => {
                self.acquired.remove(index.index(self.acquired.len())).release();
                self.model.acquired -= 1;
                self.model.serve();
            }
            Step::End(index) if !self.busy.is_empty() => {
                self.busy.remove(index.index(self.busy.len())).end();
                self.model.busy -= 1;
                self.model.serve();
            }
            Step::Resize(places) => {
                self.bulkhead.resize(*places);
                self.model.places = *places;
                self.model.serve();
            }
            Step::Close => {
                self.bulkhead.close();
                self.model.closed = true;
            }
            Step::Poll(_) | Step::Cancel(_) | Step::Begin(_) | Step::Release(_) | Step::End(_) => {}
        }
        self.compare()
    }

    /// A new caller is polled for the first time.
    fn come(&mut self, mut caller: Caller) -> Result<(), TestCaseError> {
        if self.model.enter() {
            let Poll::Ready(Ok(place)) = caller.poll() else {
                return Err(TestCaseError::fail("room for it"));
            };
            self.acquired.push(place);
        } else if self.model.closed {
            self.model.rejected += 1;
            prop_assert!(matches!(caller.poll(), Poll::Ready(Err(rejected)) if rejected.is_closed()));
        } else {
            prop_assert!(caller.poll().is_pending());
            self.model.line.push_back(caller.id);
            self.waiting.push(caller);
        }
        Ok(())
    }

    fn poll(&mut self, index: usize) -> Result<(), TestCaseError> {
        let id = self.waiting[index].id;
        let polled = self.waiting[index].poll();
        if self.model.granted_unseen.contains(&id) {
            let Poll::Ready(Ok(place)) = polled else { return Err(TestCaseError::fail("it was granted")) };
            self.model.granted_unseen.retain(|other| *other != id);
            self.model.acquired += 1;
            self.acquired.push(place);
            self.waiting.remove(index);
        } else if self.model.closed {
            prop_assert!(matches!(polled, Poll::Ready(Err(rejected)) if rejected.is_closed()));
            self.model.rejected += 1;
            self.model.line.retain(|other| *other != id);
            self.waiting.remove(index);
        } else {
            prop_assert!(polled.is_pending());
        }
        Ok(())
    }

    /// Every figure is the model's, and everybody with an answer to fetch has been woken.
    fn compare(&self) -> Result<(), TestCaseError> {
        let (now, model) = (self.bulkhead.occupancy(), &self.model);
        prop_assert_eq!(now.places, model.places);
        prop_assert_eq!(now.in_use, model.in_use());
        prop_assert_eq!(now.busy, model.busy);
        prop_assert_eq!(now.waiting, model.line.len());
        prop_assert_eq!(now.granted, model.granted);
        prop_assert_eq!(now.rejected, model.rejected);
        for caller in &self.waiting {
            let has_answer = model.granted_unseen.contains(&caller.id) || model.closed;
            let was_woken = caller.bell.0.load(Ordering::SeqCst) > 0;
            prop_assert!(was_woken || !has_answer, "{} has an answer and was not woken", caller.id);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn a_bulkhead_does_what_its_model_does(
        places in 0_usize..4,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut stand = Stand::new(places);
        for step in &steps {
            stand.take(step)?;
        }
        // Whoever is still there leaves, in any state; nothing is left.
        let bulkhead = stand.bulkhead.clone();
        drop(stand);
        let now = bulkhead.occupancy();
        prop_assert_eq!((now.in_use, now.busy, now.waiting), (0, 0, 0));
    }
}
