//! The trace that code belongs to, after the W3C recommendation *Trace Context* (level 1).
//!
//! A [`TraceParent`] is the value of the `traceparent` header; the key [`Trace`] carries one through the tree. This
//! file parses, writes and continues it, and refuses to record anything: that is a tracer's work. The layer that
//! takes it from a request stands in `scope/request.rs`.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use super::Key;

/// The trace of the code that asks, inherited by every child: a built-in [`Key`].
///
/// # Examples
///
/// A call to another service, which goes on with the same trace:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{Context, Trace, TraceParent};
///
/// fn headers() -> Vec<(&'static str, String)> {
///     let trace = Context::current().get(Trace).copied();
///     trace.map(|trace| ("traceparent", trace.to_string())).into_iter().collect()
/// }
///
/// let trace = TraceParent::start();
/// let sent = ballet::with(Trace, trace, async { headers() }).await;
/// assert_eq!(sent, [("traceparent", trace.to_string())]);
/// assert!(headers().is_empty());
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Trace;

impl Key for Trace {
    type Value = TraceParent;
}

/// A place in a trace, as the header `traceparent` says it: which trace, which span of it, and whether the caller
/// records it.
///
/// It is parsed as the recommendation demands: lower-case digits only, no id of zeros only, no version `ff`; of a
/// version later than `00`, the fields that are known. It is written in version `00`.
///
/// # Examples
///
/// ```
/// use ballet::TraceParent;
///
/// let caller: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// assert!(caller.is_sampled());
///
/// let here = caller.child();
/// assert_eq!(here.trace_id(), caller.trace_id());
/// assert_ne!(here.span_id(), caller.span_id());
/// assert!(here.to_string().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
/// # Ok::<(), ballet::InvalidTraceParent>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: TraceId,
    span_id: SpanId,
    is_sampled: bool,
}

/// Names one trace. Displayed as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

/// Names one span of a trace: the recommendation's *parent-id*. Displayed as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

impl TraceParent {
    /// Begins a trace, with ids of its own. It is sampled: services further down that record what their caller
    /// records will do so.
    #[must_use]
    pub fn start() -> Self {
        let trace_id = non_zero(|| NonZeroU128::new(u128::from(random()) << 64 | u128::from(random())));
        Self { trace_id: TraceId(trace_id), span_id: SpanId::random(), is_sampled: true }
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: SpanId::random(), ..*self }
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// Whether the caller may have recorded the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }
}

impl SpanId {
    fn random() -> Self {
        Self(non_zero(|| NonZeroU64::new(random())))
    }
}

/// A hash under keys that the standard library draws from the operating system and gives to no other state. A small
/// generator such as `fastrand` is seeded from the clock, so two machines could give out the same ids in a row.
fn random() -> u64 {
    RandomState::new().hash_one(())
}

fn non_zero<N>(mut draw: impl FnMut() -> Option<N>) -> N {
    loop {
        if let Some(number) = draw() {
            return number;
        }
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let mut fields = text.splitn(5, '-');
        let mut field = |digits, name| hexadecimal(fields.next(), digits).ok_or(InvalidTraceParent(name));
        let version = field(2, "version")?;
        let trace_id = field(32, "trace-id").map(NonZeroU128::new)?;
        let span_id = field(16, "parent-id").map(|id| u64::try_from(id).ok().and_then(NonZeroU64::new))?;
        let flags = field(2, "flags")?;
        // What follows in a later version is not ours to read; version 00 has nothing there.
        let is_known = version != 0xff && (version != 0 || fields.next().is_none());
        if !is_known {
            return Err(InvalidTraceParent("version"));
        }
        Ok(Self {
            trace_id: TraceId(trace_id.ok_or(InvalidTraceParent("trace-id"))?),
            span_id: SpanId(span_id.ok_or(InvalidTraceParent("parent-id"))?),
            is_sampled: flags & 1 == 1,
        })
    }
}

/// The number of exactly so many lower-case digits.
fn hexadecimal(field: Option<&str>, digits: usize) -> Option<u128> {
    let field = field.filter(|field| field.len() == digits)?;
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if field.bytes().all(is_digit) { u128::from_str_radix(field, 16).ok() } else { None }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text is not a `traceparent`. The recommendation asks its reader to begin a trace of his own instead.
///
/// # Examples
///
/// ```
/// use ballet::TraceParent;
///
/// let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01".parse::<TraceParent>();
/// assert_eq!(zero.unwrap_err().to_string(), "not a valid traceparent: its trace-id");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTraceParent(&'static str);

impl fmt::Display for InvalidTraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a valid traceparent: its {}", self.0)
    }
}

impl std::error::Error for InvalidTraceParent {}
