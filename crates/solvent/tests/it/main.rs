//! The binary as a user runs it: arguments in, words and exit code out.

mod accept;
mod approval;
mod bad_input;
mod bad_target;
mod debt;
mod deploy_pairs;
mod evidence;
mod gate;
mod graph;
mod harness;
mod impact;
mod kill;
mod loops;
mod office;
mod proposal;
mod reading;
mod remedy;
mod watch;
