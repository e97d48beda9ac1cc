//! Lowers source text to IR; never fails, returns a unit and problems.
