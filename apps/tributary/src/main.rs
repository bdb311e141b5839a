//! Parse, wire, run.

fn main() {}
