//! Bytes to text, whatever the server and the document say about it.
//!
//! RFC 7303 lets the byte order mark decide, then the server, then the document. Servers often name a charset for every
//! file alike, so what is valid UTF-8 beyond ASCII, which hardly anything else ever is, is taken for UTF-8 first.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Where a document may name its encoding.
const DECLARATION_BYTES_MAX: usize = 1_024;

/// The text of a body. What is in no encoding it could have is replaced character by character.
pub(crate) fn decode(body: &[u8], content_type: Option<&str>) -> String {
    if let Some((encoding, mark)) = Encoding::for_bom(body) {
        return encoding.decode_without_bom_handling(&body[mark..]).0.into_owned();
    }
    let declared = declared(body).filter(|encoding| is_ascii_like(encoding));
    let said_by_server =
        content_type.and_then(parameter).and_then(|label| Encoding::for_label(label.as_bytes()));
    let is_utf_8 = !body.is_ascii() && std::str::from_utf8(body).is_ok();
    let candidates = [
        Some(UTF_8).filter(|_| is_utf_8 && declared.is_none_or(|encoding| encoding == UTF_8)),
        said_by_server.filter(|encoding| is_ascii_like(encoding)),
        sixteen(body),
        declared,
        Some(UTF_8),
    ];
    let exact =
        |encoding: &'static Encoding| encoding.decode_without_bom_handling_and_without_replacement(body);
    let text = candidates.into_iter().flatten().find_map(exact);
    text.map_or_else(|| lossy(body), Cow::into_owned)
}

/// Text with bytes that are not UTF-8: the odd broken character of a UTF-8 text, or a legacy text that says nothing.
fn lossy(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let broken = text.matches(char::REPLACEMENT_CHARACTER).count();
    let whole = text.chars().filter(|letter| !letter.is_ascii()).count() - broken;
    if broken <= whole {
        text.into_owned()
    } else {
        WINDOWS_1252.decode_without_bom_handling(body).0.into_owned()
    }
}

/// UTF-16 without a mark, told by the zero beside the first `<` or `{`.
fn sixteen(body: &[u8]) -> Option<&'static Encoding> {
    match body {
        [b'<' | b'{', 0, ..] => Some(UTF_16LE),
        [0, b'<' | b'{', ..] => Some(UTF_16BE),
        _ => None,
    }
}

/// Whether a declaration that could be read as ASCII can be true.
fn is_ascii_like(encoding: &'static Encoding) -> bool {
    encoding != UTF_16LE && encoding != UTF_16BE
}

/// The encoding that an XML declaration names.
fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(&body[..body.len().min(DECLARATION_BYTES_MAX)]);
    let declaration = start.trim_start().strip_prefix("<?xml")?.split_once("?>")?.0;
    let label = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = label.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Encoding::for_label(label.split(quote).nth(1)?.as_bytes())
}

/// The value of `charset` in a media type.
fn parameter(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_the_server_and_the_bytes_are_heard_in_order() {
        let latin = b"<?xml version='1.0' encoding='iso-8859-1'?><t>Gr\xf6\xdfe</t>";
        assert!(decode(latin, Some("text/xml")).contains("Größe"));
        let bare = b"<t>Gr\xf6\xdfe</t>";
        assert!(decode(bare, Some("text/xml; charset=\"ISO-8859-1\"")).contains("Größe"));
        assert!(decode(bare, None).contains("Größe"));
        let koi = b"<t>\xf0\xd2\xc9\xd7\xc5\xd4</t>";
        assert!(decode(koi, Some("application/xml;charset=koi8-r")).contains("Привет"));
        let japanese = b"<?xml version=\"1.0\" encoding=\"Shift_JIS\"?><t>\x93\xfa\x96\x7b</t>";
        assert!(decode(japanese, None).contains("日本"));
    }

    #[test]
    fn a_wrong_charset_does_not_spoil_utf_8() {
        let text = "<?xml version='1.0' encoding='utf-8'?><t>Größe</t>";
        assert_eq!(decode(text.as_bytes(), Some("text/xml; charset=iso-8859-1")), text);
        assert_eq!(decode("<t>Größe</t>".as_bytes(), Some("text/xml; charset=us-ascii")), "<t>Größe</t>");
    }

    #[test]
    fn marks_and_zeros_tell_utf_16() {
        let text = "<t>Größe</t>";
        for (mark, is_little) in [(true, true), (false, true), (true, false), (false, false)] {
            let units = text
                .encode_utf16()
                .flat_map(|unit| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() });
            let bom: &[u8] = if is_little { &[0xff, 0xfe] } else { &[0xfe, 0xff] };
            let body: Vec<u8> = bom.iter().copied().filter(|_| mark).chain(units).collect();
            assert_eq!(decode(&body, None), text, "{mark} {is_little}");
        }
        assert_eq!(decode("\u{feff}<t/>".as_bytes(), None), "<t/>");
    }

    #[test]
    fn one_broken_character_is_replaced_and_the_rest_is_kept() {
        let body = ["<t>Größe und Länge ".as_bytes(), b"\xc3(</t>"].concat();
        assert_eq!(decode(&body, Some("text/xml; charset=utf-8")), "<t>Größe und Länge \u{fffd}(</t>");
    }

    #[test]
    fn no_bytes_and_any_bytes_are_some_text() {
        assert_eq!(decode(b"", None), "");
        let all: Vec<u8> = (0..=255).collect();
        assert!(!decode(&all, Some("text/xml; charset=nonsense")).is_empty());
    }
}
