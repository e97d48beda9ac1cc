//! The sandbox against real programs, each test as root and as a plain user.

mod support;

mod escape;
mod fetch;
mod limits;
mod target;
