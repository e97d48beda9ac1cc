//! The ledger's behaviour, one file per noun.

#![expect(clippy::unwrap_used, reason = "a failing set-up is a failing test")]

mod crash;
mod history;
mod reading;
mod support;
mod tamper;
mod tampering;
