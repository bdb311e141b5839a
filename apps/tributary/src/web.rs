//! How sources reach their servers.

use ballet::SupervisorScope;

use crate::{
    clock::Clock,
    fields::{Fields, Wrong},
};

/// How servers are asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {}

impl Settings {
    /// # Errors
    ///
    /// None.
    pub fn read(_: &Fields<'_>) -> Result<Self, Wrong> {
        Ok(Self {})
    }
}

/// A guarded HTTP client, shared by all sources; cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Web {}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("there is no client")]
pub struct Unusable;

impl Web {
    /// # Errors
    ///
    /// None.
    pub fn new(_: Settings, _: Clock, _: SupervisorScope) -> Result<Self, Unusable> {
        Ok(Self {})
    }
}
