//! Tampering with ledger folders, by the ledger crate's own program.

use crate::figures::{Figures, Place};
use crate::program::room;

/// A thousand random edits, deletions, swaps, truncations and re-signings, and a hundred honest ledgers.
pub fn run(place: &Place) -> Result<Figures, String> {
    room(
        &place.root,
        &[
            "--package",
            "solvent-ledger",
            "--example",
            "score-ledger-tamper",
        ],
        &[],
    )
}
