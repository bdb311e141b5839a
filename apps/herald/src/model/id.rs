//! Names of things: UUIDv7, so that ids sort by the time at which they were made, whatever the clock does.

use std::{fmt, str::FromStr, sync::Mutex};

use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Timestamp, Uuid};

/// Counts on within a millisecond, and where the clock goes back.
static CLOCK: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// Makes every id from now on greater than this one, which an earlier process made, perhaps by a clock ahead of ours.
pub(crate) fn go_on_after(id: &[u8; 16]) {
    let Some(made_at) = Uuid::from_bytes(*id).get_timestamp() else { return };
    // Within its millisecond the other process may have counted further than we begin.
    let (seconds, nanoseconds) = made_at.to_unix();
    let next = nanoseconds + 1_000_000;
    let (seconds, nanoseconds) = (seconds + u64::from(next / 1_000_000_000), next % 1_000_000_000);
    let _ = Timestamp::from_unix(&CLOCK, seconds, nanoseconds);
}

/// The text was not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a UUID")]
pub struct NotAnId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, greater than every id this process made, and than those before it in its store.
            #[expect(clippy::new_without_default, reason = "each call makes another value")]
            pub fn new() -> Self {
                Self(Uuid::new_v7(Timestamp::now(&CLOCK)))
            }

            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
            }
        }
    };
}

id! {
    /// One accepted request to notify somebody.
    NotificationId
}

id! {
    /// One message to one address over one channel. Its text is the local part of the e-mail's Message-ID.
    DeliveryId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_order_in_which_they_were_made() {
        let ids: Vec<_> = (0..1_000).map(|_| DeliveryId::new()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn an_id_survives_its_text() {
        let id = NotificationId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("nonsense".parse::<NotificationId>(), Err(NotAnId));
    }
}
