//! Who asks: the request id and the W3C trace context, taken from the request, handed to the upstreams and back.
//!
//! What a client sends is used only where it is well-formed; otherwise a new one is made, or none for the vendors' notes, so
//! that no client can put anything but a token or such notes into the upstreams' headers, and nothing but a token into our log.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ballet::TraceParent;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const REQUEST_ID_BYTES_MAX: usize = 128;
/// The recommendation wants at least so much to be carried on.
const TRACESTATE_BYTES_MAX: usize = 512;
/// The recommendation allows no more.
const TRACESTATE_MEMBERS_MAX: usize = 32;
const TRACESTATE_PART_BYTES_MAX: usize = 256;

/// The identity of one request.
///
/// # Examples
///
/// ```
/// let mut headers = axum::http::HeaderMap::new();
/// headers.insert("x-request-id", axum::http::HeaderValue::from_static("abc-1"));
/// assert_eq!(gateway::Identity::from_headers(&headers).request_id(), "abc-1");
/// ```
#[derive(Clone, Debug)]
pub struct Identity {
    request_id: String,
    /// The gateway's own span: the parent of what the upstreams do.
    trace: TraceParent,
    /// What vendors noted about the client's span.
    trace_state: Option<HeaderValue>,
}

impl Identity {
    /// Goes on with what the headers say, or begins anew.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let given = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let request_id = given(REQUEST_ID).filter(|id| is_token(id)).map(str::to_owned);
        let parent = given(TRACEPARENT).and_then(|text| text.parse::<TraceParent>().ok());
        Self {
            request_id: request_id.unwrap_or_else(|| Uuid::now_v7().to_string()),
            trace: parent.as_ref().map_or_else(TraceParent::start, TraceParent::child),
            trace_state: parent.and_then(|_| trace_state(headers)),
        }
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
        insert(TRACEPARENT, &self.trace.to_string());
        if let Some(state) = &self.trace_state {
            headers.insert(TRACESTATE, state.clone());
        }
    }
}

/// The members of all `tracestate` headers, in their order; none where one of them is malformed or there are too many, since
/// what is left out of a list is nobody's list any more.
fn trace_state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut members = Vec::new();
    for header in headers.get_all(TRACESTATE) {
        let listed = header.to_str().ok()?.split(',').map(|member| member.trim_matches([' ', '\t']));
        members.extend(listed.filter(|member| !member.is_empty()));
    }
    let vendors = members.iter().map(|member| vendor(member)).collect::<Option<BTreeSet<_>>>()?;
    let is_list = vendors.len() == members.len() && (1..=TRACESTATE_MEMBERS_MAX).contains(&members.len());
    let list = Some(members.join(",")).filter(|list| is_list && list.len() <= TRACESTATE_BYTES_MAX)?;
    HeaderValue::try_from(list).ok()
}

/// The key of a member `key=value`, if it is one (W3C Trace Context, 3.3.1.3).
fn vendor(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    let is_short = |part: &str| (1..=TRACESTATE_PART_BYTES_MAX).contains(&part.len());
    let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_key = key.bytes().next().is_some_and(is_lower)
        && key.bytes().all(|byte| is_lower(byte) || b"_-*/@".contains(&byte));
    let is_value = value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=');
    (is_short(key) && is_short(value) && is_key && is_value).then_some(key)
}

fn is_token(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn identity(headers: &[(&'static str, &str)]) -> Identity {
        let pairs = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        });
        Identity::from_headers(&pairs.collect())
    }

    #[test]
    fn a_trace_goes_on_under_a_span_of_our_own_and_with_its_state() {
        let mut headers = HeaderMap::new();
        identity(&[("traceparent", VALID), ("tracestate", "vendor=1")]).write(&mut headers);
        let written = headers["traceparent"].to_str().unwrap();
        assert!(written.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{written}");
        assert!(!written.contains("00f067aa0ba902b7"), "{written}");
        assert_eq!(headers["tracestate"], "vendor=1");
    }

    #[test]
    fn a_state_without_a_valid_parent_is_nobodys() {
        let identity = identity(&[("traceparent", "garbage"), ("tracestate", "vendor=1")]);
        assert!(identity.trace_state.is_none());
    }

    #[test]
    fn the_vendors_notes_are_one_list_in_their_order_or_none() {
        let state = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_static(VALID));
            for value in values {
                headers.append(TRACESTATE, HeaderValue::from_bytes(value).unwrap());
            }
            let state = Identity::from_headers(&headers).trace_state;
            state.map(|state| state.to_str().unwrap().to_owned())
        };
        let list =
            |count: usize| (0..count).map(|number| format!("v{number}=1")).collect::<Vec<_>>().join(",");
        let long = |last: &str| format!("a={},b={},c={last}", "x".repeat(250), "y".repeat(250));
        for whole in ["a=1", "0tenant@sys-tem_*/=a b;c", &list(32), &long("1234")] {
            assert_eq!(state(&[whole.as_bytes()]).as_deref(), Some(whole));
        }
        assert_eq!(state(&[b"b=2 ,,\ta=1", b"", b"c=3"]).as_deref(), Some("b=2,a=1,c=3"));
        let (too_many, too_long) = (list(33), long("12345"));
        let broken: [&[&[u8]]; 12] = [
            &[],
            &[b""],
            &[b"\x80\x81 not a list;;;"],
            &[b"a=1", b"not a list"],
            &[b"a"],
            &[b"=1"],
            &[b"a="],
            &[b"A=1"],
            &[b"a=b=c"],
            &[b"a=1", b"a=2"],
            &[too_many.as_bytes()],
            &[too_long.as_bytes()],
        ];
        for headers in broken {
            assert_eq!(state(headers), None, "{headers:?}");
        }
    }

    #[test]
    fn a_request_id_is_kept_where_it_is_a_token_and_replaced_otherwise() {
        assert_eq!(identity(&[("x-request-id", "cart:7")]).request_id(), "cart:7");
        for wrong in ["", "two words", "<script>", &"x".repeat(129)] {
            assert_ne!(identity(&[("x-request-id", wrong)]).request_id(), wrong);
        }
        assert_ne!(identity(&[]).request_id(), identity(&[]).request_id());
    }
}
