//! How Herald's words stand in SQLite: ids as 16 bytes, times as unix milliseconds, states by their names.

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use super::{view::EventKind, work::Class};
use crate::model::{DeliveryId, EmailAddress, NotificationId, State};

/// A time, cut to whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Millis(i64);

impl Millis {
    pub(super) fn now() -> Self {
        Timestamp::now().into()
    }

    /// The time so long before.
    pub(super) fn minus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_sub(milliseconds))
    }
}

impl From<Timestamp> for Millis {
    fn from(time: Timestamp) -> Self {
        Self(time.as_millisecond())
    }
}

impl From<Millis> for Timestamp {
    fn from(millis: Millis) -> Self {
        // Both ways of making a `Millis` check the range.
        Self::from_millisecond(millis.0).unwrap_or(Self::MAX)
    }
}

impl ToSql for Millis {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for Millis {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = value.as_i64()?;
        Timestamp::from_millisecond(millis).map_err(|_| FromSqlError::OutOfRange(millis))?;
        Ok(Self(millis))
    }
}

macro_rules! id_as_blob {
    ($($id:ty),*) => {$(
        impl ToSql for $id {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_bytes().as_slice().into())
            }
        }

        impl FromSql for $id {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 16]>::column_result(value).map(Self::from_bytes)
            }
        }
    )*};
}

id_as_blob!(NotificationId, DeliveryId);

macro_rules! word_as_text {
    ($($word:ty),*) => {$(
        impl ToSql for $word {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $word {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?;
                let known = Self::ALL.into_iter().find(|word| word.as_str() == text);
                known.ok_or_else(|| FromSqlError::Other(format!("unknown word {text:?}").into()))
            }
        }
    )*};
}

word_as_text!(State, Class, EventKind);

impl ToSql for EmailAddress {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for EmailAddress {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}
