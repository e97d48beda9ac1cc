//! Requests that the program sends: one value holds the parts of each, so that they stay together.

use solvent_ir::Const;
use solvent_models::{Member, MemberId, Port};

use crate::library::Ports;
use crate::machine::{Frame, Machine};
use crate::value::{CollKind, Ls, V};
use crate::world::{Hit, SinkRef};

/// Rows of sinks count from zero; those of requests from here.
const SENT: u32 = 1 << 31;

/// Names of the parts in the value of a request.
pub const PARTS: [&str; 8] = [
    "url", "base", "method", "query", "form", "json", "headers", "body",
];

impl SinkRef {
    /// Which `send` row of the member this is, if it is one.
    pub fn sent(&self) -> Option<u32> {
        (self.row >= SENT).then(|| self.row - SENT)
    }
}

impl Machine<'_> {
    /// Notes what the call sends, with what is known of each part.
    pub(crate) fn sends(
        &mut self,
        frame: &mut Frame,
        index: u32,
        id: MemberId,
        member: &Member,
        ports: &Ports<'_>,
    ) {
        for (row, send) in member.sends.iter().enumerate() {
            let parts: [Option<&Port>; 8] = [
                Some(&send.url),
                send.base.as_ref(),
                send.method.as_ref(),
                send.query.as_ref(),
                send.form.as_ref(),
                send.json.as_ref(),
                send.headers.as_ref(),
                send.body.as_ref(),
            ];
            let mut kids: Vec<(Const, V)> = Vec::new();
            for (name, port) in PARTS.into_iter().zip(parts) {
                let Some(port) = port else { continue };
                let mut slot = Some(&mut *frame);
                if let Some(value) = self.port(&mut slot, index, port, ports) {
                    kids.push((Const::Str(self.name(name)), value));
                }
            }
            if kids.is_empty() {
                continue;
            }
            let value = self.w.store.coll(CollKind::Dict, kids, V::NEVER, Ls::NONE);
            let facts = self.facts_here(frame).into();
            let hit = Hit {
                sink: SinkRef {
                    site: self.site(frame, index),
                    member: id,
                    row: SENT + row as u32,
                },
                value,
                facts,
                by_name: false,
            };
            self.push_hit(frame, hit);
        }
    }
}
