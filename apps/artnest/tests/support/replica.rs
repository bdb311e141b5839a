//! What a client knows of a room: only what it was told, applied as the protocol says.

use std::{collections::HashMap, io::Read};

use artnest::{
    canvas::{Canvas, StrokeId},
    wire::{LogFrame, Point, RecordIter, ServerFrame},
};
use flate2::read::GzDecoder;

#[derive(Debug, Default)]
pub(crate) struct Replica {
    pub(crate) canvas: Canvas<Vec<Point>>,
    pub(crate) seq: u64,
    /// Every record of the log that was seen, by its seq: whose, and the number.
    pub(crate) log: Vec<(u64, u32, u32)>,
    pub(crate) roster: HashMap<u32, (bool, u8, String)>,
    pub(crate) cursors: HashMap<u32, (i32, i32, u8)>,
    snapshot_seq: u64,
    parts_left: u32,
    pub(crate) snapshots: u32,
}

impl Replica {
    /// One that claims to be so far.
    pub(crate) fn at(seq: u64) -> Replica {
        Replica { seq, ..Replica::default() }
    }

    /// Takes a frame; panics where it breaks what the protocol promises.
    pub(crate) fn take(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::SnapshotBegin { seq, parts, .. } => {
                self.canvas = Canvas::default();
                self.log.clear();
                (self.snapshot_seq, self.parts_left) = (*seq, *parts);
                self.snapshots += 1;
                self.seq = if *parts == 0 { *seq } else { 0 };
            }
            ServerFrame::SnapshotPart { packed, .. } => self.take_part(packed),
            ServerFrame::Log(frame) => self.take_log(frame),
            ServerFrame::Roster { replace, entries } => {
                if *replace {
                    self.roster.clear();
                }
                for entry in entries {
                    let line = (entry.here, entry.role.code(), entry.name.clone());
                    self.roster.insert(entry.member, line);
                }
            }
            ServerFrame::Cursors { replace, entries } => {
                if *replace {
                    self.cursors.clear();
                }
                for cursor in entries {
                    self.cursors.insert(cursor.member, (cursor.x, cursor.y, cursor.pointing.code()));
                }
            }
            _ => {}
        }
    }

    fn take_part(&mut self, packed: &[u8]) {
        let mut records = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut records).expect("a part is gzip");
        for record in RecordIter::new(&records) {
            self.canvas.apply(&record.expect("a record")).expect("it follows from those before");
        }
        self.parts_left -= 1;
        if self.parts_left == 0 {
            self.seq = self.snapshot_seq;
        }
    }

    fn take_log(&mut self, frame: &LogFrame) {
        assert_eq!(self.parts_left, 0, "the log before the end of the snapshot");
        assert_eq!(frame.first, self.seq + 1, "a gap in the log");
        for record in frame.iter() {
            let record = record.expect("a record");
            self.seq += 1;
            self.log.push((self.seq, record.member, record.number));
            self.canvas.apply(&record).expect("it follows from those before");
        }
        assert_eq!(self.seq, frame.last());
    }

    /// The strokes that can be seen, in their order, with their points.
    pub(crate) fn picture(&self) -> Vec<(StrokeId, Vec<Point>)> {
        self.canvas.in_order().into_iter().map(|(id, stroke)| (id, stroke.ink.clone())).collect()
    }
}
