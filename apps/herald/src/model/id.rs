//! Names of things: UUIDv7, so that ids sort by the time at which they were made.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
            /// A new id, greater than every id this process made before.
            #[expect(clippy::new_without_default, reason = "each call makes another value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
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
