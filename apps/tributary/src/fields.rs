//! One table of the configuration, read key by key, where every error has a line and a remedy.
//!
//! Whatever is asked for is remembered, and [`Fields::finish`] refuses what nobody asked for: a misspelt setting that is
//! silently ignored is worse than an error. Serde's derive gives no line for what is wrong in meaning, so this reads TOML's own
//! table with its spans.

use std::{cell::RefCell, time::Duration};

use jiff::{Span, SpanRelativeTo};
use secrecy::SecretString;
use serde::Deserialize;
use toml::{
    Deserializer, Spanned, Table,
    de::{DeTable, DeValue},
};
use url::Url;

/// What is wrong in a configuration, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{key}`: {message}")]
pub struct Wrong {
    /// From 1.
    pub line: usize,
    pub key: String,
    /// Says the remedy as well.
    pub message: String,
}

/// A table whose keys are asked for one by one.
#[derive(Debug)]
pub struct Fields<'a> {
    /// The whole file, for the lines.
    text: &'a str,
    /// The table's own name, such as `source`.
    name: &'a str,
    table: &'a DeTable<'a>,
    /// Where it begins in the text.
    at: usize,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    pub fn new(text: &'a str, name: &'a str, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self { text, name, table: table.get_ref(), at: table.span().start, asked: RefCell::default() }
    }

    /// A table below this one.
    ///
    /// # Errors
    ///
    /// When there is something else under that name.
    pub fn table(&self, key: &'static str) -> Result<Option<Fields<'a>>, Wrong> {
        let Some(value) = self.find(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Table(table) => Ok(Some(Fields {
                text: self.text,
                name: key,
                table,
                at: value.span().start,
                asked: RefCell::default(),
            })),
            other => Err(self.expected(key, "a table", other)),
        }
    }

    /// # Errors
    ///
    /// When it is no text.
    pub fn text(&self, key: &'static str) -> Result<Option<&'a str>, Wrong> {
        match self.get(key) {
            None => Ok(None),
            Some(DeValue::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(key, "a text in quotes", other)),
        }
    }

    /// # Errors
    ///
    /// When it is missing, or no absolute `http` or `https` address.
    pub fn url(&self, key: &'static str) -> Result<Url, Wrong> {
        let text =
            self.text(key)?.ok_or_else(|| self.missing(key, "write the whole address, with https://"))?;
        self.parse_url(key, text)
    }

    /// # Errors
    ///
    /// When it is no absolute `http` or `https` address.
    pub fn optional_url(&self, key: &'static str) -> Result<Option<Url>, Wrong> {
        self.text(key)?.map(|text| self.parse_url(key, text)).transpose()
    }

    fn parse_url(&self, key: &'static str, text: &str) -> Result<Url, Wrong> {
        let url = Url::parse(text).map_err(|error| {
            // What cannot be read is not known to hold no password.
            let quoted = if text.contains('@') { "this".to_owned() } else { format!("\"{text}\"") };
            self.wrong(key, format!("{quoted} is no address ({error}); write it whole, with https://"))
        })?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        if !is_web {
            return Err(
                self.wrong(key, format!("`{}:` is not spoken here; use https: or http:", url.scheme()))
            );
        }
        Ok(url)
    }

    /// A length of time such as "15m", "1h 30m" or "2d".
    ///
    /// # Errors
    ///
    /// When it is none, or outside the bounds.
    pub fn duration(
        &self,
        key: &'static str,
        least: Duration,
        most: Duration,
    ) -> Result<Option<Duration>, Wrong> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let length = parse_duration(text).ok_or_else(|| {
            self.wrong(
                key,
                format!(
                    "\"{text}\" is no length of time; write one such as \"30s\", \"15m\", \"2h\", \"1d\""
                ),
            )
        })?;
        if (least..=most).contains(&length) {
            return Ok(Some(length));
        }
        Err(self.wrong(key, format!("\"{text}\" is out of bounds; choose from {least:?} to {most:?}")))
    }

    /// # Errors
    ///
    /// When it is no whole number, or outside the bounds.
    pub fn integer(&self, key: &'static str, least: u64, most: u64) -> Result<Option<u64>, Wrong> {
        let number = match self.get(key) {
            None => return Ok(None),
            Some(DeValue::Integer(number)) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            Some(other) => return Err(self.expected(key, "a whole number", other)),
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(self.wrong(key, format!("out of bounds; choose from {least} to {most}"))),
        }
    }

    /// # Errors
    ///
    /// When it is neither `true` nor `false`.
    pub fn flag(&self, key: &'static str) -> Result<Option<bool>, Wrong> {
        match self.get(key) {
            None => Ok(None),
            Some(DeValue::Boolean(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.expected(key, "true or false", other)),
        }
    }

    /// A list of texts; empty where there is none.
    ///
    /// # Errors
    ///
    /// When it is no list, or something else is in it.
    pub fn texts(&self, key: &'static str) -> Result<Vec<&'a str>, Wrong> {
        let values = match self.get(key) {
            None => return Ok(Vec::new()),
            Some(DeValue::Array(values)) => values,
            Some(other) => return Err(self.expected(key, "a list of texts", other)),
        };
        let text = |value: &'a Spanned<DeValue<'a>>| match value.get_ref() {
            DeValue::String(text) => Ok(&**text),
            other => Err(self.expected(key, "a list of texts", other)),
        };
        values.iter().map(text).collect()
    }

    /// The tables of an array `[[key]]`; none where there is none.
    pub(crate) fn tables(&self, key: &'static str) -> Result<Vec<Fields<'a>>, Wrong> {
        let values = match self.get(key) {
            None => return Ok(Vec::new()),
            Some(DeValue::Array(values)) => values,
            Some(other) => return Err(self.expected(key, &format!("tables [[{key}]]"), other)),
        };
        let table = |value: &'a Spanned<DeValue<'a>>| match value.get_ref() {
            DeValue::Table(table) => Ok(Fields {
                text: self.text,
                name: key,
                table,
                at: value.span().start,
                asked: RefCell::default(),
            }),
            other => Err(self.expected(key, &format!("tables [[{key}]]"), other)),
        };
        values.iter().map(table).collect()
    }

    /// The table as TOML, without comments and with its secrets: to be digested. Empty where a value is one that TOML knows
    /// and this program nowhere takes, such as a number of thirty digits.
    pub(crate) fn plain(&self) -> String {
        let table = Spanned::new(0..0, self.table.clone());
        Table::deserialize(Deserializer::from(table)).map(|plain| plain.to_string()).unwrap_or_default()
    }

    /// A secret: under the key itself, or, better, in the environment variable that `KEY_env` names.
    ///
    /// # Errors
    ///
    /// When the variable is not set, or both are given.
    pub fn secret(&self, key: &'static str, key_env: &'static str) -> Result<Option<SecretString>, Wrong> {
        match (self.text(key)?, self.text(key_env)?) {
            (Some(_), Some(_)) => {
                Err(self.wrong(key_env, format!("there is `{key}` as well; keep one of the two")))
            }
            (Some(secret), None) => Ok(Some(secret.into())),
            (None, None) => Ok(None),
            (None, Some(variable)) => match std::env::var(variable) {
                Ok(secret) if !secret.is_empty() => Ok(Some(secret.into())),
                _ => Err(self
                    .wrong(key_env, format!("the environment has no {variable}; set it before the start"))),
            },
        }
    }

    /// An error about a key, at its line; at the table's where the key is not there.
    pub fn wrong(&self, key: &str, message: impl Into<String>) -> Wrong {
        let found = self.table.iter().find(|(name, _)| name.get_ref() == key);
        let offset = found.map_or(self.at, |(name, _)| name.span().start);
        let prefix = if self.name.is_empty() { String::new() } else { format!("{}.", self.name) };
        Wrong { line: line_of(self.text, offset), key: format!("{prefix}{key}"), message: message.into() }
    }

    /// The error about a key that has to be there.
    pub fn missing(&self, key: &str, remedy: &str) -> Wrong {
        self.wrong(key, format!("is missing; {remedy}"))
    }

    /// Refuses what nobody asked for.
    ///
    /// # Errors
    ///
    /// The first such key, with those that there are.
    pub fn finish(&self) -> Result<(), Wrong> {
        let asked = self.asked.borrow();
        let unknown = self.table.keys().find(|name| !asked.contains(&&**name.get_ref()));
        let Some(unknown) = unknown else { return Ok(()) };
        let known = asked.join("`, `");
        Err(self.wrong(unknown.get_ref(), format!("is not known here; the settings are `{known}`")))
    }

    fn get(&self, key: &'static str) -> Option<&'a DeValue<'a>> {
        self.find(key).map(Spanned::get_ref)
    }

    fn find(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.table.get(key)
    }

    fn expected(&self, key: &str, what: &str, found: &DeValue<'_>) -> Wrong {
        self.wrong(key, format!("expected {what}, and found {}", found.type_str()))
    }
}

/// The line, from 1, in which a byte of the text stands.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1)
}

/// What "15m", "1h 30m" or "2d" means; a day has 24 hours.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(text: &str, ask: impl FnOnce(&Fields<'_>) -> Result<T, Wrong>) -> Result<T, String> {
        let table = DeTable::parse(text).unwrap();
        let fields = Fields::new(text, "source", &table);
        let answer = ask(&fields).and_then(|answer| fields.finish().map(|()| answer));
        answer.map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn what_nobody_asks_for_is_refused_with_its_line() {
        let error = read("url = \"https://a.example\"\n\nulr = 3\n", |fields| fields.url("url")).unwrap_err();
        assert_eq!(error, "line 3: `source.ulr`: is not known here; the settings are `url`");
    }

    #[test]
    fn lengths_of_time_are_words_within_bounds() {
        let ask = |text: &str| {
            read(text, |fields| fields.duration("min", Duration::from_secs(1), Duration::from_secs(86_400)))
        };
        assert_eq!(ask("min = \"1h 30m\""), Ok(Some(Duration::from_secs(5_400))));
        assert_eq!(ask("min = \"1d\""), Ok(Some(Duration::from_secs(86_400))));
        assert!(ask("min = \"soon\"").unwrap_err().contains("is no length of time"));
        assert!(ask("min = \"2d\"").unwrap_err().contains("out of bounds"));
        assert!(ask("min = \"-1m\"").is_err());
        assert!(ask("min = 5").unwrap_err().contains("expected a text in quotes, and found integer"));
    }

    #[test]
    fn addresses_are_whole_and_of_the_web() {
        assert!(
            read("url = \"file:///etc/passwd\"", |fields| fields.url("url")).unwrap_err().contains("`file:`")
        );
        assert!(
            read("url = \"example.org\"", |fields| fields.url("url")).unwrap_err().contains("with https://")
        );
        assert!(read("", |fields| fields.url("url")).unwrap_err().contains("is missing"));
        let with_password = "url = \"https://me:secret@a.example:port/\"";
        assert!(!read(with_password, |fields| fields.url("url")).unwrap_err().contains("secret"));
    }
}
