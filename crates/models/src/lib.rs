//! Parses and checks the data: library models, weaknesses, oracles, payloads.
