//! The ledger's behaviour, one file per noun.

mod crash;
mod history;
mod support;
mod tamper;
mod tampering;
