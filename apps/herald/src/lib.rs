//! A notification service that can prove what it did.
