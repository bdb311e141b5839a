//! Where the failures end that nobody could look at: the library's `tracing` errors, read back.

use std::fmt;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event as Line, Level, Metadata, Subscriber};

use crate::log::{Event, Fault};
use crate::perform::World;

/// Notes what the library writes about failures on this thread, until the guard is dropped.
pub(crate) fn listen(world: &Arc<World>) -> DefaultGuard {
    set_default(Sink(Arc::clone(world)))
}

struct Sink(Arc<World>);

impl Subscriber for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() == Level::ERROR && metadata.target() == "ballet"
    }

    fn event(&self, line: &Line<'_>) {
        let mut message = Message(None);
        line.record(&mut message);
        message.0.into_iter().for_each(|fault| self.0.note(Event::Sunk(fault)));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The fault that a line's message names.
struct Message(Option<Fault>);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = Fault::read(&format!("{value:?}"));
        }
    }
}
