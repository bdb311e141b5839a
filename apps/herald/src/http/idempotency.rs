//! The `Idempotency-Key` header: a structured-field string as the IETF draft has it, or bare as many clients send it.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::problem::{Kind, Problem};

const HEADER: &str = "idempotency-key";
const KEY_CHARS_MAX: usize = 255;

/// The key, without its quotes, where the client sent one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IdempotencyKey(pub(super) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let (first, second) = (values.next(), values.next());
        match (first, second) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => {
                let key = value.to_str().ok().and_then(parse).ok_or_else(wrong_key)?;
                Ok(Self(Some(key)))
            }
            (Some(_), Some(_)) => Err(wrong_key()),
        }
    }
}

fn wrong_key() -> Problem {
    let detail = format!(
        "Idempotency-Key must come once, with 1 to {KEY_CHARS_MAX} visible ASCII characters, quoted or bare."
    );
    Problem::new(Kind::MalformedRequest, detail)
}

fn parse(value: &str) -> Option<String> {
    let value = value.trim();
    let key = match value.strip_prefix('"') {
        Some(rest) => unquote(rest)?,
        None => value.to_owned(),
    };
    let fits =
        (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    fits.then_some(key)
}

/// What stands before the closing quote, with `\"` and `\\` resolved (RFC 9651 §4.2.5).
fn unquote(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(key),
            '\\' => key.push(chars.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            plain => key.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<&str>) {
        assert_eq!(parse(value).as_deref(), expected, "{value:?}");
    }

    #[test]
    fn a_key_is_the_same_quoted_and_bare() {
        check("order-17", Some("order-17"));
        check("\"order-17\"", Some("order-17"));
        check(r#""a\"b\\c""#, Some(r#"a"b\c"#));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for value in ["", "\"", "\"\"", "\"open", "\"a\"b", "\"a\\n\"", "ключ"] {
            check(value, None);
        }
        check(&"k".repeat(KEY_CHARS_MAX), Some(&"k".repeat(KEY_CHARS_MAX)));
        check(&"k".repeat(KEY_CHARS_MAX + 1), None);
    }
}
