//! Runs hostile code inside a budget with no way out.
