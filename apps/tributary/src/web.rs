//! How sources reach their servers.

/// A guarded HTTP client, shared by all sources; cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Web {}
