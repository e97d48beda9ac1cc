//! Generated histories of changes, judged by the library and by its definition.
//!
//! No released command judges a history that did not happen, so this runs the room's own program.

use crate::figures::{Figures, Place};
use crate::program::room;

/// Ten thousand histories, half of them with one seeded mistake that must not lead to a merge.
pub fn run(place: &Place) -> Result<Figures, String> {
    room(
        &place.root,
        &[
            "--package",
            "solvent-govern",
            "--example",
            "score-histories",
        ],
        &[],
    )
}
