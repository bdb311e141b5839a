//! Cold flows: what each operator does, what all of them promise, and what runs where.

mod builders;
mod children;
mod cut;
mod failures;
mod groups;
mod laws;
mod models;
mod spawned;
mod support;
mod timing;
mod turns;
