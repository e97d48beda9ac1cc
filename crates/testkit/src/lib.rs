//! Fixture runner, in-memory System, one conformance suite per trait; development only.
