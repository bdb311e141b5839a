//! What the integration tests share.

mod client;
mod names;
mod site;

pub(crate) use client::{get, settings, source, try_source, visit, with_web};
pub(crate) use names::{Names, Record};
pub(crate) use site::{Asked, Reply, Site, bomb, rss};
