//! The words Herald speaks: ids, the state of a delivery, and what a client may ask for.
//!
//! These types do no IO. A value that exists here has been checked: an [`EmailAddress`] parses, a
//! [`NewNotification`] keeps every rule of the API. What becomes of it is `store`'s to decide; read that next.

mod address;
mod id;
mod input;
mod state;

pub use address::{EmailAddress, NotAnAddress, to_wire};
pub(crate) use id::go_on_after;
pub use id::{DeliveryId, NotAnId, NotificationId};
pub use input::{
    CATEGORY_CHARS_MAX, Fault, HTML_BYTES_MAX, Invalid, NewNotification, Recipient, SUBJECT_BYTES_MAX,
    TEXT_BYTES_MAX,
};
pub use jiff::Timestamp;
pub use state::{NotAState, State};
