//! The attribute macros of Ballet.
