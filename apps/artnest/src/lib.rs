//! A studio for drawing together, in one binary.

pub mod model;
pub mod wire;
