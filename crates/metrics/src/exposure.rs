//! Public entry points with an open proof, over those measured.

use solvent_protocol::debt::{DebtEntryPoint, Exposure, Figure, Measured, evidence};

use crate::figure;
use crate::funnel::Attacked;

/// An entry point of unknown exposure counts as public: unknown is never safe.
pub fn exposure(entry_points: &[DebtEntryPoint], attacked: Attacked) -> Measured<Exposure> {
    if attacked == Attacked::Never {
        return Measured::Unmeasured("nothing was attacked; run `solvent prove`".to_owned());
    }
    let public = || entry_points.iter().filter(|e| e.exposure != "internal");
    let of = |keep: &dyn Fn(&&DebtEntryPoint) -> bool| -> Figure {
        figure(public().filter(keep).map(|e| evidence::entry(&e.id)))
    };
    Measured::Known(Exposure {
        public: of(&|_| true),
        measured: of(&|e| e.attacked.known().is_some()),
        open_proof: of(&|e| e.attacked.known().is_some_and(|proven| *proven > 0)),
    })
}
