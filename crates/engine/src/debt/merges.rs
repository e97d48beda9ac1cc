//! Who merged what through Solvent. Git names the program as author and as merger of such commits; the record
//! names the people.

use std::collections::{BTreeMap, BTreeSet};

use solvent_protocol::change::{Event, EventKind};
use solvent_protocol::record::{Actor, ActorKind};
use solvent_protocol::remediation::MergeReport;
use solvent_store::{Store as _, names};

use crate::door::{Engine, store_failed};
use crate::error::EngineError;
use crate::reproof::parse;

/// Who merged a change, compared with who wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merged {
    ByAuthor,
    ByAnother,
}

/// Merges in the record, by the id of the change and the full id of the commit: a trailer alone, which anyone
/// can write, names none of them.
#[derive(Default)]
pub struct Merges(BTreeMap<(String, String), Merged>);

impl Merges {
    pub fn read(engine: &mut Engine) -> Result<Self, EngineError> {
        let documents = engine
            .store
            .documents(names::MERGE_REPORT, None)
            .map_err(|e| store_failed(&e))?;
        let mut all = BTreeMap::new();
        for document in documents {
            let report: MergeReport = parse(&document.body)?;
            let events = engine.events(&report.change)?;
            if let Some(merged) = judge(&events, &report.merged) {
                all.insert((report.change, report.merged), merged);
            }
        }
        Ok(Self(all))
    }

    /// What the record says of `commit`, which names `change`; nothing when it does not know it.
    pub fn merged(&self, change: &str, commit: &str) -> Option<Merged> {
        self.0.get(&(change.to_owned(), commit.to_owned())).copied()
    }
}

/// Who made `commit`, by the events of its change. Behind an agent stands the person who started it.
fn judge(events: &[Event], commit: &str) -> Option<Merged> {
    let mut authors: BTreeSet<&str> = BTreeSet::new();
    for event in events {
        match &event.kind {
            EventKind::Proposed { author, .. } => {
                authors.insert(author);
                authors.extend(persons(&event.actor));
            }
            EventKind::Pushed { .. } => authors.extend(persons(&event.actor)),
            EventKind::Merged { commit: made, .. } if made == commit => {
                let mut mergers = persons(&event.actor).peekable();
                mergers.peek()?;
                return Some(if mergers.any(|person| authors.contains(person)) {
                    Merged::ByAuthor
                } else {
                    Merged::ByAnother
                });
            }
            _ => {}
        }
    }
    None
}

/// The people behind an actor.
fn persons(actor: &Actor) -> impl Iterator<Item = &str> {
    let own = (actor.kind == ActorKind::Human).then_some(actor.id.as_str());
    own.into_iter().chain(actor.on_behalf_of.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "c0ffee";

    fn event(kind: ActorKind, id: &str, behind: Option<&str>, what: EventKind) -> Event {
        Event {
            at_ms: 0,
            actor: Actor {
                id: id.to_owned(),
                kind,
                on_behalf_of: behind.map(str::to_owned),
            },
            kind: what,
        }
    }

    /// Ana's agent proposed it.
    fn proposed() -> Event {
        let revision = serde_json::json!({
            "base": "a".repeat(40), "head": "b".repeat(40), "tree": "c".repeat(40),
            "diff": solvent_base::Digest::of(b"").to_string(),
        });
        let inputs = serde_json::json!({
            "paths": ["app.py"], "lines": 2, "weakness": "CWE-89", "listed": "listed",
            "exposure": "public", "tests": "passed", "disposition": "mechanical",
        });
        let what = serde_json::json!({"proposed": {
            "author": "ana", "revision": revision,
            "risk": {"class": "low", "inputs": inputs, "reasons": []},
        }});
        let what = serde_json::from_value(what).expect("an event");
        event(ActorKind::Agent, "fixer", Some("ana"), what)
    }

    fn merged(kind: ActorKind, id: &str, behind: Option<&str>) -> Option<Merged> {
        let what = EventKind::Merged {
            commit: COMMIT.to_owned(),
            tree: String::new(),
        };
        judge(&[proposed(), event(kind, id, behind, what)], COMMIT)
    }

    #[test]
    fn people_are_compared_and_an_agent_is_the_person_behind_it() {
        assert_eq!(
            merged(ActorKind::Human, "cleo", None),
            Some(Merged::ByAnother)
        );
        assert_eq!(
            merged(ActorKind::Human, "ana", None),
            Some(Merged::ByAuthor)
        );
        assert_eq!(
            merged(ActorKind::Agent, "other", Some("ana")),
            Some(Merged::ByAuthor)
        );
        assert_eq!(merged(ActorKind::Agent, "other", None), None);
    }

    #[test]
    fn another_commit_with_the_same_trailer_is_not_known() {
        let what = EventKind::Merged {
            commit: "another".to_owned(),
            tree: String::new(),
        };
        let events = [proposed(), event(ActorKind::Human, "cleo", None, what)];
        assert_eq!(judge(&events, COMMIT), None);
    }
}
