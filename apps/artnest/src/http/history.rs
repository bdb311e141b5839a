//! The time-lapse: what a room's log has, as it came, in portions that are read as the client takes them.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::{BufMut, BytesMut};
use futures_util::stream;

use super::{Api, access::Visitor};
use crate::{
    store::{Error, RoomRow, SnapshotRow, Store},
    wire::{Frames, LogFrame},
};

/// Records read from the store at once.
const PORTION_BYTES: usize = 256 * 1024;

/// What comes next.
enum Stage {
    Base,
    Part(SnapshotRow, u32),
    Log(u64),
}

pub(super) async fn stream(State(api): State<Arc<Api>>, Visitor { room, .. }: Visitor) -> Response {
    let store = api.door.store.clone();
    let first = Some(if room.base_seq > 0 { Stage::Base } else { Stage::Log(0) });
    let portions = stream::try_unfold(first, move |stage| {
        let (store, room) = (store.clone(), room.clone());
        async move {
            let Some(stage) = stage else { return Ok::<_, Error>(None) };
            portion(&store, &room, stage).await
        }
    });
    ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from_stream(portions)).into_response()
}

/// Up to the seq that the room had when the request came.
async fn portion(
    store: &Store,
    room: &RoomRow,
    stage: Stage,
) -> Result<Option<(Bytes, Option<Stage>)>, Error> {
    match stage {
        Stage::Base => {
            // It was forgotten anew a moment ago, further on.
            let Some(row) = store.base_snapshot(room.key).await? else { return Ok(None) };
            let begin = Frames::snapshot_begin(row.seq, row.parts, row.records, row.bytes);
            Ok(Some((behind_length(&[begin]), Some(after_part(row, 0)))))
        }
        Stage::Part(row, number) => {
            let Some(packed) = store.snapshot_part(room.key, row.seq, number).await? else { return Ok(None) };
            let part = Frames::snapshot_part(number, &packed);
            Ok(Some((behind_length(&[part]), Some(after_part(row, number + 1)))))
        }
        Stage::Log(seq) if seq >= room.seq => Ok(None),
        Stage::Log(seq) => {
            let frames = store.frames_after(room.key, seq, PORTION_BYTES).await?;
            let Some(last) = frames.last().map(LogFrame::last) else { return Ok(None) };
            let frames: Vec<_> = frames
                .iter()
                .map(|frame| Frames::log(frame.first, frame.at, frame.count, &frame.records))
                .collect();
            Ok(Some((behind_length(&frames), Some(Stage::Log(last)))))
        }
    }
}

fn after_part(row: SnapshotRow, next: u32) -> Stage {
    if next < row.parts { Stage::Part(row, next) } else { Stage::Log(row.seq) }
}

fn behind_length(frames: &[Bytes]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(frames.iter().map(|frame| 4 + frame.len()).sum());
    for frame in frames {
        // No frame is longer than the protocol allows.
        bytes.put_u32_le(u32::try_from(frame.len()).unwrap_or(u32::MAX));
        bytes.put_slice(frame);
    }
    bytes.freeze()
}
