//! One life of a source: wait until it is due, go in, visit, make durable what came, and again.
//!
//! Every wait says on the board what it is for. When the stage drains, waits end at once and a visit under way is finished.
//! The life may be dropped at any of its awaits: what is not durable by then is fetched again by the next.

use std::{sync::Arc, time::Duration};

use ballet::{Acquired, Admission, Backoff, Life};
use jiff::Timestamp;
use rand::RngExt;
use tokio::time::{Instant, sleep_until};

use super::{
    Shared,
    board::{Line, Phase, Waits},
    crashes::Crashes,
    verdict::{self, Host, Next},
};
use crate::{
    source::{Doing, Errand, Trouble, Visited},
    store::{Committed, Error, SourceState, Visit},
    web::Web,
};

/// A visit that takes longer is broken off. Kinds have tighter limits of their own; this one is for those that forget it.
const VISIT_TIME_MAX: Duration = Duration::from_secs(10 * 60);
/// How long a source rests that keeps panicking.
const PARKED: Backoff = Backoff::exponential(Duration::from_secs(15 * 60), Duration::from_secs(6 * 60 * 60));

/// A source under supervision.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) shared: Arc<Shared>,
    pub(super) line: Arc<Line>,
    pub(super) web: Web,
    /// Overdue at its start, it is visited at random within this time.
    pub(super) spread: Duration,
}

/// When a source is to be visited, and why not sooner.
struct Due {
    at: Instant,
    what: Waits,
    why: String,
}

/// The right to visit.
struct Passage {
    admission: Admission,
    places: Places,
}

/// A place at the host, and one among all visits. Held until what the visit brought is in the store or given up: until then
/// it takes up memory.
struct Places {
    _at_host: Acquired,
    _among_all: Acquired,
}

/// Runs until the stage drains.
///
/// # Errors
///
/// When the store fails. What fails at the source is on the board.
pub(super) async fn tend(life: Life<Crashes>, source: Arc<Source>) -> Result<(), ballet::Error> {
    life.ready();
    let mut crashes = life.inherit().unwrap_or_default();
    let rest = if life.restarts() > 0 { crashes.note(Instant::now(), &PARKED) } else { None };
    // A panic from here on finds them as they are.
    life.leave(crashes.clone());
    let survived = || {
        crashes.forget();
        life.leave(crashes.clone());
    };
    source.visit_again_and_again(rest, survived).await?;
    source.line.show(Phase::Stopped);
    Ok(())
}

impl Source {
    async fn visit_again_and_again(
        &self,
        rest: Option<Duration>,
        mut survived: impl FnMut(),
    ) -> Result<(), ballet::Error> {
        // What is awaited stands in boxes of its own, so that a source that waits, as nearly all do nearly always, is small.
        let mut state = Box::pin(self.remember()).await?;
        self.line.keep(&state);
        if let Some(rest) = rest
            && Box::pin(self.park(rest)).await.is_none()
        {
            return Ok(());
        }
        let mut due = self.first_due(&state);
        loop {
            if let Some(why) = state.disabled.clone() {
                self.line.show(Phase::Disabled { why });
                ballet::draining().await;
                return Ok(());
            }
            let Some(()) = self.wait_until(&due).await else { return Ok(()) };
            let Some(passage) = Box::pin(undrained(self.go_in(&state))).await else { return Ok(()) };
            self.line.began_late(due.at.elapsed());
            let ended = Box::pin(self.visit(&state)).await;
            match verdict::host(&ended) {
                Host::Lives => passage.admission.succeeded(),
                Host::Dead => passage.admission.failed(),
            }
            (state, due) = Box::pin(self.make_durable(&state, ended, passage.places)).await?;
            self.line.survived(&state);
            survived();
        }
    }

    /// What is known of it from before, as far as it fits its settings.
    async fn remember(&self) -> Result<Arc<SourceState>, Error> {
        let settings = &self.line.settings;
        let mut state = self.shared.store.source(&settings.name).await?;
        state.fit(settings);
        Ok(Arc::new(state))
    }

    /// None when the stage drains.
    async fn park(&self, rest: Duration) -> Option<()> {
        let until = Instant::now() + rest;
        let why = "it panicked too often; it is tried once when it has rested".to_owned();
        tracing::warn!(source = %self.line.settings.name, ?rest, "a source is parked");
        self.line.show(Phase::Parked { until, why });
        self.rest(until, true).await
    }

    /// The wait that was planned before the process ended, as far as the wall clock can tell; never longer than planned.
    fn first_due(&self, state: &SourceState) -> Due {
        let left = state.next_at.map(|at| at.duration_since(self.shared.clock.now()));
        let left = left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default();
        let mut left = left.min(state.next_wait);
        let what = match state.next_is_asked && !left.is_zero() {
            true => Waits::Server,
            false if state.failures > 0 => Waits::Backoff,
            false => Waits::Schedule,
        };
        if left.is_zero() {
            let spread = self.spread.min(self.line.settings.pace.floor);
            left = spread.mul_f64(rand::rng().random_range(0.0..=1.0));
        }
        Due { at: Instant::now() + left, what, why: state.next_why.clone() }
    }

    /// None when the stage drains.
    async fn wait_until(&self, due: &Due) -> Option<()> {
        self.waits(Some(due.at), due.what, due.why.clone());
        // Nobody but the server can give that back.
        let may_be_hurried = due.what != Waits::Server;
        self.rest(due.at, may_be_hurried).await
    }

    /// Until then, or until somebody wants it visited now, if that counts. None when the stage drains.
    ///
    /// One flat wait, since nearly all sources are in it nearly always: a future that is handed on is held once more by
    /// each that takes it.
    async fn rest(&self, until: Instant, may_be_hurried: bool) -> Option<()> {
        tokio::select! {
            biased;
            () = ballet::draining() => None,
            () = self.line.hurried(), if may_be_hurried => Some(()),
            () = sleep_until(until) => Some(()),
        }
    }

    /// Waits for room for what it may bring, for a host that lives, and for a place.
    async fn go_in(&self, state: &SourceState) -> Passage {
        self.wait_for_room().await;
        let door = self.shared.doors.of(state.at(&self.line.settings));
        let admission = match door.breaker.try_admit() {
            Ok(admission) => admission,
            Err(open) => {
                let until = open.retry_after().map(|rest| Instant::now() + rest);
                let why = format!("{} does not answer; one source at a time tries it", open.breaker());
                self.waits(until, Waits::Breaker, why);
                door.breaker.admit().await
            }
        };
        let at_host = self.place(&door.places).await;
        let places = Places { _at_host: at_host, _among_all: self.place(&self.shared.visits).await };
        Passage { admission, places }
    }

    async fn place(&self, places: &ballet::Bulkhead) -> Acquired {
        if let Ok(place) = places.try_acquire() {
            return place;
        }
        let why = format!("as many visits as may be are under way: {}", places.name());
        self.waits(None, Waits::Turn, why);
        places.acquire().await.unwrap_or_else(|_| unreachable!("nobody closes the places of visits"))
    }

    async fn wait_for_room(&self) {
        let mut room = self.shared.room();
        loop {
            let (waiting, most) = room.look();
            if waiting < most {
                return;
            }
            self.waits(None, Waits::Spill, format!("{waiting} items wait for a sink, and {most} may"));
            room.changed().await;
        }
    }

    async fn visit(&self, state: &SourceState) -> Result<Visited, Trouble> {
        let settings = &self.line.settings;
        self.line.progress.set(Doing::Setting);
        self.line.show(Phase::Visiting { since: Instant::now() });
        let errand = Errand {
            web: &self.web,
            clock: &self.shared.clock,
            source: &settings.name,
            at: state.at(settings),
            mark: state.mark.as_ref(),
            progress: &self.line.progress,
        };
        let visit = ballet::timeout(VISIT_TIME_MAX, settings.visit.visit(&errand));
        let ended = visit.await.unwrap_or_else(|_elapsed| {
            Err(Trouble::Unreachable { why: format!("the visit took longer than {VISIT_TIME_MAX:?}") })
        });
        ended.map_err(Trouble::in_a_line)
    }

    /// Stores the end of a visit. Where there is no room for it, the visit never was, and the source waits for room.
    async fn make_durable(
        &self,
        state: &Arc<SourceState>,
        ended: Result<Visited, Trouble>,
        places: Places,
    ) -> Result<(Arc<SourceState>, Due), ballet::Error> {
        let settings = &self.line.settings;
        let now = self.shared.clock.now();
        let visited = match ended {
            Ok(visited) => visited,
            Err(trouble) => {
                tracing::info!(source = %settings.name, %trouble, "a visit failed");
                let mut failed = SourceState::clone(state);
                let next = verdict::failed(&mut failed, settings.pace, now, &trouble);
                let next = next.unwrap_or_else(|| Next::never(&trouble));
                note(&mut failed, &next, now);
                let visit = self.stored_as(Vec::new(), failed.clone(), failed);
                return self.commit(visit, state, [next.clone(), next], places).await;
            }
        };
        let (mut news, mut no_news) = (SourceState::clone(state), SourceState::clone(state));
        let next_after_news = verdict::succeeded(&mut news, settings.pace, now, &visited, true);
        let next = verdict::succeeded(&mut no_news, settings.pace, now, &visited, false);
        note(&mut news, &next_after_news, now);
        note(&mut no_news, &next, now);
        let visit = self.stored_as(visited.items, news, no_news);
        self.commit(visit, state, [next_after_news, next], places).await
    }

    fn stored_as(
        &self,
        items: Vec<crate::item::Item>,
        if_news: SourceState,
        if_no_news: SourceState,
    ) -> Visit {
        let settings = &self.line.settings;
        Visit {
            source: settings.name.clone(),
            items,
            sinks: settings.to.clone(),
            if_news,
            if_no_news,
            spill_items_max: self.shared.spill_items_max(),
        }
    }

    async fn commit(
        &self,
        visit: Visit,
        before: &Arc<SourceState>,
        [after_news, after_none]: [Next; 2],
        places: Places,
    ) -> Result<(Arc<SourceState>, Due), ballet::Error> {
        // Whatever a sink takes from here on is seen.
        let mut room = self.shared.room();
        room.look();
        let committed = self.shared.store.commit(visit).await;
        // Others visit while this one waits for room, which may be for ever.
        drop(places);
        match committed {
            Ok(Committed::Durable { fresh, state }) => {
                if fresh.is_empty() {
                    return Ok((Arc::from(state), after_none.into()));
                }
                self.shared.board.came_in(&fresh);
                Ok((Arc::from(state), after_news.into()))
            }
            Ok(Committed::Full { items }) => {
                let again = self.due_again(after_news, Waits::Spill, "there was no room for what it brought");
                let why = format!("there is no room for its items: {items} wait for a sink");
                self.waits(None, Waits::Spill, why);
                undrained(room.changed()).await;
                Ok((Arc::clone(before), again))
            }
            Ok(Committed::DiskIsLow) | Err(Error::DiskFull) => {
                Ok((Arc::clone(before), self.due_again(after_news, Waits::Disk, "the disk is full")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// After a visit that never was. Its server was asked all the same, and is asked again no sooner than after another.
    fn due_again(&self, next: Next, what: Waits, why: &str) -> Due {
        let wait = next.wait.max(self.line.settings.pace.floor);
        Due::from(match next.what {
            Waits::Server => Next { wait, ..next },
            _ => Next { wait, what, why: why.to_owned() },
        })
    }

    fn waits(&self, until: Option<Instant>, what: Waits, why: String) {
        self.line.show(Phase::Waiting { until, what, why });
    }
}

impl From<Next> for Due {
    fn from(Next { wait, what, why }: Next) -> Self {
        Self { at: Instant::now() + wait, what, why }
    }
}

/// Writes down what is planned, for the process after this one.
fn note(state: &mut SourceState, next: &Next, now: Timestamp) {
    state.next_at = now.checked_add(next.wait).ok();
    state.next_wait = next.wait;
    state.next_why.clone_from(&next.why);
    state.next_is_asked = next.what == Waits::Server;
}

/// None when the stage drains first.
async fn undrained<T>(wait: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = ballet::draining() => None,
        done = wait => Some(done),
    }
}
