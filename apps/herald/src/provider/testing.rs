//! A delivery for unit tests.

use crate::{
    model::{DeliveryId, NotificationId},
    store::Work,
};

pub(crate) fn work() -> Work {
    let delivery = DeliveryId::from_bytes([7; 16]);
    Work {
        delivery,
        notification: NotificationId::from_bytes([1; 16]),
        attempt: 1,
        to: "ada@example.com".parse().expect("an address"),
        subject: "Hello".to_owned(),
        text: Some("Hello.".to_owned()),
        html: None,
        created_at: "2027-01-15T08:00:00Z".parse().expect("a time"),
        expires_at: None,
        message_id: format!("<{delivery}@herald.example.org>"),
        ambiguous: false,
    }
}
