//! Artnest's integration tests: the real program, loopback only.
