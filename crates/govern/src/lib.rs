//! Says whether a command may happen, and why not.
