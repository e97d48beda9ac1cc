//! Everything about deciding, by what is decided.

#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing test")]

mod adoption;
mod change;
mod decide;
mod definition;
mod histories;
mod people;
mod risk;
mod score;
mod signature;
