//! Bytes made smaller: the parts of a snapshot, and old frames of the log, as gzip.
//!
//! What is unpacked came from our own file; its length is bounded all the same, so that a damaged file is an error and
//! not all of the memory.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::wire::{Frames, LogFrame, RECORDS_BYTES_MAX, SERVER_FRAME_BYTES_MAX, ServerFrame};

/// Frames are packed together up to so many bytes.
pub(crate) const PACK_BYTES_MAX: usize = 256 * 1024;
/// What one packed row can be when it is unpacked: full, and one frame over.
const UNPACKED_BYTES_MAX: usize = PACK_BYTES_MAX + SERVER_FRAME_BYTES_MAX + 8;

pub(crate) fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Unpacks one part of a snapshot.
pub(crate) fn unpack_part(packed: &[u8]) -> io::Result<Vec<u8>> {
    unpack(packed, RECORDS_BYTES_MAX)
}

fn unpack(packed: &[u8], max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    GzDecoder::new(packed).take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > max { Err(damaged("it unpacks to too much")) } else { Ok(bytes) }
}

/// Packs frames of the log, each behind its length.
pub(crate) fn pack_frames(frames: &[LogFrame]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for frame in frames {
        let encoded = Frames::log(frame.first, frame.at, frame.count, &frame.records);
        let length = u32::try_from(encoded.len()).map_err(|_| damaged("a frame is too long"))?;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&encoded);
    }
    pack(&bytes)
}

/// Unpacks what [`pack_frames`] packed.
pub(crate) fn unpack_frames(packed: &[u8]) -> io::Result<Vec<LogFrame>> {
    let mut bytes = Bytes::from(unpack(packed, UNPACKED_BYTES_MAX)?);
    let mut frames = Vec::new();
    while bytes.has_remaining() {
        let length = bytes.try_get_u32_le().map_err(|_| damaged("a frame has no length"))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > bytes.len() {
            return Err(damaged("a frame is cut short"));
        }
        match ServerFrame::read(&bytes.split_to(length)) {
            Ok(ServerFrame::Log(frame)) => frames.push(frame),
            _ => return Err(damaged("a frame is not one of the log")),
        }
    }
    Ok(frames)
}

fn damaged(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_of_a_pack_as_they_went_in() {
        let frames = [
            LogFrame { first: 1, at: 10, count: 0, records: Bytes::new() },
            LogFrame { first: 1, at: 20, count: 0, records: Bytes::new() },
        ];
        assert_eq!(unpack_frames(&pack_frames(&frames).unwrap()).unwrap(), frames);
    }

    #[test]
    fn a_bomb_is_refused_before_it_fills_the_memory() {
        let bomb = pack(&vec![0; 64 * 1024 * 1024]).unwrap();
        assert!(bomb.len() < 1024 * 1024);
        assert_eq!(unpack_part(&bomb).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_damaged_pack_is_an_error() {
        let good = pack_frames(&[LogFrame { first: 1, at: 10, count: 0, records: Bytes::new() }]).unwrap();
        for cut in 0..good.len() {
            assert!(unpack_frames(&good[..cut]).is_err(), "{cut}");
        }
        assert!(unpack_frames(&pack(&[9, 0, 0, 0, 1]).unwrap()).is_err());
    }
}
