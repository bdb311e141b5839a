//! What a connection is sent of the log: first what it has not, then what comes.
//!
//! All that is kept of a client is where it is in the log. If the next frame that arrives is not the one that follows,
//! the client is behind: what lies between is read from the store, in small portions, however long that takes. So a
//! slow client costs a place in the log and nothing else. A client whose place is not in the log any more gets a
//! snapshot.

#[cfg(test)]
mod tests;

use std::{future::Future, pin::Pin, sync::Arc};

use ballet::flow::Subscriber;
use bytes::Bytes;

use crate::{
    metrics::Metrics,
    model::Code,
    room::Fan,
    store::{self, RoomKey, SnapshotRow, Store},
    wire::{Frames, LogFrame},
};

/// Records read from the store at once.
const PORTION_BYTES: usize = 128 * 1024;
/// A snapshot that is replaced while it is sent is begun again so often.
const SNAPSHOT_TRIES: u32 = 5;

/// Frames to be sent, and where the client is after them.
pub(super) struct Portion {
    pub(super) frames: Vec<Bytes>,
    next: Stage,
}

/// What the client is being sent.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The log as it comes; everything up to here was sent.
    Live { sent: u64 },
    /// The log from the store.
    Behind { sent: u64 },
    /// The newest snapshot, which is to be found.
    NoSnapshot,
    /// The next part of a snapshot.
    Part { row: SnapshotRow, number: u32 },
}

type Reading = Pin<Box<dyn Future<Output = Result<Portion, Code>> + Send>>;

pub(super) struct Feed {
    store: Store,
    metrics: Arc<Metrics>,
    room: RoomKey,
    log: Subscriber<Fan>,
    stage: Stage,
    snapshots: u32,
    /// A read that is under way; it goes on while the connection does something else.
    reading: Option<Reading>,
}

impl Feed {
    /// For a client that has the log up to `resumes`, or nothing.
    pub(super) fn new(
        store: Store,
        metrics: Arc<Metrics>,
        room: RoomKey,
        log: Subscriber<Fan>,
        seq: u64,
        resumes: Option<u64>,
    ) -> Self {
        let stage = match resumes {
            Some(sent) if sent == seq => Stage::Live { sent },
            Some(sent) => Stage::Behind { sent },
            None => Stage::NoSnapshot,
        };
        Self { store, metrics, room, log, stage, snapshots: 0, reading: None }
    }

    /// Waits for the next frames to be sent.
    ///
    /// # Errors
    ///
    /// When the client has to come again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: a frame is taken only by the poll that returns it, and a read goes on.
    pub(super) async fn next(&mut self) -> Result<Vec<Bytes>, Code> {
        loop {
            if let Stage::Live { sent } = self.stage {
                match self.live(sent).await? {
                    Some(frame) => return Ok(vec![frame]),
                    None => continue,
                }
            }
            let reading = match &mut self.reading {
                Some(reading) => reading,
                None => {
                    let reading = self.read();
                    self.reading.insert(reading)
                }
            };
            let portion = reading.await;
            self.reading = None;
            let Portion { frames, next } = portion?;
            self.stage = next;
            if !frames.is_empty() {
                return Ok(frames);
            }
        }
    }

    /// The next frame as it comes; `None` where the stage has changed, or there was nothing new in it.
    async fn live(&mut self, sent: u64) -> Result<Option<Bytes>, Code> {
        // The flow ends only with the room.
        let Some(fan) = self.log.recv().await else { return Err(Code::Internal) };
        if fan.last <= sent {
            return Ok(None);
        }
        match fan.frame {
            Some(frame) if fan.first == sent + 1 => {
                self.stage = Stage::Live { sent: fan.last };
                Ok(Some(frame))
            }
            _ => {
                self.metrics.caught_up();
                self.stage = Stage::Behind { sent };
                Ok(None)
            }
        }
    }

    fn read(&mut self) -> Reading {
        let (store, room) = (self.store.clone(), self.room);
        match self.stage {
            Stage::Live { sent } | Stage::Behind { sent } => Box::pin(behind(store, room, sent)),
            Stage::NoSnapshot => {
                self.snapshots += 1;
                let is_last_try = self.snapshots > SNAPSHOT_TRIES;
                Box::pin(async move {
                    if is_last_try { Err(Code::Internal) } else { snapshot(store, room).await }
                })
            }
            Stage::Part { row, number } => Box::pin(part(store, room, row, number)),
        }
    }
}

async fn behind(store: Store, room: RoomKey, sent: u64) -> Result<Portion, Code> {
    let frames = store.frames_after(room, sent, PORTION_BYTES).await.map_err(|error| failed(&error))?;
    let Some(first) = frames.first() else {
        // Nothing follows. What arrives next tells whether anything was missed.
        return Ok(Portion { frames: Vec::new(), next: Stage::Live { sent } });
    };
    if first.first != sent + 1 {
        // History was forgotten beyond where the client is.
        return Ok(Portion { frames: Vec::new(), next: Stage::NoSnapshot });
    }
    let sent = frames.last().map_or(sent, LogFrame::last);
    let frames =
        frames.iter().map(|frame| Frames::log(frame.first, frame.at, frame.count, &frame.records)).collect();
    Ok(Portion { frames, next: Stage::Behind { sent } })
}

async fn snapshot(store: Store, room: RoomKey) -> Result<Portion, Code> {
    let Some(row) = store.newest_snapshot(room).await.map_err(|error| failed(&error))? else {
        // The log is all there is; the client is to forget what it had.
        return Ok(Portion {
            frames: vec![Frames::snapshot_begin(0, 0, 0, 0)],
            next: Stage::Behind { sent: 0 },
        });
    };
    let begin = Frames::snapshot_begin(row.seq, row.parts, row.records, row.bytes);
    Ok(Portion { frames: vec![begin], next: after_part(row, 0) })
}

async fn part(store: Store, room: RoomKey, row: SnapshotRow, number: u32) -> Result<Portion, Code> {
    match store.snapshot_part(room, row.seq, number).await.map_err(|error| failed(&error))? {
        Some(packed) => {
            let frames = vec![Frames::snapshot_part(number, &packed)];
            Ok(Portion { frames, next: after_part(row, number + 1) })
        }
        // A newer snapshot has replaced it.
        None => Ok(Portion { frames: Vec::new(), next: Stage::NoSnapshot }),
    }
}

fn after_part(row: SnapshotRow, next: u32) -> Stage {
    if next < row.parts { Stage::Part { row, number: next } } else { Stage::Behind { sent: row.seq } }
}

fn failed(error: &store::Error) -> Code {
    tracing::warn!(%error, "a log could not be read");
    Code::Internal
}
