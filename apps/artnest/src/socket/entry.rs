//! From an open socket to a place in the room: the first frame, the check of who it is, the answer.

use std::{sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{
    Door,
    line::{Broken, Incoming, Line},
};
use crate::{
    clock::now_ms,
    model::{Code, Role, RoomId, clean_name},
    room::{ConnectionId, Joined, Joining, Live, Mailbox, Presence},
    store::{self, Admission, Entry, RoomRow},
    wire::{ClientFrame, Frames, Join, RosterEntry, Welcome},
};

/// How long a client may take to say who it is.
const JOIN_WAIT_MAX: Duration = Duration::from_secs(10);
/// A client that missed more than this gets a snapshot, which is shorter then.
const RESUME_OPS_MAX: u64 = 50_000;

/// Somebody in the room.
pub(super) struct Entered {
    pub(super) presence: Presence,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) member: u32,
    pub(super) joined: Joined,
    /// From where the log goes on; `None`: from a snapshot.
    pub(super) resumes: Option<u64>,
    /// The frames to begin with.
    pub(super) first: Vec<bytes::Bytes>,
    /// The tick of the board that they show.
    pub(super) tick: u64,
}

/// Reads the first frame.
pub(super) async fn read_join(line: &mut Line) -> Result<Join, Broken> {
    let join = async {
        loop {
            match line.receive().await? {
                Incoming::Frame(frame) => return read(&frame),
                Incoming::Sign => {}
                Incoming::Text => return Err(Broken::Told(Code::Malformed)),
                Incoming::Closed => return Err(Broken::Gone),
            }
        }
    };
    timeout(JOIN_WAIT_MAX, join).await.unwrap_or(Err(Broken::Told(Code::Malformed)))
}

fn read(frame: &bytes::Bytes) -> Result<Join, Broken> {
    match ClientFrame::read(frame) {
        Ok(ClientFrame::Join(join)) => Ok(join),
        Ok(ClientFrame::OtherVersion(_)) => Err(Broken::Told(Code::Version)),
        _ => Err(Broken::Told(Code::Malformed)),
    }
}

/// Lets somebody in, if they may come in.
pub(super) async fn enter(door: &Door, id: RoomId, join: &Join) -> Result<Entered, Code> {
    let row = door.store.room(id).await.map_err(|error| failed(&error))?.ok_or(Code::NoEntry)?;
    let (member, role, name) = admit(door, &row, join).await?;
    let mailbox = Arc::new(Mailbox::default());
    let mut last = None;
    let joining = || {
        let id = ConnectionId::fresh();
        last = Some(id);
        Joining { id, mailbox: Arc::clone(&mailbox), member, role, name: name.clone() }
    };
    let (live, joined) = door.rooms.enter(&row, joining).await?;
    let presence = Presence { live: Arc::clone(&live), id: last.ok_or(Code::Internal)? };
    let resumes = resumes(join, &joined);
    let absent = absent(door, &joined).await;
    let (first, tick) = first_frames(&live, &joined, &name, resumes, &absent);
    Ok(Entered { presence, mailbox, member: joined.member, joined, resumes, first, tick })
}

/// Who they are: a member, or a guest who can only look because nothing can be remembered now.
async fn admit(door: &Door, row: &RoomRow, join: &Join) -> Result<(Option<u32>, Role, String), Code> {
    let name = if join.name.is_empty() { String::new() } else { clean_name(&join.name).unwrap_or_default() };
    let entry =
        Entry { key_sha256: Sha256::digest(join.key).into(), role: door.role_by(row, &join.token), name };
    let admission = match door.store.admit(row.key, entry.clone()).await {
        Ok(admission) => admission,
        Err(_) => match door.store.recognise(row.key, entry).await.map_err(|error| failed(&error))? {
            Some(admission) => admission,
            None => return Ok((None, Role::Viewer, "Guest".to_owned())),
        },
    };
    match admission {
        Admission::Member { member, role, name } => Ok((Some(member), role, name)),
        Admission::Banned => Err(Code::Banned),
        Admission::NoEntry => Err(Code::NoEntry),
        Admission::Full => Err(Code::Full),
    }
}

fn resumes(join: &Join, joined: &Joined) -> Option<u64> {
    let is_ours = join.log_id == joined.row.log_id;
    let is_there = (joined.row.base_seq..=joined.seq).contains(&join.seq);
    let is_short = joined.seq.saturating_sub(join.seq) <= RESUME_OPS_MAX;
    (is_ours && is_there && is_short).then_some(join.seq)
}

/// Those who said something and may have left.
async fn absent(door: &Door, joined: &Joined) -> Vec<RosterEntry> {
    if joined.speakers.is_empty() {
        return Vec::new();
    }
    let named = door.store.named(joined.row.key, joined.speakers.clone()).await;
    // Without them, somebody's saying has no name.
    let named = named.unwrap_or_default().into_iter();
    named.map(|row| RosterEntry { member: row.member, here: false, role: row.role, name: row.name }).collect()
}

fn first_frames(
    live: &Live,
    joined: &Joined,
    name: &str,
    resumes: Option<u64>,
    absent: &[RosterEntry],
) -> (Vec<bytes::Bytes>, u64) {
    let welcome = Welcome {
        member: joined.member,
        role: joined.role,
        log_id: joined.row.log_id,
        seq: joined.seq,
        last_op: joined.last_op,
        resumes: resumes.is_some(),
        now: now_ms(),
        width: joined.row.width,
        height: joined.row.height,
        room: joined.row.name.clone(),
        name: name.to_owned(),
    };
    let whole = live.board.whole(absent);
    (vec![Frames::welcome(&welcome), whole.roster, whole.cursors], whole.number)
}

fn failed(error: &store::Error) -> Code {
    tracing::warn!(%error, "a room could not be looked up");
    Code::Internal
}
