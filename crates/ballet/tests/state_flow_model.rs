//! States against a model of them: random writes to two cells, random looks at states that hang from one or both, and
//! handles that come and go. After every step both must say the same.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ballet::StateFlow;
use ballet::flow::{StateCell, Watcher};
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Debug)]
enum Step {
    Set(usize, u8),
    /// Adds to the value, modulo 4.
    Update(usize, u8),
    CompareAndSet(usize, u8, u8),
    /// One of the states is watched.
    Watch(usize),
    /// One of the watchers is asked.
    Recv(Index),
    Leave(Index),
    /// A cell is cloned; or one of its clones is dropped.
    Clone(usize),
    Drop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        6 => (0_usize..2, 0_u8..4).prop_map(|(cell, value)| Step::Set(cell, value)),
        4 => (0_usize..2, 0_u8..4).prop_map(|(cell, add)| Step::Update(cell, add)),
        4 => (0_usize..2, 0_u8..4, 0_u8..4).prop_map(|(cell, is, new)| Step::CompareAndSet(cell, is, new)),
        4 => (0_usize..STATES).prop_map(Step::Watch),
        14 => index().prop_map(Step::Recv),
        2 => index().prop_map(Step::Leave),
        1 => (0_usize..2).prop_map(Step::Clone),
        1 => (0_usize..2).prop_map(Step::Drop),
    ]
}

/// The states under test, as functions of the two held values: each itself, one derived from one, one from both, and a
/// diamond over the first.
const STATES: usize = 5;

fn expected(state: usize, [a, b]: [u8; 2]) -> u8 {
    match state {
        0 => a,
        1 => b,
        2 => a / 2,
        3 => a * 4 + b,
        _ => (a / 2) * 4 + a % 2,
    }
}

fn roots(state: usize) -> &'static [usize] {
    match state {
        1 => &[1],
        3 => &[0, 1],
        _ => &[0],
    }
}

#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Watching {
    state: usize,
    watcher: Watcher<u8>,
    /// Where it waits.
    bell: Option<Arc<Bell>>,
    /// What the model has told it last.
    told: Option<u8>,
}

struct Stand {
    cells: [Vec<StateCell<u8>>; 2],
    states: [StateFlow<u8>; STATES],
    watching: Vec<Watching>,
    values: [u8; 2],
}

impl Stand {
    fn new() -> Self {
        let (cell_a, a) = StateFlow::new(0);
        let (cell_b, b) = StateFlow::new(0);
        let half = a.clone().map(|a| a / 2);
        let both = a.clone().combine(b.clone(), |a, b| a * 4 + b);
        let diamond = half.clone().combine(a.clone().map(|a| a % 2), |half, rest| half * 4 + rest);
        Self {
            cells: [vec![cell_a], vec![cell_b]],
            states: [a, b, half, both, diamond],
            watching: Vec::new(),
            values: [0, 0],
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Set(cell, value) => {
                if let Some(handle) = self.cells[*cell].last() {
                    handle.set(*value);
                    self.values[*cell] = *value;
                }
            }
            Step::Update(cell, add) => {
                if let Some(handle) = self.cells[*cell].last() {
                    handle.update(|value| (value + add) % 4);
                    self.values[*cell] = (self.values[*cell] + add) % 4;
                }
            }
            Step::CompareAndSet(cell, is, new) => {
                if let Some(handle) = self.cells[*cell].last() {
                    let value = &mut self.values[*cell];
                    prop_assert_eq!(handle.compare_and_set(is, *new), *value == *is);
                    *value = if *value == *is { *new } else { *value };
                }
            }
            Step::Watch(state) => {
                let watcher = self.states[*state].watch();
                self.watching.push(Watching { state: *state, watcher, bell: None, told: None });
            }
            Step::Recv(index) if !self.watching.is_empty() => self.recv(index.index(self.watching.len()))?,
            Step::Leave(index) if !self.watching.is_empty() => {
                self.watching.remove(index.index(self.watching.len()));
            }
            Step::Clone(cell) => {
                let clone = self.cells[*cell].last().cloned();
                self.cells[*cell].extend(clone);
            }
            Step::Drop(cell) => drop(self.cells[*cell].pop()),
            Step::Recv(_) | Step::Leave(_) => {}
        }
        self.compare()
    }

    fn is_ended(&self, state: usize) -> bool {
        roots(state).iter().all(|root| self.cells[*root].is_empty())
    }

    fn recv(&mut self, index: usize) -> Result<(), TestCaseError> {
        let is_ended = self.is_ended(self.watching[index].state);
        let watching = &mut self.watching[index];
        let value = expected(watching.state, self.values);
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let polled = pin!(watching.watcher.recv()).poll(&mut Context::from_waker(&waker));
        watching.bell = None;
        if watching.told != Some(value) {
            watching.told = Some(value);
            prop_assert_eq!(polled, Poll::Ready(Some(value)));
        } else if is_ended {
            prop_assert_eq!(polled, Poll::Ready(None));
        } else {
            prop_assert!(polled.is_pending());
            watching.bell = Some(bell);
        }
        Ok(())
    }

    /// Every value is the model's, and everybody with something to be told has been woken.
    fn compare(&self) -> Result<(), TestCaseError> {
        for (index, state) in self.states.iter().enumerate() {
            prop_assert_eq!(state.value(), expected(index, self.values));
            prop_assert_eq!(state.is_ended(), self.is_ended(index));
        }
        for watching in &self.watching {
            let Some(bell) = &watching.bell else { continue };
            let differs = watching.told != Some(expected(watching.state, self.values));
            let has_news = differs || self.is_ended(watching.state);
            let was_woken = bell.0.load(Ordering::SeqCst) > 0;
            prop_assert!(was_woken || !has_news, "a watcher of {} was not woken", watching.state);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn states_do_what_their_model_does(steps in prop::collection::vec(step(), 1..120)) {
        let mut stand = Stand::new();
        for step in &steps {
            stand.take(step)?;
        }
    }
}
