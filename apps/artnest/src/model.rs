//! The words of the domain: who may do what, why a room takes nothing, what went wrong, names and sheets. No IO.

mod code;
mod id;
mod name;
mod role;
mod sheet;

pub use code::{Code, ReadOnly};
pub use id::{NotARoomId, RoomId};
pub use name::{BadName, clean_name};
pub use role::{Role, Visibility};
pub use sheet::{BadSheet, sheet};
