//! What happens, while it happens, as server-sent events; each is numbered, so that a reader can resume.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue},
    response::{
        IntoResponse,
        sse::{KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;

use super::{
    Api,
    problem::{Kind, Problem},
};
use crate::store::{Event, Store};

/// Events read from the store at a time.
const BATCH: usize = 256;
/// A silent line carries a comment so often, so that both ends notice when it is cut.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams the events after `Last-Event-ID`, or from now on, until the reader goes or the Stage drains.
pub(super) async fn stream(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let signal = api.store.event_signal();
    let newest = api.store.newest_event().await?;
    let last = match headers.get("last-event-id") {
        // One beyond the newest comes from other data, such as those before a restore: nothing would follow it.
        Some(id) => parse(id).filter(|&id| id <= newest).ok_or_else(wrong_id)?,
        None => newest,
    };
    let reader = Reader { store: api.store.clone(), signal, last, batch: VecDeque::new() };
    let events = reader.into_stream().take_until(ballet::draining());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn parse(id: &HeaderValue) -> Option<u64> {
    id.to_str().ok()?.parse().ok()
}

fn wrong_id() -> Problem {
    let detail = "Last-Event-ID must be the id of an event that came from here. \
                  Without it, the stream begins with what happens next.";
    Problem::new(Kind::MalformedRequest, detail)
}

/// One client's place in the events.
struct Reader {
    store: Store,
    /// Changes with each event.
    signal: watch::Receiver<u64>,
    /// The number of the last event that was read.
    last: u64,
    /// Read, and not yet handed on.
    batch: VecDeque<Event>,
}

impl Reader {
    fn into_stream(self) -> impl Stream<Item = Result<axum::response::sse::Event, axum::Error>> {
        stream::unfold(self, async |mut reader| {
            let event = reader.next().await?;
            let frame = axum::response::sse::Event::default().id(event.seq.to_string()).json_data(event);
            Some((frame, reader))
        })
    }

    /// `None` ends the stream: the client comes back with the id of the last event it saw.
    async fn next(&mut self) -> Option<Event> {
        while self.batch.is_empty() {
            self.signal.borrow_and_update();
            self.batch = match self.store.events_after(self.last, BATCH).await {
                Ok(events) => events.into(),
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends");
                    return None;
                }
            };
            self.last = self.batch.back().map_or(self.last, |event| event.seq);
            if self.batch.is_empty() {
                self.signal.changed().await.ok()?;
            }
        }
        self.batch.pop_front()
    }
}
