//! Deployments of the same program that differ in who can reach the sink.
//!
//! A pair is right when both of its members come out as they are labelled, in every word: what is only not
//! known counts as wrong.

use solvent_testkit::deploy::{Said, read};

use super::targets::note;
use crate::figures::{Figures, Place};
use crate::program::{json, released};

pub fn run(place: &Place) -> Result<Figures, String> {
    let pairs = read(&place.root)?;
    let program = released(&place.root)?;
    let folder = place.scratch.join("member");
    let mut figures = Figures::new();
    for figure in ["pairs", "right", "flows", "flows_right", "internal_wrongly"] {
        figures.insert(figure.to_owned(), 0.0);
    }
    let mut add = |figure: &str| *figures.entry(figure.to_owned()).or_default() += 1.0;
    for pair in &pairs {
        add("pairs");
        if pair.crosses {
            add("flows");
        }
        let mut right = true;
        for member in &pair.members {
            member.lay_out(&folder)?;
            let (report, _) = json(&program, &["scan", "--no-git", &folder.to_string_lossy()])?;
            let said = Said::of(&report, &pair.sink.0, pair.sink.1);
            if said != member.label {
                right = false;
                let (label, word) = (member.label.word(), said.word());
                note(&format!("{}, {label}: came out {word}", pair.name));
            }
            // The mistake that hides something.
            if said > Said::Unknown && member.label <= Said::Unknown {
                add("internal_wrongly");
            }
        }
        if right {
            add("right");
            if pair.crosses {
                add("flows_right");
            }
        }
    }
    Ok(figures)
}
