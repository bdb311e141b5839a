//! What stands around a call: retries, breakers, rate limiters, hedges; each alone and nested in each other.

mod breaker;
mod hedge;
mod limiter;
mod retry;
mod together;
