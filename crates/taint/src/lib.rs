//! Flows from sources to sinks, with a verdict and its reason.
