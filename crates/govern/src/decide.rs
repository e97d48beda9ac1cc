//! The answer, with its reasons.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr as _;

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision as CedarDecision, Effect, Entities, Entity,
    EntityId, EntityTypeName, EntityUid, Policy as Cedar, PrincipalConstraint,
    Request as CedarRequest, ResourceConstraint, RestrictedExpression,
};
use solvent_base::Digest;
use solvent_protocol::record::{ActorKind, Answer, DecisionNote};

use crate::policy::Policy;
use crate::request::{
    ActorState, Authority, ChangeFacts, Clock, Course, Exemption, FlawState, Payloads,
    PolicySource, PolicyTouch, QuorumState, Reason, Request, Reviews, RevisionState, Stakes,
    Target, Writer,
};

/// Whether the command may happen, and everything a person needs to see why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    pub answer: Answer,
    /// The rules that determined it, by id. Empty when nothing permits, or when evaluation failed.
    pub rules: Vec<Rule>,
    /// Any error refuses.
    pub errors: Vec<String>,
    /// When nothing permits: rules about this action that did not apply, and what each wants.
    pub near_misses: Vec<NearMiss>,
    /// What would make it pass; non-empty for every refusal.
    pub pass: Vec<String>,
    /// Digest of the rules in force.
    pub policy: Digest,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rule {
    /// `invariant/only-people-authorize`
    pub id: String,
    /// The rule's `@reason`, or empty.
    pub reason: String,
    /// What would make a forbid no longer apply; empty for a permit.
    pub pass: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NearMiss {
    pub rule: Rule,
    /// What the rule wants and the request lacks: `role owner`, `the condition of the rule`.
    pub missing: Vec<String>,
}

impl Decision {
    pub fn allowed(&self) -> bool {
        self.answer == Answer::Allow
    }

    /// Says more about one rule and what would make it pass, where the caller knows more. The rule's own
    /// words for passing are replaced.
    pub(crate) fn explain(&mut self, id: &str, say: impl FnOnce(&mut Rule, &mut String)) {
        let Some(at) = self.rules.iter().position(|rule| rule.id == id) else {
            return;
        };
        let rule = &mut self.rules[at];
        let mut pass = rule.pass.clone();
        say(rule, &mut pass);
        let old = std::mem::replace(&mut rule.pass, pass.clone());
        // Two rules may have the same words: only the first of them is replaced.
        match self.pass.iter().position(|words| *words == old) {
            Some(place) => self.pass[place] = pass,
            None => self.pass.push(pass),
        }
    }

    /// For a person, all of it: the answer, every rule with its reason, near misses, what would make it
    /// pass. Lines without a line break at the end.
    pub fn text(&self) -> String {
        let mut lines = vec![self.sentence()];
        for rule in &self.rules {
            lines.push(format!("  rule {}: {}", rule.id, rule.reason));
        }
        for error in &self.errors {
            lines.push(format!("  error: {error}"));
        }
        for miss in self.near_misses.iter().take(5) {
            lines.push(format!(
                "  near miss {}: lacks {}",
                miss.rule.id,
                miss.missing.join(", ")
            ));
        }
        if !self.allowed() {
            for pass in &self.pass {
                lines.push(format!("  to pass: {pass}"));
            }
        }
        lines.push(format!("  policy {}", self.policy));
        lines.join("\n")
    }

    /// What goes into the ledger.
    pub fn note(&self) -> DecisionNote {
        DecisionNote {
            answer: self.answer,
            // An error text may quote input at any length; the record has a cap.
            errors: self
                .errors
                .iter()
                .take(16)
                .map(|text| text.chars().take(500).collect())
                .collect(),
            policy: self.policy.to_string(),
            rules: self
                .rules
                .iter()
                .take(64)
                .map(|rule| rule.id.clone())
                .collect(),
        }
    }

    /// One line for a person: `refused: only a person approves (invariant/only-people-authorize)`.
    pub fn sentence(&self) -> String {
        let word = if self.allowed() { "allowed" } else { "refused" };
        let reason = if let Some(error) = self.errors.first() {
            format!("the policy could not be evaluated: {error}")
        } else if self.rules.is_empty() {
            "nothing permits it".to_owned()
        } else {
            let reasons: Vec<String> = self
                .rules
                .iter()
                .map(|rule| match rule.reason.as_str() {
                    "" => rule.id.clone(),
                    reason => format!("{reason} ({})", rule.id),
                })
                .collect();
            reasons.join("; ")
        };
        format!("{word}: {reason}")
    }
}

/// Decides one request. Pure: same policy and request, same answer.
pub fn decide(policy: &Policy, request: &Request) -> Decision {
    let asked = match Asked::build(policy, request) {
        Ok(asked) => asked,
        Err(error) => return refused_by_error(policy, vec![error]),
    };
    let response = Authorizer::new().is_authorized(&asked.request, &policy.rules, &asked.entities);
    let errors: BTreeSet<String> = response
        .diagnostics()
        .errors()
        .map(ToString::to_string)
        .collect();
    if !errors.is_empty() {
        return refused_by_error(policy, errors.into_iter().collect());
    }
    let mut rules: Vec<Rule> = Vec::new();
    let mut pass = BTreeSet::new();
    for id in response.diagnostics().reason() {
        if let Some(rule) = policy.rules.policy(id) {
            let rule = described(rule);
            if !rule.pass.is_empty() {
                pass.insert(rule.pass.clone());
            }
            rules.push(rule);
        }
    }
    rules.sort();
    let answer = match response.decision() {
        CedarDecision::Allow => Answer::Allow,
        CedarDecision::Deny => Answer::Refuse,
    };
    let near_misses = if answer == Answer::Refuse && rules.is_empty() {
        near_misses(policy, &asked)
    } else {
        Vec::new()
    };
    for miss in &near_misses {
        pass.insert(format!("{} ({})", miss.missing.join(", "), miss.rule.id));
    }
    if answer == Answer::Refuse && pass.is_empty() {
        pass.insert(format!(
            "an operator adds a rule that permits `{}`",
            request.action.word()
        ));
    }
    Decision {
        answer,
        rules,
        errors: Vec::new(),
        near_misses,
        pass: pass.into_iter().collect(),
        policy: policy.digest(),
    }
}

fn refused_by_error(policy: &Policy, errors: Vec<String>) -> Decision {
    Decision {
        answer: Answer::Refuse,
        rules: Vec::new(),
        errors,
        near_misses: Vec::new(),
        pass: vec!["mend the rule or the request that the error names".to_owned()],
        policy: policy.digest(),
    }
}

fn described(rule: &Cedar) -> Rule {
    let pass = match (rule.effect(), rule.annotation("pass")) {
        (Effect::Permit, _) => String::new(),
        (Effect::Forbid, Some(pass)) if !pass.is_empty() => pass.to_owned(),
        (Effect::Forbid, _) => format!("rule `{}` no longer applies", rule.id()),
    };
    Rule {
        id: rule.id().to_string(),
        reason: rule.annotation("reason").unwrap_or_default().to_owned(),
        pass,
    }
}

/// A request in Cedar's terms.
struct Asked {
    request: CedarRequest,
    entities: Entities,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    reserved: bool,
}

impl Asked {
    fn build(policy: &Policy, request: &Request) -> Result<Self, String> {
        let actor = &request.actor;
        let (type_name, state) = match actor.kind {
            ActorKind::Human => ("Human", Some("suspended")),
            ActorKind::Agent => ("Agent", Some("killed")),
            ActorKind::Worker => ("Worker", Some("killed")),
            ActorKind::System => ("System", None),
        };
        let principal = uid(type_name, &actor.id)?;
        let mut roles = HashSet::new();
        if state.is_some() {
            for role in &actor.roles {
                roles.insert(uid("Role", role)?);
            }
        }
        let stopped = actor.state == ActorState::Stopped;
        let attributes: HashMap<String, RestrictedExpression> = state
            .map(|name| (name.to_owned(), RestrictedExpression::new_bool(stopped)))
            .into_iter()
            .collect();
        // The program itself has no switch; what is stopped cannot be it.
        if state.is_none() && stopped {
            return Err("the system actor cannot be stopped".to_owned());
        }
        let mut list =
            vec![Entity::new(principal.clone(), attributes, roles).map_err(|e| e.to_string())?];
        let (resource, attributes, parents) = resource(&request.target)?;
        list.push(Entity::new(resource.clone(), attributes, parents).map_err(|e| e.to_string())?);
        let entities =
            Entities::from_entities(list, Some(&policy.schema)).map_err(|e| e.to_string())?;
        let action = uid("Action", request.action.word())?;
        let reserved = request.action.reserved();
        let request = CedarRequest::new(
            principal.clone(),
            action.clone(),
            resource.clone(),
            Context::empty(),
            Some(&policy.schema),
        )
        .map_err(|e| e.to_string())?;
        Ok(Self {
            request,
            entities,
            principal,
            action,
            resource,
            reserved,
        })
    }
}

type Resource = (
    EntityUid,
    HashMap<String, RestrictedExpression>,
    HashSet<EntityUid>,
);

fn resource(target: &Target) -> Result<Resource, String> {
    let boolean = RestrictedExpression::new_bool;
    let long = RestrictedExpression::new_long;
    let mut attributes = HashMap::new();
    let mut parents = HashSet::new();
    let mut set = |name: &str, value| attributes.insert(name.to_owned(), value);
    let this = match target {
        Target::Repository { id } => uid("Repository", id)?,
        Target::Ledger { id } => uid("Ledger", id)?,
        Target::PolicySet { id } => uid("PolicySet", id)?,
        Target::SealedObject { id } => uid("SealedObject", id)?,
        Target::Application {
            id,
            environment,
            authority,
            payloads,
            stage,
        } => {
            set("authority", boolean(*authority == Authority::Shown));
            set("readOnly", boolean(*payloads == Payloads::ReadOnly));
            set("stage", long(stage.number()));
            parents.insert(uid("Environment", environment.word())?);
            uid("Application", id)?
        }
        Target::Capsule { id, flaw } => {
            set("open", boolean(*flaw == FlawState::Open));
            uid("Capsule", id)?
        }
        Target::Change(facts) => {
            attributes = change(facts)?;
            uid("Change", &facts.id)?
        }
        Target::Finding { id, owner, stage } => {
            if let Some(owner) = owner {
                set("owner", human(owner)?);
            }
            set("stage", long(stage.number()));
            uid("Finding", id)?
        }
        Target::Acceptance {
            finding,
            owner,
            days,
            reason,
        } => {
            if let Some(owner) = owner {
                set("owner", human(owner)?);
            }
            set("days", long(*days));
            set("reasoned", boolean(*reason == Reason::Given));
            uid("Acceptance", finding)?
        }
        Target::StageChange {
            repository,
            to,
            reviews,
            exemption,
        } => {
            set("to", long(to.number()));
            set("reviewed", boolean(*reviews == Reviews::Enough));
            set("exempt", boolean(*exemption == Exemption::Asked));
            uid("StageChange", repository)?
        }
    };
    Ok((this, attributes, parents))
}

fn change(facts: &ChangeFacts) -> Result<HashMap<String, RestrictedExpression>, String> {
    let boolean = RestrictedExpression::new_bool;
    let people = |ids: &BTreeSet<String>| {
        let people = ids
            .iter()
            .map(|id| human(id))
            .collect::<Result<Vec<_>, _>>()?;
        Ok::<_, String>(RestrictedExpression::new_set(people))
    };
    let attributes = [
        ("authors", people(&facts.authors)?),
        ("approvers", people(&facts.approvers)?),
        ("quorumMet", boolean(facts.quorum == QuorumState::Met)),
        ("production", boolean(facts.stakes == Stakes::Production)),
        (
            "verifiedRevision",
            boolean(facts.revision == RevisionState::Verified),
        ),
        ("open", boolean(facts.course == Course::Open)),
        ("clockSound", boolean(facts.clock == Clock::Sound)),
        (
            "policyFromBase",
            boolean(facts.policy_source == PolicySource::Base),
        ),
        (
            "touchesPolicy",
            boolean(facts.policy_touch == PolicyTouch::Touches),
        ),
        ("byAgent", boolean(facts.writer == Writer::Agent)),
        ("risk", RestrictedExpression::new_long(facts.risk.number())),
        (
            "stage",
            RestrictedExpression::new_long(facts.stage.number()),
        ),
    ];
    Ok(attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

fn human(id: &str) -> Result<RestrictedExpression, String> {
    Ok(RestrictedExpression::new_entity_uid(uid("Human", id)?))
}

fn uid(type_name: &str, id: &str) -> Result<EntityUid, String> {
    let name = EntityTypeName::from_str(type_name).map_err(|e| e.to_string())?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

/// Permits about this action that did not apply, and what each lacked.
fn near_misses(policy: &Policy, asked: &Asked) -> Vec<NearMiss> {
    let mut misses: Vec<NearMiss> = policy
        .rules
        .policies()
        .filter(|rule| rule.effect() == Effect::Permit)
        .filter(|rule| match rule.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(action) => action == asked.action,
            ActionConstraint::In(actions) => actions.iter().any(|action| {
                // An action's groups are in the schema, not among the request's entities.
                *action == asked.action || (asked.reserved && action.id().unescaped() == "reserved")
            }),
        })
        .map(|rule| {
            let mut missing = Vec::new();
            let principal = match rule.principal_constraint() {
                PrincipalConstraint::Any => None,
                PrincipalConstraint::Eq(who) => {
                    (who != asked.principal).then(|| format!("actor {}", words(&who)))
                }
                PrincipalConstraint::In(group) => missing_group(asked, &asked.principal, &group),
                PrincipalConstraint::Is(kind) => missing_kind(&asked.principal, &kind),
                PrincipalConstraint::IsIn(kind, group) => missing_kind(&asked.principal, &kind)
                    .or_else(|| missing_group(asked, &asked.principal, &group)),
            };
            missing.extend(principal);
            let resource = match rule.resource_constraint() {
                ResourceConstraint::Any => None,
                ResourceConstraint::Eq(what) => {
                    (what != asked.resource).then(|| format!("target {}", words(&what)))
                }
                ResourceConstraint::In(group) => missing_group(asked, &asked.resource, &group),
                ResourceConstraint::Is(kind) => missing_kind(&asked.resource, &kind),
                ResourceConstraint::IsIn(kind, group) => missing_kind(&asked.resource, &kind)
                    .or_else(|| missing_group(asked, &asked.resource, &group)),
            };
            missing.extend(resource);
            if missing.is_empty() {
                missing.push(condition(rule));
            }
            NearMiss {
                rule: described(rule),
                missing,
            }
        })
        .collect();
    misses.sort_by(|a, b| (a.missing.len(), a).cmp(&(b.missing.len(), b)));
    misses
}

fn missing_group(asked: &Asked, who: &EntityUid, group: &EntityUid) -> Option<String> {
    let inside = who == group || asked.entities.is_ancestor_of(group, who);
    (!inside).then(|| words(group))
}

fn missing_kind(who: &EntityUid, kind: &EntityTypeName) -> Option<String> {
    (who.type_name() != kind).then(|| format!("a {}", kind.to_string().to_lowercase()))
}

fn words(uid: &EntityUid) -> String {
    format!(
        "{} {}",
        uid.type_name().to_string().to_lowercase(),
        uid.id().unescaped()
    )
}

/// The rule's own text after its scope.
fn condition(rule: &Cedar) -> String {
    let text = rule.to_cedar().unwrap_or_default();
    let start = ["when", "unless"]
        .iter()
        .filter_map(|word| text.find(&format!("\n{word} {{")))
        .min();
    match start {
        Some(start) => {
            let flat: Vec<&str> = text[start..].split_whitespace().collect();
            flat.join(" ")
                .trim_end_matches(';')
                .chars()
                .take(300)
                .collect()
        }
        None => "the condition of the rule".to_owned(),
    }
}
