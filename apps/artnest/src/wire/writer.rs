//! Appends little-endian fields to a buffer.

use bytes::{BufMut, BytesMut};

/// Entries in one frame that counts them: a `u16`.
pub const FRAME_COUNT_MAX: usize = 65_535;

/// A buffer that frames are built in. `BufMut` has the numbers already.
pub trait Build: BufMut {
    /// A text behind its length. What is longer than a `u16` can tell is cut; nothing that we send is.
    fn put_text(&mut self, text: &str) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.put_u16_le(length);
        self.put_slice(&text.as_bytes()[..usize::from(length)]);
    }

    fn put_position(&mut self, x: i32, y: i32) {
        self.put_i32_le(x);
        self.put_i32_le(y);
    }
}

impl Build for BytesMut {}
impl Build for Vec<u8> {}
