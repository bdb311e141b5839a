use serde_json::json;

use super::*;

fn read(value: &Value) -> Result<NewNotification, Invalid> {
    NewNotification::from_json(value.to_string().as_bytes())
}

fn request_with(field: &str, value: Value) -> Value {
    let mut request = json!({"to": {"email": "ada@example.org"}, "subject": "Hello", "text": "Hello Ada."});
    request[field] = value;
    request
}

fn pointers(value: &Value) -> Vec<String> {
    match read(value) {
        Err(Invalid::Content { faults }) => faults.into_iter().map(|fault| fault.pointer).collect(),
        other => panic!("{value} was read as {other:?}"),
    }
}

#[test]
fn a_full_request_is_read_as_it_was_written() {
    let notification = read(&json!({
        "to": {"email": "ada@example.org"}, "subject": "Hello", "text": "plain", "html": "<p>rich</p>",
        "send_at": "2027-01-02T00:00:00.1239Z", "expires_at": "2027-01-03T00:00:00+01:00", "category": "invoice.2",
    }))
    .unwrap();
    assert_eq!(notification.to.email.as_str(), "ada@example.org");
    assert_eq!(notification.html.as_deref(), Some("<p>rich</p>"));
    assert_eq!(notification.send_at, "2027-01-02T00:00:00.123Z".parse().ok());
    assert_eq!(notification.expires_at, "2027-01-02T23:00:00Z".parse().ok());
    assert_eq!(notification.category.as_deref(), Some("invoice.2"));
}

#[test]
fn a_null_is_an_absent_field() {
    assert_eq!(read(&request_with("send_at", Value::Null)).unwrap().send_at, None);
    assert_eq!(pointers(&request_with("subject", Value::Null)), ["/subject"]);
}

#[test]
fn what_is_not_json_is_a_syntax_error() {
    for body in ["", "{", "{\"to\":}", "\u{feff}{}", "{} {}"] {
        let error = NewNotification::from_json(body.as_bytes()).unwrap_err();
        assert!(matches!(error, Invalid::Syntax { .. }), "{body:?}: {error:?}");
    }
    assert!(matches!(NewNotification::from_json(b"\"\xff\""), Err(Invalid::Syntax { .. })));
}

#[test]
fn each_rule_points_to_the_field_that_breaks_it() {
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    let cases = [
        ("to", json!("ada@example.org"), "/to"),
        ("to", json!({}), "/to/email"),
        ("to", json!({"email": 7}), "/to/email"),
        ("to", json!({"email": "ada@"}), "/to/email"),
        ("to", json!({"email": "ada@example.org\r\nBcc: eve@example.org"}), "/to/email"),
        ("to", json!({"email": format!("{}@example.org", "a".repeat(250))}), "/to/email"),
        ("to", json!({"email": "ada@⒈com"}), "/to/email"),
        ("to", json!({"email": "ada@::1"}), "/to/email"),
        ("to", json!({"email": format!("ada@{}.example", "ü".repeat(60))}), "/to/email"),
        ("to", json!({"email": "ada@example.org", "phone": "1"}), "/to/phone"),
        ("subject", json!(""), "/subject"),
        ("subject", json!("x".repeat(SUBJECT_BYTES_MAX + 1)), "/subject"),
        ("subject", json!("Hello\r\nBcc: eve@example.org"), "/subject"),
        ("subject", json!("a\0b"), "/subject"),
        ("text", json!(1), "/text"),
        ("text", json!(long), "/text"),
        ("html", json!(long), "/html"),
        ("text", json!("a\0b"), "/text"),
        ("html", json!("<p>a\0b"), "/html"),
        ("send_at", json!("tomorrow"), "/send_at"),
        ("expires_at", json!("2027-02-30T00:00:00Z"), "/expires_at"),
        ("category", json!("Invoice"), "/category"),
        ("category", json!("a".repeat(CATEGORY_CHARS_MAX + 1)), "/category"),
        ("a~b/c", json!(1), "/a~0b~1c"),
    ];
    for (field, value, pointer) in cases {
        assert_eq!(pointers(&request_with(field, value)), [pointer]);
    }
}

#[test]
fn a_deadline_before_the_start_is_refused() {
    let mut request = request_with("send_at", json!("2027-01-03T00:00:00Z"));
    request["expires_at"] = json!("2027-01-03T00:00:00Z");
    assert_eq!(pointers(&request), ["/expires_at"]);
}

#[test]
fn all_faults_are_told_at_once() {
    assert_eq!(pointers(&json!([])), [""]);
    assert_eq!(pointers(&json!({"subjekt": "Hello"})), ["/to", "/subject", "/subjekt", ""]);
}

#[test]
fn a_member_that_comes_twice_is_a_fault_of_its_own() {
    let body = r#"{"to": {"email": "ada@example.org", "email": "eve@example.org"}, "subject": "Hello", "text": "Hi.",
        "expires_at": "2027-01-03T00:00:00Z", "expires_at": null}"#;
    let Err(Invalid::Content { faults }) = NewNotification::from_json(body.as_bytes()) else {
        panic!("accepted")
    };
    let told: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.detail.as_str())).collect();
    assert_eq!(told, [("/to/email", "must come only once"), ("/expires_at", "must come only once")]);
}

#[test]
fn no_more_faults_are_told_than_anybody_reads() {
    let twice = r#""":0,"":0,"#.repeat(10_000);
    let body = format!(r#"{{"{}": {{{twice}"x":0}}}}"#, "x".repeat(100_000));
    let Err(Invalid::Content { faults }) = NewNotification::from_json(body.as_bytes()) else {
        panic!("accepted")
    };
    assert_eq!(faults.len(), FAULTS_MAX);
}

#[test]
fn json_is_read_as_it_stands() {
    let text = r#"{"a": [null, true, -1, 18446744073709551615, 1.5, "\u00e9", {"b": []}], "c": {}}"#;
    let mut faults = Faults::default();
    assert_eq!(json(text.as_bytes(), &mut faults).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(faults.0, []);
}
