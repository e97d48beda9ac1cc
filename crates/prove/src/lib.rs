//! Turns a flow into a proof, or says what stopped it.
