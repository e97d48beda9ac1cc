//! Real repositories, made by `git fast-import`, read through the crate's doors.

mod affected;
mod attribution;
mod history;
mod hostile;
mod readers;
mod storefront;
mod story;
mod tree;
