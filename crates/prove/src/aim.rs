//! Where a payload goes: a draft of a request, and the plan that one payload makes of it.

use solvent_finding::Transform;
use solvent_protocol::capsule::{Encode, Oracle, Payloads, Raw, Value};

use crate::case::Lead;
use crate::exec::Plan;
use crate::payload::Payload;
use crate::request::{Draft, WAYS};
use crate::shape::{Inverse, invert};

/// Where a payload goes.
pub(crate) struct Aim<'a> {
    pub lead: &'a Lead,
    pub draft: &'a Draft,
    pub starts: &'a [String],
    pub ends: &'a [String],
}

impl Aim<'_> {
    /// The plan for one payload; `None` when the transforms cannot deliver it.
    pub fn plan(
        &self,
        payload: &Payload,
        transforms: &[Transform],
        oracle: Oracle,
    ) -> Option<Plan> {
        let is_path = matches!(
            oracle,
            Oracle::PlantedSecret { .. }
                | Oracle::PlantedWrite { .. }
                | Oracle::ExistenceBits { .. }
        );
        let dress = |text: &str, twin: bool| -> String {
            // Path payloads bring their own beginnings and ends.
            let (start, end) = if is_path && !twin {
                ("", "")
            } else {
                (
                    self.starts.first().map_or("", String::as_str),
                    self.ends.first().map_or("", String::as_str),
                )
            };
            format!("{start}{text}{end}")
        };
        let step = self.draft.render();
        let values = |text: &str, twin: bool| -> Option<Vec<Value>> {
            let Inverse { text, encode } = invert(transforms, dress(text, twin).as_bytes())?;
            Some(self.values(&step, &text, &encode))
        };
        Some(Plan {
            login: None,
            payloads: Payloads {
                twin: values(&payload.twin, true)?,
                attack: values(&payload.attack, false)?,
                zero: match &payload.zero {
                    Some(zero) => values(zero, false)?,
                    None => Vec::new(),
                },
            },
            steps: vec![step],
            oracle,
        })
    }

    /// One value for each way of writing that the step uses.
    fn values(
        &self,
        step: &solvent_protocol::capsule::Step,
        text: &[u8],
        encode: &[Encode],
    ) -> Vec<Value> {
        let used = |name: &str| {
            let mark = format!("{{{{{name}}}}}");
            let holds = |raw: &Raw| crate::shape::contains(&raw.0, mark.as_bytes());
            holds(&step.target)
                || holds(&step.body)
                || step
                    .headers
                    .iter()
                    .any(|(name, value)| holds(name) || holds(value))
        };
        WAYS.iter()
            .filter(|(name, _)| used(name))
            .map(|(name, own)| {
                // What is percent-encoded as a whole already needs no cookie quotes.
                let own: &[Encode] =
                    if *own == [Encode::Cookie] && encode.last() == Some(&Encode::Percent) {
                        &[]
                    } else {
                        own
                    };
                Value {
                    name: (*name).to_owned(),
                    text: Raw(text.to_vec()),
                    encode: encode.iter().chain(own).copied().collect(),
                }
            })
            .collect()
    }
}

/// Values that no step uses any more, after minimising.
pub(crate) fn trim(plan: &mut Plan) {
    let mut used = std::collections::BTreeSet::new();
    for step in &plan.steps {
        used.extend(solvent_protocol::capsule::placeholders(&step.target.0));
        used.extend(solvent_protocol::capsule::placeholders(&step.body.0));
        for (name, value) in &step.headers {
            used.extend(solvent_protocol::capsule::placeholders(&name.0));
            used.extend(solvent_protocol::capsule::placeholders(&value.0));
        }
    }
    for values in [
        &mut plan.payloads.twin,
        &mut plan.payloads.attack,
        &mut plan.payloads.zero,
    ] {
        values.retain(|value| used.contains(&value.name));
    }
}
