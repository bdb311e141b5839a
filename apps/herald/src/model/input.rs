//! What a client may ask for, read from JSON and checked.
//!
//! Every fault of a request is reported at once, each with an RFC 6901 pointer to its place. Nothing here looks at the
//! store or the clock; whether a notification is new, and whether it comes in time, is decided there.

mod unique;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeSeed};
use serde_json::{Map, Value};

use self::unique::{Place, Unique};
use super::address::{EmailAddress, NotAnAddress};

/// RFC 5322 allows no longer line.
pub const SUBJECT_BYTES_MAX: usize = 998;
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
pub const HTML_BYTES_MAX: usize = 256 * 1024;
pub const CATEGORY_CHARS_MAX: usize = 64;

/// Whom to notify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub email: EmailAddress,
}

/// A request that keeps every rule. Its times are cut to whole milliseconds, as the store keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    pub to: Recipient,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
    /// Not to be sent before.
    pub send_at: Option<Timestamp>,
    /// Not to be sent after; later than `send_at`.
    pub expires_at: Option<Timestamp>,
    /// The client's own word for grouping.
    pub category: Option<String>,
}

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where, as an RFC 6901 JSON pointer.
    pub pointer: String,
    /// What to do about it.
    pub detail: String,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not JSON.
    #[error("the body is not JSON: {detail}")]
    Syntax { detail: String },
    /// It is JSON that breaks at least one rule.
    #[error("the body breaks {} of the API's rules", faults.len())]
    Content { faults: Vec<Fault> },
}

impl Invalid {
    /// A deadline that has passed. Only the store can tell, as a repeat of what it accepted before is none.
    pub(crate) fn overdue() -> Self {
        let fault = Fault { pointer: "/expires_at".to_owned(), detail: "must be in the future".to_owned() };
        Self::Content { faults: vec![fault] }
    }
}

impl NewNotification {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// [`Invalid::Syntax`] where it is no JSON, [`Invalid::Content`] with every fault where it breaks a rule.
    pub fn from_json(body: &[u8]) -> Result<Self, Invalid> {
        let mut faults = Faults::default();
        let value = json(body, &mut faults).map_err(|error| Invalid::Syntax { detail: error.to_string() })?;
        match read(value, &mut faults) {
            Some(notification) if faults.0.is_empty() => Ok(notification),
            _ => Err(Invalid::Content { faults: faults.0 }),
        }
    }
}

fn json(body: &[u8], faults: &mut Faults) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Unique { place: Place::Top, faults }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// `None` only where a fault was noted.
fn read(value: Value, faults: &mut Faults) -> Option<NewNotification> {
    let mut fields = Fields::of(value, "", faults)?;
    let to = fields.take_required("to", faults).and_then(|to| recipient(to, faults));
    let subject = fields.take_required("subject", faults).and_then(|value| string("/subject", value, faults));
    let has_content = fields.has("text") || fields.has("html");
    let text = fields.take_string("text", faults);
    let html = fields.take_string("html", faults);
    let send_at = fields.take_time("send_at", faults);
    let expires_at = fields.take_time("expires_at", faults);
    let category = fields.take_string("category", faults);
    fields.refuse_rest(faults);

    if let Some(subject) = &subject {
        check_subject(subject, faults);
    }
    if !has_content {
        faults.add("", "needs `text`, `html` or both");
    }
    check_content("/text", text.as_deref(), TEXT_BYTES_MAX, faults);
    check_content("/html", html.as_deref(), HTML_BYTES_MAX, faults);
    check_expiry(send_at, expires_at, faults);
    if let Some(category) = &category {
        check_category(category, faults);
    }
    Some(NewNotification { to: to?, subject: subject?, text, html, send_at, expires_at, category })
}

fn recipient(value: Value, faults: &mut Faults) -> Option<Recipient> {
    let mut fields = Fields::of(value, "/to", faults)?;
    let email = fields.take_required("email", faults).and_then(|value| string("/to/email", value, faults));
    fields.refuse_rest(faults);
    let email = address(&email?).map_err(|error| faults.add("/to/email", error.to_string())).ok()?;
    Some(Recipient { email })
}

/// An address that can be written on a mail as well.
fn address(text: &str) -> Result<EmailAddress, NotAnAddress> {
    let address: EmailAddress = text.parse()?;
    address.to_wire()?;
    Ok(address)
}

fn check_subject(subject: &str, faults: &mut Faults) {
    if !(1..=SUBJECT_BYTES_MAX).contains(&subject.len()) {
        faults.add("/subject", format!("must have 1 to {SUBJECT_BYTES_MAX} bytes"));
    }
    if subject.contains(['\r', '\n', '\0']) {
        faults.add("/subject", "must be one line: no CR, LF or NUL");
    }
}

/// Lone CRs and LFs become line ends when the mail is rendered. A NUL cannot stand in one (RFC 2045 §2.7).
fn check_content(pointer: &str, content: Option<&str>, bytes_max: usize, faults: &mut Faults) {
    let Some(content) = content else { return };
    if content.len() > bytes_max {
        faults.add(pointer, format!("must have at most {bytes_max} bytes"));
    }
    if content.contains('\0') {
        faults.add(pointer, "must not contain NUL");
    }
}

fn check_expiry(send_at: Option<Timestamp>, expires_at: Option<Timestamp>, faults: &mut Faults) {
    if send_at.zip(expires_at).is_some_and(|(send_at, expires_at)| expires_at <= send_at) {
        faults.add("/expires_at", "must be later than `send_at`");
    }
}

fn check_category(category: &str, faults: &mut Faults) {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    if !(1..=CATEGORY_CHARS_MAX).contains(&category.len()) || !category.bytes().all(is_plain) {
        faults.add(
            "/category",
            format!("must have 1 to {CATEGORY_CHARS_MAX} characters of a-z, 0-9, `_`, `.`, `-`"),
        );
    }
}

fn string(pointer: &str, value: Value, faults: &mut Faults) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => faults.add_none(pointer, "must be a string"),
    }
}

#[derive(Default)]
struct Faults(Vec<Fault>);

/// So many faults of one request are told.
const FAULTS_MAX: usize = 20;

impl Faults {
    /// Keeps a fault, up to a number beyond which nobody reads on. Each may hold a name as long as the body.
    fn add(&mut self, pointer: &str, detail: impl Into<String>) {
        if !self.are_enough() {
            self.0.push(Fault { pointer: pointer.to_owned(), detail: detail.into() });
        }
    }

    fn are_enough(&self) -> bool {
        self.0.len() >= FAULTS_MAX
    }

    fn add_none<T>(&mut self, pointer: &str, detail: impl Into<String>) -> Option<T> {
        self.add(pointer, detail);
        None
    }
}

/// The members of one object that were not looked at yet. `null` counts as absent.
struct Fields {
    place: &'static str,
    rest: Map<String, Value>,
}

impl Fields {
    fn of(value: Value, place: &'static str, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::Object(rest) => Some(Self { place, rest }),
            _ => faults.add_none(place, "must be an object"),
        }
    }

    fn pointer(&self, name: &str) -> String {
        pointer_to(self.place, name)
    }

    fn has(&self, name: &str) -> bool {
        self.rest.get(name).is_some_and(|value| !value.is_null())
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.remove(name).filter(|value| !value.is_null())
    }

    fn take_required(&mut self, name: &str, faults: &mut Faults) -> Option<Value> {
        self.take(name).or_else(|| faults.add_none(&self.pointer(name), "is required"))
    }

    fn take_string(&mut self, name: &str, faults: &mut Faults) -> Option<String> {
        self.take(name).and_then(|value| string(&self.pointer(name), value, faults))
    }

    fn take_time(&mut self, name: &str, faults: &mut Faults) -> Option<Timestamp> {
        let text = self.take_string(name, faults)?;
        let time = text.parse::<Timestamp>().ok().and_then(whole_milliseconds);
        time.or_else(|| faults.add_none(&self.pointer(name), "must be a time such as 2027-01-31T09:00:00Z"))
    }

    fn refuse_rest(self, faults: &mut Faults) {
        for name in self.rest.keys() {
            faults.add(&self.pointer(name), "is not a field that Herald knows");
        }
    }
}

fn pointer_to(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn whole_milliseconds(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.as_millisecond()).ok()
}

#[cfg(test)]
mod tests;
