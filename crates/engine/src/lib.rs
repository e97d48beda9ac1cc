//! The loop, and the one door.
