//! Real repositories, made by `git fast-import`, read through the crate's doors.

#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing test")]

mod affected;
mod attribution;
mod history;
mod hostile;
mod readers;
mod storefront;
mod story;
mod tree;
