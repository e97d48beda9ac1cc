//! Collections of routes, and what they are mounted on.

use super::live::Seen;
use super::{MAX_MOUNTS, joined};
use crate::library::Ports;
use crate::link::{Site, UnitId};
use crate::machine::Machine;
use crate::world::Registration;
use solvent_models::EntryRow;

impl Machine<'_> {
    /// A call that puts a text in front of all routes of its library.
    pub(crate) fn put_in_front(&mut self, unit: UnitId, row: &EntryRow, ports: &Ports<'_>) {
        let prefix = row.prefix.as_ref();
        let prefix = prefix.and_then(|port| self.port_plain(port, ports));
        for text in prefix
            .and_then(|v| self.constant_texts(v))
            .unwrap_or_default()
        {
            let said = self.prefixed.entry(row.framework.clone()).or_default();
            let text = format!("/{}", text.trim_matches('/'));
            if !said.contains(&(unit, text.clone())) {
                said.push((unit, text));
            }
        }
    }

    /// What stands in front of a route that is bound there. Of several programs in one tree that say so, those above
    /// the file count, if there are any.
    pub(super) fn in_front(&self, framework: &str, unit: UnitId) -> Vec<String> {
        let Some(said) = self.prefixed.get(framework) else {
            return vec![String::new()];
        };
        let path = self.p.unit(unit).path.as_str();
        let above = |by: UnitId| {
            let by = self.p.unit(by).path.as_str();
            let folder = by.rsplit_once('/').map_or("", |(folder, _)| folder);
            let rest = path.strip_prefix(folder);
            rest.is_some_and(|rest| folder.is_empty() || rest.starts_with('/'))
        };
        let near: Vec<String> = said
            .iter()
            .filter(|(by, _)| above(*by))
            .map(|(_, text)| text.clone())
            .collect();
        if near.is_empty() {
            said.iter().map(|(_, text)| text.clone()).collect()
        } else {
            near
        }
    }

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
