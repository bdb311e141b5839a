//! A notification service that can prove what it did.
//!
//! Read in this order: `model` for the words, `store` for the books, `provider` for one send, `deliver` for the
//! engine, `http` for the API, `serve` for how they stand on one stage.

pub mod api_key;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod http;
pub mod model;
pub mod provider;
pub mod serve;
pub mod store;
