//! Who asks: the request id and the W3C trace context, taken from the request, handed to the upstreams and back.
//!
//! What a client sends is used only where it is well-formed; otherwise a new one is made, so that no client can put
//! anything but a token into the upstreams' headers and our log. See <https://www.w3.org/TR/trace-context/>.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const REQUEST_ID_BYTES_MAX: usize = 128;
/// What the specification wants every vendor to carry on.
const TRACESTATE_BYTES_MAX: usize = 512;

/// The identity of one request.
///
/// # Examples
///
/// ```
/// let mut headers = axum::http::HeaderMap::new();
/// headers.insert("x-request-id", "abc-1".parse().unwrap());
/// assert_eq!(gateway::Trace::from_headers(&headers).request_id(), "abc-1");
/// ```
#[derive(Clone, Debug)]
pub struct Trace {
    request_id: String,
    trace_id: u128,
    /// The gateway's own span: the parent of what the upstreams do.
    span_id: u64,
    flags: u8,
    state: Option<HeaderValue>,
}

impl Trace {
    /// Goes on with what the headers say, or begins anew.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| is_token(id));
        let request_id = given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        let parent = headers.get(TRACEPARENT).and_then(|value| parse(value.to_str().ok()?));
        let state =
            headers.get(TRACESTATE).filter(|state| parent.is_some() && state.len() <= TRACESTATE_BYTES_MAX);
        let (trace_id, flags) =
            parent.unwrap_or_else(|| (u128::from(new_span_id()) << 64 | u128::from(new_span_id()), 0));
        Self { request_id, trace_id, span_id: new_span_id(), flags, state: state.cloned() }
    }

    /// The id under which the request is found in every log.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Writes the headers that an upstream is asked with, and that the client is answered with.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let mut insert = |name, value: &str| {
            // Both are visible ASCII by construction.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        insert(REQUEST_ID, &self.request_id);
        insert(TRACEPARENT, &self.to_string());
        if let Some(state) = &self.state {
            headers.insert(TRACESTATE, state.clone());
        }
    }
}

/// The `traceparent` of the gateway's span.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// The trace id and the flags of a `traceparent`; `None` where it is invalid.
fn parse(traceparent: &str) -> Option<(u128, u8)> {
    let mut fields = traceparent.splitn(5, '-');
    let version = hex(fields.next()?, 2)?;
    let trace_id = hex(fields.next()?, 32).filter(|id| *id != 0)?;
    hex(fields.next()?, 16).filter(|id| *id != 0)?;
    let flags = hex(fields.next()?, 2)?;
    // A later version may say more behind the fields that all versions have; this one may not.
    let is_known = match version {
        0 => fields.next().is_none(),
        255 => false,
        _ => true,
    };
    // Of the flags only "sampled" means something to this version.
    is_known.then_some((trace_id, u8::from(flags & 1 == 1)))
}

/// Lower-case hexadecimal of exactly so many digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == digits && text.bytes().all(is_hex)).then(|| u128::from_str_radix(text, 16).ok())?
}

fn is_token(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain)
}

/// A random id; zero would be invalid.
fn new_span_id() -> u64 {
    rand::random::<u64>().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn trace(headers: &[(&'static str, &str)]) -> Trace {
        let pairs =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Trace::from_headers(&pairs.collect())
    }

    #[test]
    fn a_trace_goes_on_under_a_span_of_our_own() {
        let text = trace(&[("traceparent", VALID)]).to_string();
        assert!(text.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && text.ends_with("-01"), "{text}");
        assert!(!text.contains("00f067aa0ba902b7"));
        assert!(parse(&text).is_some());
    }

    #[test]
    fn an_invalid_traceparent_begins_a_new_trace() {
        let wrong = [
            "",
            "garbage",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ];
        for wrong in wrong {
            assert_eq!(parse(wrong), None, "{wrong}");
            let text = trace(&[("traceparent", wrong), ("tracestate", "a=1")]);
            assert!(parse(&text.to_string()).is_some() && text.state.is_none(), "{wrong}");
        }
        assert!(parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
    }

    #[test]
    fn the_state_goes_with_a_valid_parent() {
        let mut headers = HeaderMap::new();
        trace(&[("traceparent", VALID), ("tracestate", "vendor=1")]).write(&mut headers);
        assert_eq!(headers["tracestate"], "vendor=1");
    }

    #[test]
    fn a_request_id_is_kept_where_it_is_a_token_and_replaced_otherwise() {
        assert_eq!(trace(&[("x-request-id", "cart:7")]).request_id(), "cart:7");
        for wrong in ["", "two words", "<script>", &"x".repeat(129)] {
            assert_ne!(trace(&[("x-request-id", wrong)]).request_id(), wrong);
        }
        assert_ne!(trace(&[]).request_id(), trace(&[]).request_id());
    }
}
