//! A studio for drawing together, in one binary.

pub mod canvas;
pub mod model;
pub mod wire;
