//! Projections of the ledger, in SQLite.
