//! Bodies as they were before they were packed (RFC 9110, `Content-Encoding`), and no more of them than there may be.
//!
//! The packed body is bounded by whoever read it. The unpacked one is bounded here, while it is unpacked: of a bomb that
//! would become gigabytes, nothing is ever held but the bytes up to the limit.

use std::io::{self, Read};

use brotli_decompressor::Decompressor as BrotliDecoder;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use zstd::stream::read::Decoder as ZstdDecoder;

/// What we can unpack, as a server is told.
pub(super) const ACCEPTED: &str = "gzip, br, zstd, deflate";

/// The window that RFC 9659 allows in HTTP; a frame may ask for more memory, and is refused.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
const BROTLI_BUFFER_BYTES: usize = 4 << 10;

/// Why a body cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotUnpacked {
    #[error("its body is packed as `{0}`, which was not offered")]
    Unknown(String),
    #[error("its body is larger than {0} bytes when unpacked")]
    TooLarge(usize),
    #[error("its body cannot be unpacked ({coding}): {error}")]
    Damaged { coding: &'static str, error: io::Error },
}

/// Unpacks a body to at most `max` bytes.
///
/// # Errors
///
/// When it would be more, it is damaged or ends early, or it is packed in a way that nobody asked for.
pub(super) fn unpack(coding: &str, packed: Vec<u8>, max: usize) -> Result<Vec<u8>, NotUnpacked> {
    let bytes = packed.as_slice();
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(packed),
        // Some servers say that they packed it, and have not.
        "gzip" | "x-gzip" if !bytes.starts_with(&[0x1f, 0x8b]) => Ok(packed),
        "gzip" | "x-gzip" => bounded("gzip", MultiGzDecoder::new(bytes), max),
        "deflate" if is_zlib(bytes) => bounded("deflate", ZlibDecoder::new(bytes), max),
        "deflate" => bounded("deflate", DeflateDecoder::new(bytes), max),
        "br" => bounded("br", BrotliDecoder::new(bytes, BROTLI_BUFFER_BYTES), max),
        "zstd" => bounded("zstd", zstd(bytes).map_err(|error| damaged("zstd", error))?, max),
        unknown => Err(NotUnpacked::Unknown(unknown.to_owned())),
    }
}

/// Whether it begins as RFC 1950 says. Some servers send the bare stream of RFC 1951 under the same name.
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31))
}

fn zstd(bytes: &[u8]) -> io::Result<ZstdDecoder<'_, &[u8]>> {
    let mut decoder = ZstdDecoder::with_buffer(bytes)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

fn bounded(coding: &'static str, decoder: impl Read, max: usize) -> Result<Vec<u8>, NotUnpacked> {
    let mut unpacked = Vec::new();
    // One more than may be, to tell a body that is just as large as it may be from one that is larger.
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut unpacked).map_err(|error| damaged(coding, error))?;
    if unpacked.len() > max {
        return Err(NotUnpacked::TooLarge(max));
    }
    Ok(unpacked)
}

fn damaged(coding: &'static str, error: io::Error) -> NotUnpacked {
    NotUnpacked::Damaged { coding, error }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write};

    use super::*;

    const MAX: usize = 1 << 16;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = write::GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn packed(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let mut zlib = write::ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(text).unwrap();
        let mut bare = write::DeflateEncoder::new(Vec::new(), Compression::best());
        bare.write_all(text).unwrap();
        vec![
            ("gzip", gzip(text)),
            ("X-GZip", gzip(text)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
            ("zstd", zstd::encode_all(text, 3).unwrap()),
        ]
    }

    /// A Brotli stream of "hello" as stored bytes (RFC 7932, 9.2), since this crate only reads.
    const BROTLI_HELLO: [u8; 9] = [0x0b, 0x02, 0x80, b'h', b'e', b'l', b'l', b'o', 0x03];

    #[test]
    fn every_coding_gives_the_text_back() {
        let text = b"<rss/>".repeat(500);
        for (coding, packed) in packed(&text) {
            assert_eq!(unpack(coding, packed, MAX).unwrap(), text, "{coding}");
        }
        assert_eq!(unpack("br", BROTLI_HELLO.into(), MAX).unwrap(), b"hello");
        assert_eq!(unpack("identity", text.clone(), MAX).unwrap(), text);
    }

    #[test]
    fn as_much_as_may_be_is_taken_and_one_byte_more_is_refused() {
        let text = vec![b'x'; MAX + 1];
        for (coding, packed) in packed(&text) {
            assert!(
                matches!(unpack(coding, packed.clone(), MAX), Err(NotUnpacked::TooLarge(MAX))),
                "{coding}"
            );
            assert_eq!(unpack(coding, packed, MAX + 1).unwrap().len(), MAX + 1, "{coding}");
        }
    }

    #[test]
    fn what_ends_early_is_no_shorter_text_but_an_error() {
        let text: Vec<u8> =
            (0..4_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (coding, mut packed) in packed(&text) {
            packed.truncate(packed.len() / 2);
            let result = unpack(coding, packed, MAX);
            assert!(matches!(result, Err(NotUnpacked::Damaged { .. })), "{coding}: {result:?}");
        }
        assert!(unpack("br", BROTLI_HELLO[..6].into(), MAX).is_err());
    }

    #[test]
    fn members_one_after_the_other_are_one_text() {
        let both = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(unpack("gzip", both, MAX).unwrap(), b"one two");
    }

    #[test]
    fn what_was_said_to_be_packed_and_is_not_is_taken_as_it_is() {
        assert_eq!(unpack("gzip", b"<rss/>".into(), MAX).unwrap(), b"<rss/>");
        assert!(matches!(unpack("compress", vec![1], MAX), Err(NotUnpacked::Unknown(_))));
    }
}
