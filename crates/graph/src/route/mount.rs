//! Collections of routes, and what they are mounted on.

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
        let is_application = made.is_none_or(|made| made.application);
        let own = made
            .and_then(|made| made.prefix.clone())
            .unwrap_or_default();
        let mounts_it = |mount: &&Registration| {
            // What an application lists when it is made is not put below it.
            mount.mounted.contains(&at) && !mount.receivers.contains(&at)
        };
        if is_application && !mounts.iter().any(|mount| mounts_it(&mount)) {
            out.push((own, None));
        } else {
            let mut mounted = false;
            for mount in mounts.iter().filter(mounts_it) {
                mounted = true;
                let prefix = match &mount.prefix {
                    Some(prefix) if mount.adds_prefix => joined(prefix, &own),
                    Some(prefix) => prefix.clone(),
                    None => own.clone(),
                };
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
}
