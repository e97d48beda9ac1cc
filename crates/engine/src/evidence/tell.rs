//! The sections of the page: each fact is taken from an opened object or a record, never retyped.

use serde_json::Value;
use solvent_protocol::evidence::{
    About, Answer, ApprovalLine, Excerpt, Fact, Kind, Place, Section, file,
};
use solvent_protocol::record::{self, Commitment, Phase};
use solvent_protocol::view::Unmeasured;
use solvent_store::names;

use super::choose::Matter;
use super::{Gathered, OpenedObject};

/// What the folder says besides its lists.
pub(crate) struct Told {
    pub about: About,
    pub sections: Vec<Section>,
    pub approvals: Vec<ApprovalLine>,
    pub excerpts: Vec<Excerpt>,
    pub unknown: Vec<Unmeasured>,
}

/// Places of one list that are told; the rest is counted.
const MOST: usize = 64;

pub(crate) fn tell(matter: &Matter, gathered: &Gathered) -> Told {
    let mut teller = Teller {
        gathered,
        sections: Vec::new(),
        unknown: Vec::new(),
    };
    for state in &matter.findings {
        teller.finding(&state.finding.id, &state.finding.fingerprint);
    }
    let approvals = approvals(gathered);
    let excerpts = teller.change();
    teller.authorized(&approvals);
    teller.merged();
    teller.replays();
    teller.limits(matter);
    Told {
        about: About {
            kind: matter.kind,
            id: matter.id.clone(),
            title: title(matter),
            subject: matter.subject.clone(),
            standing: standing(matter, gathered),
        },
        sections: teller.sections,
        approvals,
        excerpts,
        unknown: teller.unknown,
    }
}

fn title(matter: &Matter) -> String {
    match matter.kind {
        Kind::Change => matter
            .changes
            .last()
            .map_or_else(String::new, |c| c.title.clone()),
        Kind::Finding => matter
            .findings
            .first()
            .map_or_else(String::new, |f| f.finding.title.clone()),
    }
}

/// One line: how the matter stands as far as the opened records say.
fn standing(matter: &Matter, gathered: &Gathered) -> String {
    let newest = |name: &str, pointer: &str| {
        gathered
            .opened
            .values()
            .filter(|o| o.name == name)
            .max_by_key(|o| o.record)
            .and_then(|o| o.value.pointer(pointer))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    if let Some(outcome) = newest(names::MERGE_REPORT, "/outcome") {
        return match outcome.as_str() {
            "merged" => "merged, not verified on the merged revision yet".to_owned(),
            "closed" => "merged, and the same attack fails on the merged revision".to_owned(),
            "reopened" => "merged, but the attack still works on the merged revision".to_owned(),
            _ => "merged, and the merged revision could not be verified".to_owned(),
        };
    }
    if newest(names::REJECTION, "/change").is_some() {
        return "the change was rejected by a person".to_owned();
    }
    if let Some(verdict) = newest(names::CHANGE_REQUEST, "/verification/verdict") {
        return match verdict.as_str() {
            "verified" => "a verified patch is proposed, nothing is merged".to_owned(),
            "rejected" => "a patch was rejected by its checks, the flaw is open".to_owned(),
            _ => "a patch could not be verified, the flaw is open".to_owned(),
        };
    }
    let Some(state) = matter.findings.first() else {
        return "unknown".to_owned();
    };
    match state.proof.as_ref().map(|p| p.outcome.as_str()) {
        Some("proven") => "proven by attacking the running application; open".to_owned(),
        Some("not_reproduced") => {
            "attacked as planned without an effect, which is no proof of safety".to_owned()
        }
        Some(_) => "attacked, but not as planned: nothing is known".to_owned(),
        None => format!("{}, never attacked", state.finding.verdict.word),
    }
}

struct Teller<'a> {
    gathered: &'a Gathered,
    sections: Vec<Section>,
    unknown: Vec<Unmeasured>,
}

/// The answer to one question.
struct Said {
    answer: Answer,
    word: String,
    lead: String,
}

fn said(answer: Answer, word: impl Into<String>, lead: impl Into<String>) -> Said {
    Said {
        answer,
        word: word.into().replace('_', " "),
        lead: lead.into(),
    }
}

/// Steps of a way to the call, below one pointer.
fn steps_of(found: &At<'_>, list: &str) -> Vec<Fact> {
    let count = found.length(list).min(MOST);
    let steps = (0..count).map(|step| format!("{list}/{step}"));
    steps
        .flat_map(|step| {
            found.facts(&[
                ("step", &format!("{step}/what")),
                ("file", &format!("{step}/place/path")),
                ("line", &format!("{step}/place/line")),
                ("source text", &format!("{step}/text")),
            ])
        })
        .collect()
}

/// Facts of one object below one pointer.
struct At<'a> {
    commitment: Commitment,
    object: &'a OpenedObject,
    below: String,
}

impl<'a> At<'a> {
    /// The same object, below another pointer.
    fn below(&self, pointer: &str) -> At<'a> {
        At {
            commitment: self.commitment,
            object: self.object,
            below: pointer.to_owned(),
        }
    }

    fn value(&self, pointer: &str) -> Option<&Value> {
        self.object
            .value
            .pointer(&format!("{}{pointer}", self.below))
    }

    fn text(&self, pointer: &str) -> &str {
        self.value(pointer).and_then(Value::as_str).unwrap_or("")
    }

    /// The fact, when something is said there.
    fn fact(&self, label: &str, pointer: &str) -> Option<Fact> {
        let value = self.value(pointer)?;
        let said = match value {
            Value::String(text) => !text.is_empty(),
            Value::Bool(_) => true,
            Value::Number(number) => number.is_i64() || number.is_u64(),
            _ => false,
        };
        said.then(|| Fact {
            label: label.to_owned(),
            value: value.clone(),
            at: Place::Object {
                commitment: self.commitment,
                pointer: format!("{}{pointer}", self.below),
            },
        })
    }

    fn facts(&self, wanted: &[(&str, &str)]) -> Vec<Fact> {
        wanted
            .iter()
            .filter_map(|(label, pointer)| self.fact(label, pointer))
            .collect()
    }

    /// One fact per element of the list at `pointer`.
    fn each(&self, label: &str, pointer: &str, rest: &str) -> Vec<Fact> {
        let length = self
            .value(pointer)
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        (0..length.min(MOST))
            .filter_map(|i| self.fact(label, &format!("{pointer}/{i}{rest}")))
            .collect()
    }

    fn length(&self, pointer: &str) -> usize {
        self.value(pointer)
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    }
}

impl<'a> Teller<'a> {
    fn section(&mut self, id: &str, title: &str, said: Said, facts: Vec<Fact>) {
        self.sections.push(Section {
            id: id.to_owned(),
            title: title.to_owned(),
            answer: said.answer,
            word: said.word,
            lead: said.lead,
            facts,
        });
    }

    /// Opened objects of that name, by record.
    fn opened(&self, name: &str) -> Vec<At<'a>> {
        let mut found: Vec<At<'a>> = self
            .gathered
            .opened
            .iter()
            .filter(|(_, object)| object.name == name)
            .map(|(commitment, object)| At {
                commitment: *commitment,
                object,
                below: String::new(),
            })
            .collect();
        found.sort_by_key(|at| at.object.record);
        found
    }

    /// The newest place that tells the finding, and the newest that tells its proof.
    fn places(&self, id: &str, fingerprint: &str) -> (Option<At<'a>>, Option<At<'a>>) {
        if let Some(excerpt) = self.opened(&format!("{}{id}", names::EXCERPT)).pop() {
            return (
                Some(excerpt.below("/finding")),
                Some(excerpt.below("/proof")),
            );
        }
        let within = |name: &str, list: &str| {
            let mut at = self.opened(name).pop()?;
            let i = at.value(list)?.as_array()?.iter().position(|entry| {
                entry.get("fingerprint").and_then(Value::as_str) == Some(fingerprint)
            })?;
            at.below = format!("{list}/{i}");
            Some(at)
        };
        (
            within(names::SCAN_REPORT, "/findings"),
            within(names::PROVE_REPORT, "/proofs"),
        )
    }

    fn finding(&mut self, id: &str, fingerprint: &str) {
        let (found, proof) = self.places(id, fingerprint);
        let Some(found) = found else {
            self.unknown.push(Unmeasured {
                what: format!("what finding {id} is"),
                why: "the report that shows it could not be opened".to_owned(),
            });
            return;
        };
        let mut facts = found.facts(&[
            ("finding", "/id"),
            ("weakness", "/weakness"),
            ("title", "/title"),
            ("severity", "/severity"),
            ("entry point", "/entry/label"),
            ("handler", "/entry/handler"),
            ("file", "/sink/place/path"),
            ("line", "/sink/place/line"),
            ("call", "/sink/callee"),
            ("source text", "/sink/text"),
        ]);
        let root = found.below("");
        facts.extend(root.facts(&[
            ("repository", "/subject/name"),
            ("revision", "/subject/revision"),
            ("tree", "/subject/tree"),
            ("with uncommitted changes", "/subject/dirty"),
            ("found by", "/tool/name"),
            ("version", "/tool/version"),
            ("models", "/tool/models"),
        ]));
        self.section(
            "found",
            "What was found",
            said(
                Answer::Yes,
                found.text("/severity"),
                format!("Finding {id}: {}.", found.text("/title")),
            ),
            facts,
        );
        self.reached(&found);
        self.proven(id, proof, &root);
    }

    fn reached(&mut self, found: &At<'_>) {
        let word = found.text("/verdict/word").to_owned();
        let (answer, lead) = match word.as_str() {
            "reachable" if found.length("/way") > 0 => (
                Answer::Yes,
                "Control gets to a call that is weak without any input: by itself, or by the constants it is given.",
            ),
            "reachable" => (
                Answer::Yes,
                "A path leads from an input that an attacker controls to the call that does the harm.",
            ),
            "no_path" => (
                Answer::No,
                "The search finished, and every way to the call is cut.",
            ),
            _ => (
                Answer::Unmeasured,
                "The search could not finish; it counts as open.",
            ),
        };
        let mut facts = found.facts(&[("verdict", "/verdict/word")]);
        facts.extend(found.each("reason", "/verdict/reasons", "/text"));
        for flow in 0..found.length("/flows").min(2) {
            let flow = format!("/flows/{flow}");
            facts.extend(found.fact("input", &format!("{flow}/input")));
            facts.extend(found.each("condition", &format!("{flow}/conditions"), ""));
            facts.extend(steps_of(found, &format!("{flow}/steps")));
            facts.extend(found.fact("text at the call", &format!("{flow}/template")));
        }
        facts.extend(steps_of(found, "/way"));
        let said = said(answer, word, lead);
        self.section("reached", "How it is reached", said, facts);
    }

    fn proven(&mut self, id: &str, proof: Option<At<'_>>, root: &At<'_>) {
        let Some(proof) = proof else {
            self.unknown.push(Unmeasured {
                what: format!("whether an attack on finding {id} works"),
                why: "it was never attacked".to_owned(),
            });
            let said = said(
                Answer::Unmeasured,
                "not attacked",
                "Nothing: the running application was not attacked.",
            );
            self.section("proven", "What was proven", said, Vec::new());
            return;
        };
        let outcome = proof.text("/outcome").to_owned();
        let (answer, lead) = match outcome.as_str() {
            "proven" => (
                Answer::Yes,
                "The effect happened in the running application, reached through the entry point, and \
                 again in every replay on a fresh instance; the same request with innocent input \
                 showed nothing.",
            ),
            "not_reproduced" => (
                Answer::No,
                "Everything was tried as planned and no effect was seen. That is no proof of safety.",
            ),
            _ => (
                Answer::Unmeasured,
                "It could not be tried as planned, so nothing is known.",
            ),
        };
        let mut facts = proof.facts(&[
            ("outcome", "/outcome"),
            ("reason", "/reason"),
            ("effect", "/effect"),
            ("seen by", "/oracle"),
            ("tier", "/tier"),
            ("input", "/input"),
            ("replays that showed it", "/replays_shown"),
            ("replays run", "/replays_run"),
            ("requests sent", "/requests"),
        ]);
        facts.extend(proof.each("evidence", "/evidence", ""));
        facts.extend(proof.fact("sealed reproducer", "/capsule"));
        if let Some(luck) = root.fact(
            "chance that any proof of the campaign is luck: two to the power of",
            "/luck_log2",
        ) {
            facts.push(luck);
        }
        facts.extend(root.facts(&[
            ("how it was started", "/target/recipe"),
            ("recipe from", "/target/origin"),
            ("recipe digest", "/target/recipe_digest"),
            ("interpreter", "/target/interpreter"),
            ("sandbox", "/target/sandbox"),
        ]));
        facts.extend(root.each("limit", "/target/limits", ""));
        let said = said(answer, outcome, lead);
        self.section("proven", "What was proven", said, facts);
    }

    /// The newest change request: what it does, and how it was verified.
    fn change(&mut self) -> Vec<Excerpt> {
        let mut excerpts = Vec::new();
        let Some(change) = self.opened(names::CHANGE_REQUEST).pop() else {
            return excerpts;
        };
        let mut facts = change.facts(&[
            ("change", "/id"),
            ("title", "/title"),
            ("what it does", "/summary"),
            ("answers for it", "/author"),
            ("written by", "/by"),
            ("origin", "/origin"),
            ("base", "/base"),
            ("head", "/head"),
            ("tree", "/tree"),
            ("diff", "/diff_digest"),
            ("policy", "/policy"),
            ("disposition", "/disposition"),
            ("risk", "/risk/class"),
        ]);
        facts.extend(change.each("risk because", "/risk/reasons", ""));
        for i in 0..change.length("/files").min(MOST) {
            facts.extend(change.facts(&[
                ("changed file", &format!("/files/{i}/path")),
                ("lines added", &format!("/files/{i}/added")),
                ("lines removed", &format!("/files/{i}/removed")),
            ]));
        }
        facts.extend(change.each("look at", "/notes", ""));
        facts.extend(change.fact("how it is taken back", "/rollback"));
        if change.value("/diff").is_some_and(Value::is_string) {
            excerpts.push(Excerpt {
                file: file::PATCH.to_owned(),
                commitment: change.commitment,
                pointer: "/diff".to_owned(),
            });
        }
        self.section(
            "fix",
            "What the fix is",
            said(
                Answer::Yes,
                change.text("/disposition"),
                "The patch itself is in `patch.diff`.",
            ),
            facts,
        );
        self.verified(&change);
        excerpts
    }

    fn verified(&mut self, change: &At<'_>) {
        let verdict = change.text("/verification/verdict").to_owned();
        let (answer, lead) = match verdict.as_str() {
            "verified" => (
                Answer::Yes,
                "The attack that works on the base fails on the patch, and what should work still does.",
            ),
            "rejected" => (Answer::No, "The patch did not pass its checks."),
            _ => (
                Answer::Unmeasured,
                "The checks could not be carried out as planned.",
            ),
        };
        let mut facts = change.facts(&[
            ("verdict", "/verification/verdict"),
            ("reason", "/verification/reason"),
        ]);
        let checks = change.length("/verification/checks").min(MOST);
        for i in 0..checks {
            let check = format!("/verification/checks/{i}");
            facts.extend(change.facts(&[
                ("check", &format!("{check}/name")),
                ("result", &format!("{check}/result")),
                ("reason", &format!("{check}/reason")),
            ]));
            facts.extend(change.each("detail", &format!("{check}/detail"), ""));
            if change.text(&format!("{check}/result")) == "unmeasured" {
                self.unknown.push(Unmeasured {
                    what: format!("check {}", change.text(&format!("{check}/name"))),
                    why: change.text(&format!("{check}/reason")).to_owned(),
                });
            }
        }
        facts.extend(change.each("limit", "/verification/target/limits", ""));
        self.section(
            "verified",
            "How the fix was verified",
            said(answer, verdict, lead),
            facts,
        );
    }

    /// Decisions of policy, and what people signed.
    fn authorized(&mut self, approvals: &[ApprovalLine]) {
        let mut facts = Vec::new();
        for at in self.opened(names::APPROVAL) {
            facts.extend(at.facts(&[
                ("signed statement", "/statement"),
                ("key", "/key"),
                ("presence", "/presence"),
            ]));
        }
        for at in self.opened(names::REJECTION) {
            facts.extend(at.facts(&[("rejected by", "/by"), ("reason", "/reason")]));
        }
        for at in self.opened(names::ACCEPTANCE) {
            facts.extend(at.facts(&[
                ("risk owner", "/owner"),
                ("accepted by", "/accepted_by"),
                ("reason", "/reason"),
                ("control meanwhile", "/control"),
                ("expires, ms since 1970", "/expires_ms"),
            ]));
        }
        for at in self.opened(names::ADOPTION_EVENT) {
            facts.extend(at.facts(&[
                ("proof reviewed", "/event/proof_reviewed/verdict"),
                ("in their words", "/event/proof_reviewed/note"),
                ("stage set", "/event/stage_set/stage"),
                ("on the basis of", "/event/stage_set/basis"),
            ]));
        }
        let mut refused = 0;
        for (index, record) in &self.gathered.records {
            let (Phase::Intent, Some(decision)) = (&record.body.phase, &record.body.decision)
            else {
                continue;
            };
            refused += u32::from(decision.answer == record::Answer::Refuse);
            let Ok(value) = serde_json::to_value(&record.body.actor) else {
                continue;
            };
            let mut say = |label: &str, value: Option<&Value>, pointer: &str| {
                if let Some(value) = value {
                    facts.push(Fact {
                        label: label.to_owned(),
                        value: value.clone(),
                        at: Place::Record {
                            index: *index,
                            pointer: pointer.to_owned(),
                        },
                    });
                }
            };
            say(
                "asked",
                Some(&Value::from(record.body.action.as_str())),
                "/action",
            );
            say("by", value.get("id"), "/actor/id");
            say("a", value.get("kind"), "/actor/kind");
            say("for", value.get("on_behalf_of"), "/actor/on_behalf_of");
            let answer = serde_json::to_value(decision.answer).ok();
            say("answer", answer.as_ref(), "/decision/answer");
            for (i, rule) in decision.rules.iter().enumerate() {
                say(
                    "by rule",
                    Some(&Value::from(rule.as_str())),
                    &format!("/decision/rules/{i}"),
                );
            }
        }
        let change = !self.opened(names::CHANGE_REQUEST).is_empty();
        let (answer, lead) = match (change, approvals.len()) {
            (_, n @ 1..) => (
                Answer::Yes,
                format!(
                    "{n} signed {}; below them every action with policy's answer, {refused} refused.",
                    if n == 1 { "approval" } else { "approvals" }
                ),
            ),
            (true, 0) => (
                Answer::No,
                format!(
                    "Nobody approved a change so far; below is every action with policy's answer, {refused} refused."
                ),
            ),
            (false, 0) => (
                Answer::Yes,
                format!(
                    "No change is proposed, so nothing needed a person's signature; below is every action with policy's answer, {refused} refused."
                ),
            ),
        };
        let word = match approvals.len() {
            0 if !change => "no change proposed".to_owned(),
            1 => "1 approval".to_owned(),
            n => format!("{n} approvals"),
        };
        let said = said(answer, word, lead);
        self.section("authorized", "Who authorized what", said, facts);
    }

    fn merged(&mut self) {
        let reports = self.opened(names::MERGE_REPORT);
        let Some(newest) = reports.last() else {
            if !self.opened(names::CHANGE_REQUEST).is_empty() {
                self.section(
                    "merged",
                    "What happened after the merge",
                    said(
                        Answer::Unmeasured,
                        "not merged",
                        "Nothing: the change is not merged.",
                    ),
                    Vec::new(),
                );
            }
            return;
        };
        let (answer, lead) = match newest.text("/outcome") {
            "closed" => (
                Answer::Yes,
                "The same attack was replayed on the merged revision and fails there.",
            ),
            "reopened" => (
                Answer::No,
                "The attack still works on the merged revision; the finding is open again.",
            ),
            _ => (
                Answer::Unmeasured,
                "The merged revision was not verified, or not as planned.",
            ),
        };
        let mut facts = Vec::new();
        for report in &reports {
            facts.extend(report.facts(&[
                ("branch", "/branch"),
                ("merge commit", "/merged"),
                ("tree", "/tree"),
                ("outcome", "/outcome"),
                ("reason", "/reason"),
            ]));
            for i in 0..report.length("/approvals").min(MOST) {
                facts.extend(report.facts(&[
                    ("approval counted", &format!("/approvals/{i}/by")),
                    ("key", &format!("/approvals/{i}/key")),
                    ("presence", &format!("/approvals/{i}/presence")),
                    ("void because", &format!("/approvals/{i}/void")),
                ]));
            }
            for i in 0..report.length("/replays").min(MOST) {
                facts.extend(report.facts(&[
                    ("replay", &format!("/replays/{i}/outcome")),
                    ("reason", &format!("/replays/{i}/reason")),
                    (
                        "replays that showed the effect",
                        &format!("/replays/{i}/replays_shown"),
                    ),
                    ("replays run", &format!("/replays/{i}/replays_run")),
                ]));
            }
        }
        self.section(
            "merged",
            "What happened after the merge",
            said(answer, newest.text("/outcome"), lead),
            facts,
        );
    }

    fn replays(&mut self) {
        let reports = self.opened(names::REPLAY_REPORT);
        let Some(newest) = reports.last() else {
            return;
        };
        let (answer, lead) = match newest.text("/outcome") {
            "proven" => (Answer::Yes, "The newest replay shows the effect again."),
            "not_reproduced" => (Answer::No, "The newest replay shows no effect."),
            _ => (
                Answer::Unmeasured,
                "The newest replay could not be carried out as planned.",
            ),
        };
        let facts = reports
            .iter()
            .flat_map(|report| {
                report.facts(&[
                    ("replayed on revision", "/subject/revision"),
                    ("outcome", "/outcome"),
                    ("reason", "/reason"),
                    ("seen by", "/oracle"),
                    ("replays that showed it", "/replays_shown"),
                    ("replays run", "/replays_run"),
                ])
            })
            .collect();
        self.section(
            "replayed",
            "Whether the attack worked when it was run again",
            said(answer, newest.text("/outcome"), lead),
            facts,
        );
    }

    /// What nobody can read out of this folder.
    fn limits(&mut self, matter: &Matter) {
        for object in &self.gathered.objects {
            if object.state == solvent_protocol::evidence::ObjectState::Unreadable {
                self.unknown.push(Unmeasured {
                    what: format!("{} of record {}", object.name, object.record),
                    why: object.why.clone(),
                });
            }
        }
        for record in self.gathered.records.values() {
            if let Phase::Result {
                intent,
                status: record::Status::Unknown,
            } = record.body.phase
            {
                self.unknown.push(Unmeasured {
                    what: format!("how far the {} of record {intent} came", record.body.action),
                    why: "it was cut off".to_owned(),
                });
            }
        }
        if matter.findings.iter().any(|f| !f.present) {
            self.unknown.push(Unmeasured {
                what: "whether the flaw is in the newest tree".to_owned(),
                why: "the newest scan does not show it, which closes nothing".to_owned(),
            });
        }
        for (what, why) in [
            (
                "what happened after the checkpoint",
                "this folder ends there; ask for a newer one",
            ),
            (
                "that people are who they say they are",
                "names of actors are statements of the machine that kept the ledger; a signature shows a key, \
                 and presence only where it says so",
            ),
            (
                "that the ledger's keeper did not sign a second history",
                "compare the checkpoint with one that was kept elsewhere",
            ),
        ] {
            self.unknown.push(Unmeasured {
                what: what.to_owned(),
                why: why.to_owned(),
            });
        }
    }
}

/// Signed approvals, numbered by record.
fn approvals(gathered: &Gathered) -> Vec<ApprovalLine> {
    let mut found: Vec<(&Commitment, &OpenedObject)> = gathered
        .opened
        .iter()
        .filter(|(_, object)| object.name == names::APPROVAL)
        .collect();
    found.sort_by_key(|(_, object)| object.record);
    found
        .into_iter()
        .filter_map(|(commitment, object)| {
            let approval =
                solvent_protocol::approval::SignedApproval::parse(&object.content).ok()?;
            let key = solvent_govern::signature::Key::parse(&approval.key).ok()?;
            let presence = object.value.get("presence")?.as_str()?.to_owned();
            Some((
                *commitment,
                approval.statement.approver,
                key.fingerprint(),
                presence,
            ))
        })
        .enumerate()
        .map(|(i, (commitment, person, key, presence))| ApprovalLine {
            person,
            key,
            presence,
            commitment,
            statement: format!("approvals/{}.statement", i + 1),
            signature: format!("approvals/{}.sig", i + 1),
            signer: format!("approvals/{}.signer", i + 1),
        })
        .collect()
}
