//! The binary as a user runs it: arguments in, words and exit code out.

mod bad_input;
mod bad_target;
mod debt;
mod evidence;
mod harness;
mod loops;
mod reading;
