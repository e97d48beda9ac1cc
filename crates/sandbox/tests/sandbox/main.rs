//! The sandbox against real programs, each test as root and as a plain user.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

mod escape;
mod fetch;
mod limits;
mod probe;
mod target;
