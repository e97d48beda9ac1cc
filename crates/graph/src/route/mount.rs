//! Collections of routes, and what they are mounted on.

use solvent_models::{EntryRow, EntryShape};

use super::live::Seen;
use super::{MAX_MOUNTS, joined};
use crate::link::Site;
use crate::machine::Machine;
use crate::world::Registration;

impl Machine<'_> {
    /// Prefixes under which what was made at `at` is served.
    pub(crate) fn prefixes(
        &self,
        at: Site,
        mounts: &[Registration],
        program: &Seen,
        seen: &mut Vec<Site>,
        out: &mut Vec<(String, Option<String>)>,
    ) {
        if seen.contains(&at) || seen.len() > MAX_MOUNTS {
            return;
        }
        seen.push(at);
        let made = self.made.get(&at);
        let is_application = made.is_none_or(|(application, _)| *application);
        let own = made
            .and_then(|(_, prefix)| prefix.clone())
            .unwrap_or_default();
        if is_application {
            out.push((own, None));
        } else {
            let mut mounted = false;
            for mount in mounts.iter().filter(|m| m.mounted.contains(&at)) {
                mounted = true;
                let prefix = mount.prefix.clone().unwrap_or_else(|| own.clone());
                if mount.receivers.is_empty() {
                    let assumed = (!mount.receiver_known)
                        .then(|| "it is registered on a value that is not known".to_owned());
                    out.push((prefix.clone(), assumed));
                }
                for receiver in &mount.receivers {
                    let mut outer = Vec::new();
                    self.prefixes(*receiver, mounts, program, seen, &mut outer);
                    for (head, assumed) in outer {
                        out.push((joined(&head, &prefix), assumed));
                    }
                }
            }
            if !mounted && !self.never_mounted(program, at) {
                out.push((
                    own,
                    Some("its collection is not seen to be registered".to_owned()),
                ));
            }
        }
        seen.pop();
    }

    /// Remembers what kind of route holder was made where.
    pub(crate) fn note_made(&mut self, site: Site, rows: &[EntryRow], prefix: Option<String>) {
        for row in rows {
            match row.shape {
                EntryShape::Application => {
                    self.made.insert(site, (true, prefix.clone()));
                }
                EntryShape::Collection | EntryShape::Group => {
                    self.made.insert(site, (false, prefix.clone()));
                }
                _ => {}
            }
        }
    }
}
