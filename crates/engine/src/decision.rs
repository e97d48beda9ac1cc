//! What people decide: approvals, rejections, reviews of proofs, stages, acceptances of risk.

use std::collections::BTreeSet;

use solvent_base::System as _;
use solvent_govern::change as changes;
use solvent_govern::{Action, Decision};
use solvent_protocol::adoption::{AdoptionKind, ProofVerdict, Stage, StageBasis};
use solvent_protocol::approval::{ApprovalStatement, Presence, SignedApproval, Verdict};
use solvent_protocol::change::{Event, EventKind};
use solvent_protocol::record::Status;
use solvent_protocol::remediation::{
    ACCEPTANCE_SCHEMA, Acceptance, ApprovalNote, CHANGES_SCHEMA, ChangeList, ChangeState,
    MergeReport, REJECTION_SCHEMA, REVIEW_SCHEMA, Rejection, ReviewReport, STAGE_SCHEMA,
    StageReport, exposure, proof_words,
};
use solvent_store::{Store as _, names};

use crate::command::{AcceptRequest, Actor, Answer};
use crate::door::{Acted, Engine, about, store_failed};
use crate::error::EngineError;
use crate::governance::{Rules, is_alone, notes, refusal_of, with_asker};
use crate::reproof::parse;

/// Text that a person gives as a reason, in bytes.
pub const MAX_REASON: usize = 2_000;

const DAY_MS: i64 = 86_400_000;

/// Longest time for which a risk is kept before somebody must look again, in days.
pub const MAX_ACCEPTED_DAYS: i64 = 366;

impl Engine {
    /// The text that `actor` signs to approve a change as it is recorded.
    pub fn statement(
        &mut self,
        actor: &Actor,
        change: &str,
    ) -> Result<ApprovalStatement, EngineError> {
        let rules = Rules::read(self, actor)?;
        let request = self.change_request(change)?;
        let state = self.standing(&request.id, &rules)?;
        let revision = state.revision.clone().ok_or_else(|| {
            EngineError::usage(
                format!(
                    "change {} was not proposed, so there is nothing to approve",
                    request.id
                ),
                format!("`solvent review {}` says why", request.id),
            )
        })?;
        Ok(ApprovalStatement {
            verdict: Verdict::Approve,
            change: request.id,
            approver: actor.id.clone(),
            risk: state.risk,
            revision,
            policy: rules.governance.digest(),
            expires_ms: rules.now_ms + rules.governance.settings().approval_lifetime_ms,
        })
    }

    /// Everything that an approver decides from.
    pub fn review(&mut self, actor: &Actor, change: &str) -> Result<ReviewReport, EngineError> {
        let rules = Rules::read(self, actor)?;
        let request = self.change_request(change)?;
        let mut findings = Vec::new();
        for finding in &request.findings {
            // A finding that a rebuilt store does not know is missing here, and the change still says its id.
            if let Ok(state) = self.finding(&finding.fingerprint) {
                findings.push(state);
            }
        }
        let statement = self
            .statement(actor, &request.id)
            .ok()
            .and_then(|statement| statement.to_bytes().ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(ReviewReport {
            schema: REVIEW_SCHEMA.to_owned(),
            state: self.change_state(&request.id, &rules)?,
            findings,
            statement,
        })
    }

    /// Every change, newest first.
    pub fn changes(&mut self, actor: &Actor) -> Result<ChangeList, EngineError> {
        let rules = Rules::read(self, actor)?;
        let documents = self
            .store
            .documents(names::CHANGE_REQUEST, None)
            .map_err(|e| store_failed(&e))?;
        let mut ids: Vec<String> = Vec::new();
        for document in documents.iter().rev() {
            let request: solvent_protocol::remediation::ChangeRequest = parse(&document.body)?;
            if !ids.contains(&request.id) {
                ids.push(request.id);
            }
        }
        let mut list = ChangeList {
            schema: CHANGES_SCHEMA.to_owned(),
            changes: Vec::new(),
        };
        for id in ids {
            list.changes.push(self.change_state(&id, &rules)?);
        }
        Ok(list)
    }

    /// One change with everything known about it now.
    pub(crate) fn change_state(
        &mut self,
        id: &str,
        rules: &Rules,
    ) -> Result<ChangeState, EngineError> {
        let request = self.change_request(id)?;
        let state = self.standing(id, rules)?;
        let mut records: Vec<u64> = Vec::new();
        let mut newest = |engine: &mut Self, kind: &str| -> Result<Option<String>, EngineError> {
            let documents = engine
                .store
                .documents(kind, Some(id))
                .map_err(|e| store_failed(&e))?;
            records.extend(documents.iter().map(|d| d.index));
            Ok(documents.into_iter().next_back().map(|d| d.body))
        };
        let merge: Option<MergeReport> = newest(self, names::MERGE_REPORT)?
            .map(|body| parse(&body))
            .transpose()?;
        let rejection = newest(self, names::REJECTION)?
            .map(|body| parse(&body))
            .transpose()?;
        newest(self, names::CHANGE_REQUEST)?;
        newest(self, names::CHANGE_EVENT)?;
        records.sort_unstable();
        records.dedup();
        let status = match (state.status, request.verification.verdict.as_str()) {
            (changes::Status::Unknown, "verified") => "for export only",
            (changes::Status::Unknown, "rejected") => "rejected_by_checks",
            (changes::Status::Unknown, _) => "inconclusive",
            (status, _) => status.word(),
        };
        // What was merged was merged by the approvals of then, whatever the rules say today.
        let approvals = merge
            .as_ref()
            .map_or_else(|| notes(&state), |merge| merge.approvals.clone());
        let counted: BTreeSet<&str> = approvals
            .iter()
            .filter(|a| a.void.is_none())
            .map(|a| a.by.as_str())
            .collect();
        Ok(ChangeState {
            status: status.to_owned(),
            counted: counted.len() as u32,
            approvals,
            needed: state.tally.needed,
            missing: match state.status {
                changes::Status::Unknown => request.not_proposed.iter().cloned().collect(),
                changes::Status::Merged | changes::Status::Closed | changes::Status::Reopened => {
                    Vec::new()
                }
                _ => state.missing,
            },
            merge,
            rejection,
            records,
            request,
        })
    }

    /// Whether `actor` may do `action` to a change now, and how a refusal would be told.
    pub fn explain(
        &mut self,
        actor: &Actor,
        change: &str,
        action: Action,
    ) -> Result<(Decision, Option<EngineError>), EngineError> {
        let rules = Rules::read(self, actor)?;
        let request = self.change_request(change)?;
        let state = self.standing(&request.id, &rules)?;
        let at = self.at_hand(&request, &rules).ok();
        let decision = changes::may(
            &state,
            &rules.court(),
            &rules.actor(actor),
            action,
            at.as_ref(),
        );
        let told = (!decision.allowed())
            .then(|| refusal_of(&request, &state, &rules, &decision, at.as_ref(), action))
            .map(|error| with_asker(error, &rules, actor, action));
        Ok((decision, told))
    }

    /// How far this repository has come.
    pub fn stage(&mut self, actor: &Actor) -> Result<StageReport, EngineError> {
        Ok(stage_report(&Rules::read(self, actor)?))
    }

    pub(crate) fn approve(
        &mut self,
        actor: &Actor,
        change: &str,
        signed: Option<&SignedApproval>,
        rules: &Rules,
    ) -> Result<Acted, EngineError> {
        let signed = signed.ok_or_else(|| {
            EngineError::usage(
                "an approval is signed",
                "give your SSH key: `--key ~/.ssh/id_ed25519`, or sign the text of `--statement` elsewhere",
            )
        })?;
        let person = rules
            .governance
            .person(&signed.statement.approver)
            .ok_or_else(|| {
                EngineError::refused(
                    format!(
                        "`{}` is not in solvent-policy/people.toml",
                        signed.statement.approver
                    ),
                    "add the person and their key to the protected branch",
                )
            })?;
        let presence = changes::seen(signed, person).map_err(|why| {
            EngineError::refused(
                format!("this approval does not count: {why}"),
                "sign the text that `solvent review CHANGE` shows, with a key of yours in people.toml",
            )
        })?;
        let signed = SignedApproval {
            presence,
            ..signed.clone()
        };
        let document = signed.to_json().map_err(|e| {
            EngineError::usage(
                e.to_string(),
                "sign it again with `solvent approve CHANGE --key FILE`",
            )
        })?;
        let event = EventKind::Approved {
            approval: Box::new(signed.clone()),
        };
        // What would count for nothing is not recorded as an approval.
        let mut events = self.events(change)?;
        events.push(Event {
            at_ms: rules.now_ms,
            actor: rules.recorded(actor),
            kind: event.clone(),
        });
        let judged = changes::fold(change, &events, &rules.court());
        if let Some(approval) = judged.approvals.last().filter(|a| !a.counts()) {
            let why: Vec<String> = approval.voids.iter().map(ToString::to_string).collect();
            return Err(EngineError::refused(
                format!("this approval would not count: {}", why.join(", ")),
                format!(
                    "sign what `solvent approve {change} --statement` prints for you now, with a key of yours"
                ),
            ));
        }
        let note = ApprovalNote {
            by: format!("human:{}", signed.statement.approver),
            key: solvent_govern::signature::Key::parse(&signed.key)
                .map(|key| key.fingerprint())
                .unwrap_or_default(),
            presence: match presence {
                Presence::Shown => "shown",
                Presence::NotShown => "not_shown",
                Presence::Simulated => "simulated",
            }
            .to_owned(),
            at_ms: rules.now_ms,
            void: None,
        };
        Ok(Acted {
            answer: Answer::Approved(Box::new(note)),
            status: Status::Done,
            outputs: vec![
                self.seal_event(&event)?,
                self.seal_bytes(names::APPROVAL, &document)?,
            ],
            links: about(change),
        })
    }

    pub(crate) fn reject(
        &mut self,
        actor: &Actor,
        change: &str,
        reason: &str,
    ) -> Result<Acted, EngineError> {
        let reason = said(reason, "a rejection")?;
        let rejection = Rejection {
            schema: REJECTION_SCHEMA.to_owned(),
            change: change.to_owned(),
            by: actor.to_string(),
            reason: reason.to_owned(),
        };
        let event = EventKind::Rejected {
            reason: reason.to_owned(),
        };
        let outputs = vec![
            self.seal(names::REJECTION, &rejection)?,
            self.seal_event(&event)?,
        ];
        Ok(Acted {
            answer: Answer::Rejected(Box::new(rejection)),
            status: Status::Done,
            outputs,
            links: about(change),
        })
    }

    pub(crate) fn review_proof(
        &mut self,
        finding: &str,
        verdict: ProofVerdict,
        note: &str,
        rules: Rules,
    ) -> Result<Acted, EngineError> {
        if note.len() > MAX_REASON {
            return Err(too_long(MAX_REASON));
        }
        if verdict == ProofVerdict::Disputed {
            said(note, "a dispute")?;
        }
        let (_, commitment) = self.sealed_capsule(finding)?;
        let id = self.finding(finding)?.finding.id;
        let kind = AdoptionKind::ProofReviewed {
            proof: commitment.to_string(),
            finding: id.clone(),
            verdict,
            note: note.to_owned(),
        };
        let output = self.seal_adoption(&kind)?;
        let mut rules = rules;
        if verdict == ProofVerdict::Disputed {
            rules.adoption.disputed.insert(commitment.to_string());
        }
        rules.adoption.reviewed.insert(commitment.to_string());
        Ok(Acted {
            answer: Answer::ProofReviewed {
                finding: id,
                verdict,
                stage: Box::new(stage_report(&rules)),
            },
            status: Status::Done,
            outputs: vec![output],
            links: Vec::new(),
        })
    }

    pub(crate) fn set_stage(
        &mut self,
        stage: Stage,
        basis: StageBasis,
        mut rules: Rules,
    ) -> Result<Acted, EngineError> {
        let output = self.seal_adoption(&AdoptionKind::StageSet { stage, basis })?;
        rules.adoption.stage = stage;
        rules.adoption.basis = Some(basis);
        Ok(Acted {
            answer: Answer::StageSet(Box::new(stage_report(&rules))),
            status: Status::Done,
            outputs: vec![output],
            links: Vec::new(),
        })
    }

    pub(crate) fn accept(
        &mut self,
        actor: &Actor,
        request: &AcceptRequest,
        owner: &str,
    ) -> Result<Acted, EngineError> {
        let state = self.finding(&request.finding)?;
        let reason = said(&request.reason, "an acceptance")?;
        let control = said(&request.control, "the control that stands in")?;
        let acceptance = Acceptance {
            schema: ACCEPTANCE_SCHEMA.to_owned(),
            finding: state.finding.id.clone(),
            fingerprint: state.finding.fingerprint.clone(),
            weakness: state.finding.weakness.clone(),
            title: state.finding.title.clone(),
            owner: format!("human:{owner}"),
            accepted_by: actor.to_string(),
            reason: reason.to_owned(),
            control: control.to_owned(),
            expires_ms: request.expires_ms,
            exposure: exposure(&state.finding),
            proof: proof_words(state.proof.as_ref()),
            at_ms: self.host.now().0,
        };
        let output = self.seal(names::ACCEPTANCE, &acceptance)?;
        Ok(Acted {
            answer: Answer::Accepted(Box::new(acceptance)),
            status: Status::Done,
            outputs: vec![output],
            links: Vec::new(),
        })
    }

    /// Who owns the risk of a finding: the policy's word, else what the person says.
    pub(crate) fn risk_owner(
        &self,
        rules: &Rules,
        said: Option<&str>,
    ) -> Result<String, EngineError> {
        match (rules.governance.findings_owner(), said) {
            (Some(owner), None) => Ok(owner.to_owned()),
            (Some(owner), Some(said)) if owner == said => Ok(owner.to_owned()),
            (Some(owner), Some(_)) => Err(EngineError::usage(
                format!("the policy says that `{owner}` owns the findings here"),
                "leave `--owner` away, or change solvent-policy/governance.toml",
            )),
            (None, Some(said)) => Ok(said.to_owned()),
            (None, None) => Err(EngineError::usage(
                "nobody is named who owns this risk",
                "give `--owner NAME`, or `findings_owner` in solvent-policy/governance.toml",
            )),
        }
    }
}

/// Whole days until an expiry, zero when it is past; too far away is an error.
pub(crate) fn days_until(now_ms: i64, expires_ms: i64) -> Result<i64, EngineError> {
    let days = expires_ms.saturating_sub(now_ms).max(0).div_euclid(DAY_MS);
    if days > MAX_ACCEPTED_DAYS {
        return Err(EngineError::usage(
            format!(
                "an acceptance lasts {MAX_ACCEPTED_DAYS} days at most, this one would last {days}"
            ),
            "choose an earlier day; it can be accepted again then",
        ));
    }
    Ok(days)
}

fn said<'a>(text: &'a str, what: &str) -> Result<&'a str, EngineError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(EngineError::usage(
            format!("{what} needs words"),
            "say it so that somebody understands it in a year",
        ));
    }
    if text.len() > MAX_REASON {
        return Err(too_long(MAX_REASON));
    }
    Ok(text)
}

fn too_long(cap: usize) -> EngineError {
    EngineError::usage(format!("more than {cap} bytes of reason"), "say it shorter")
}

fn stage_report(rules: &Rules) -> StageReport {
    let adoption = &rules.adoption;
    let next = match adoption.stage {
        Stage::Observe => "`solvent stage prove` lets attacks run in the sandbox".to_owned(),
        Stage::Prove => format!(
            "changes are merged from `remediate-low-risk` on: {}",
            adoption.words()
        ),
        Stage::RemediateLowRisk => "`remediate-more` lets changes of any risk be merged".to_owned(),
        Stage::RemediateMore => "this is the last stage".to_owned(),
    };
    StageReport {
        schema: STAGE_SCHEMA.to_owned(),
        stage: adoption.stage.word().to_owned(),
        basis: adoption
            .basis
            .map_or("the stage that a repository begins with", StageBasis::words)
            .to_owned(),
        reviewed: adoption.reviewed.len() as u64,
        disputed: adoption.disputed.len() as u64,
        next: if is_alone(rules) && adoption.stage >= Stage::Prove {
            "alone you can fix and export; to merge, add solvent-policy/people.toml with a second person"
                .to_owned()
        } else {
            next
        },
    }
}
