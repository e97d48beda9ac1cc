//! The operator's policy folder: who people are, what agents there are, and the settings.
//!
//! It is read from the protected base, never from the change that is judged. Without a folder the
//! person at the keyboard is alone: they may scan, prove, fix and export, and nothing is merged.
//!
//! ```toml
//! # solvent-policy/people.toml
//! [[person]]
//! id = "ben"
//! roles = ["approver"]
//! keys = ["sk-ssh-ed25519@openssh.com AAAA... ben"]
//!
//! [[agent]]
//! id = "fixer"
//! owner = "ana"                # whoever starts it; an author of all it writes
//! roles = ["remediator"]
//!
//! # solvent-policy/governance.toml, all of it optional
//! protected_branch = "main"
//! production = false           # whether a merge here counts as production
//! approval_days = 7
//! low_risk = ["CWE-89"]        # whose mechanical fix may be of low risk; none unless listed
//! fails_on = "proven"          # or "exposed", "reachable": what fails the gate
//! findings_owner = "ana"       # who may not accept the risk of a finding
//! [quorum]                     # different people who must approve
//! low = 1
//! medium = 1
//! high = 2
//! ```

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::Digest;
use solvent_models::suggest::hint;
use solvent_models::toml_row::{Row, Source, integer};
use solvent_protocol::approval::is_id;
use solvent_protocol::change::RiskClass;
use solvent_protocol::record::ActorKind;
use toml::de::DeTable;

use crate::policy::{Policy, PolicyProblem};
use crate::request::{Actor, ActorState, Stakes};
use crate::signature::Key;

/// The folder in the repository, with its slash.
pub const FOLDER: &str = "solvent-policy/";
/// Most people, and most agents.
pub const MAX_PEOPLE: usize = 2_000;
/// Most keys of one person.
pub const MAX_KEYS: usize = 16;
/// Most files in the folder.
pub const MAX_FOLDER_FILES: usize = 128;
/// Largest `people.toml` or `governance.toml` in bytes; no other file is larger either.
pub const MAX_TOML_BYTES: usize = 1 << 20;
/// Longest life of an approval in days.
pub const MAX_APPROVAL_DAYS: i64 = 90;
/// Largest quorum.
pub const MAX_QUORUM: i64 = 20;

const DAY_MS: i64 = 86_400_000;

/// Roles that the first policy knows. A role that only an operator's rule names is known too.
pub const ROLES: [&str; 10] = [
    "owner",
    "approver",
    "merger",
    "developer",
    "remediator",
    "tester",
    "risk",
    "auditor",
    "reader",
    "guest",
];

/// Everything that judges a change: rules, people, settings, and where they were read.
pub struct Governance {
    policy: Policy,
    people: BTreeMap<String, Person>,
    agents: BTreeMap<String, Agent>,
    settings: Settings,
    mode: Mode,
    digest: Digest,
    read_from: String,
}

/// Whether there is anybody to decide but the person who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mode {
    /// No policy folder; the id of the person at the keyboard.
    Alone { owner: String },
    /// A policy folder with real people.
    Governed,
    /// A policy folder in which everybody is simulated.
    Demo,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    pub id: String,
    pub roles: BTreeSet<String>,
    pub keys: Vec<Key>,
    pub identity: Identity,
    /// [`ActorState::Stopped`] when suspended.
    pub state: ActorState,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Identity {
    Real,
    /// A demo's; nobody is behind the key.
    Simulated,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent {
    pub id: String,
    /// The person who starts it.
    pub owner: String,
    pub roles: BTreeSet<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub protected_branch: String,
    /// What a merge into it counts as.
    pub stakes: Stakes,
    /// Different people who must approve a change of each class.
    pub quorum: Quorum,
    /// Weaknesses whose mechanical fix may be of low risk: `CWE-89`.
    pub low_risk: BTreeSet<String>,
    /// How long an approval may live, in milliseconds.
    pub approval_lifetime_ms: i64,
    pub fails_on: FailsOn,
    pub findings_owner: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quorum {
    pub low: u32,
    pub medium: u32,
    pub high: u32,
}

impl Quorum {
    pub fn of(self, class: RiskClass) -> u32 {
        match class {
            RiskClass::Low => self.low,
            RiskClass::Medium => self.medium,
            RiskClass::High => self.high,
        }
    }
}

/// What makes the gate fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FailsOn {
    Proven,
    /// What is proven, and what is reachable unless only requests from inside of the deployment reach it.
    Exposed,
    Reachable,
}

impl Settings {
    /// What holds where a setting is not written.
    fn usual() -> Self {
        Self {
            protected_branch: "main".to_owned(),
            stakes: Stakes::Other,
            quorum: Quorum {
                low: 1,
                medium: 1,
                high: 2,
            },
            low_risk: BTreeSet::new(),
            approval_lifetime_ms: 7 * DAY_MS,
            fails_on: FailsOn::Proven,
            findings_owner: None,
        }
    }
}

impl Governance {
    /// Without a policy folder: `owner` is the person at the keyboard.
    pub fn alone(owner: &str) -> Result<Self, Vec<PolicyProblem>> {
        let policy = Policy::builtin()?;
        let digest = Digest::of_parts([policy.digest().as_bytes().as_slice(), b"alone"]);
        Ok(Self {
            policy,
            people: BTreeMap::new(),
            agents: BTreeMap::new(),
            settings: Settings::usual(),
            mode: Mode::Alone {
                owner: owner.to_owned(),
            },
            digest,
            read_from: String::new(),
        })
    }

    /// Reads the policy folder as it is at `base`, the full id of a commit on the protected branch:
    /// names from the repository's root (`solvent-policy/people.toml`) and texts. All of it is in force, or nothing: every
    /// complaint names its file and line.
    pub fn read(base: &str, files: &[(String, String)]) -> Result<Self, Vec<PolicyProblem>> {
        let mut problems = Vec::new();
        let mut rules = Vec::new();
        let (mut people_text, mut settings_text) = (None, None);
        if files.len() > MAX_FOLDER_FILES {
            return Err(vec![PolicyProblem {
                file: FOLDER.to_owned(),
                message: format!("more than {MAX_FOLDER_FILES} files"),
            }]);
        }
        let mut names = BTreeSet::new();
        for (name, text) in files {
            let mut complain = |message: String| {
                problems.push(PolicyProblem {
                    file: name.clone(),
                    message,
                });
            };
            if !names.insert(name) {
                complain("the file is given twice".to_owned());
            }
            if text.len() > MAX_TOML_BYTES {
                complain(format!("the file is larger than {MAX_TOML_BYTES} bytes"));
                continue;
            }
            match name.strip_prefix(FOLDER) {
                Some("people.toml") => people_text = Some((name, text)),
                Some("governance.toml") => settings_text = Some((name, text)),
                Some(rule) if rule.ends_with(".cedar") && !rule.contains('/') => {
                    rules.push((rule.to_owned(), text.clone()));
                }
                Some(words) if words.ends_with(".md") => {}
                Some(other) => complain(format!(
                    "unknown file{}",
                    hint(
                        other,
                        &["people.toml", "governance.toml", "*.cedar", "README.md"]
                    )
                )),
                None => complain(format!("the file is not in `{FOLDER}`")),
            }
        }
        let policy = match Policy::with_operator(&rules) {
            Ok(policy) => Some(policy),
            Err(found) => {
                problems.extend(found);
                None
            }
        };
        let known_roles = roles_in(&rules);
        let (mut people, mut agents) = (BTreeMap::new(), BTreeMap::new());
        if let Some((name, text)) = people_text {
            with_table(name, text, &mut problems, |table, file| {
                (people, agents) = read_people(table, file, &known_roles);
            });
        } else {
            problems.push(PolicyProblem {
                file: format!("{FOLDER}people.toml"),
                message: "the file is missing, add it or remove the folder".to_owned(),
            });
        }
        let mut settings = Settings::usual();
        if let Some((name, text)) = settings_text {
            with_table(name, text, &mut problems, |table, file| {
                settings = read_settings(table, file, &people);
            });
        }
        let (Some(policy), true) = (policy, problems.is_empty()) else {
            return Err(problems);
        };
        let demo = people.values().all(|p| p.identity == Identity::Simulated);
        let own = policy.digest();
        let mut sorted: Vec<&(String, String)> = files.iter().collect();
        sorted.sort();
        let mut parts = vec![own.as_bytes().as_slice()];
        for (name, text) in sorted {
            parts.push(name.as_bytes());
            parts.push(text.as_bytes());
        }
        let digest = Digest::of_parts(parts);
        Ok(Self {
            policy,
            people,
            agents,
            settings,
            mode: if demo { Mode::Demo } else { Mode::Governed },
            digest,
            read_from: base.to_owned(),
        })
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// Digest of everything that judges: schema, invariants, first policy, every file of the folder.
    /// Approvals bind to it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Full id of the commit whose folder this is; empty when there is none.
    pub fn read_from(&self) -> &str {
        &self.read_from
    }

    /// In order of id.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.get(id)
    }

    pub fn agent(&self, id: &str) -> Option<&Agent> {
        self.agents.get(id)
    }

    /// Who owns findings, and so may not accept their risk: the one that the settings name, else the
    /// only person who is in the role `owner`. `None` when that is not clear.
    pub fn findings_owner(&self) -> Option<&str> {
        if let Mode::Alone { owner } = &self.mode {
            return Some(owner);
        }
        if let Some(owner) = &self.settings.findings_owner {
            return Some(owner);
        }
        let mut owners = self.people().filter(|p| p.roles.contains("owner"));
        match (owners.next(), owners.next()) {
            (Some(only), None) => Some(&only.id),
            _ => None,
        }
    }

    /// The actor behind an id, with the roles that the folder gives. Who is not listed may scan and
    /// attack copies in the sandbox, no more: that changes nothing that others rely on.
    pub fn actor(&self, kind: ActorKind, id: &str) -> Actor {
        let set = |roles: &[&str]| roles.iter().map(|&role| role.to_owned()).collect();
        let (roles, state) = match (kind, &self.mode) {
            (ActorKind::Human, Mode::Alone { owner }) if owner == id => {
                (set(&["owner"]), ActorState::Active)
            }
            (ActorKind::Human, _) => match self.person(id) {
                Some(person) => (person.roles.clone(), person.state),
                None => (set(&["guest"]), ActorState::Active),
            },
            (ActorKind::Agent, Mode::Alone { .. }) => {
                (set(&["tester", "remediator"]), ActorState::Active)
            }
            (ActorKind::Agent, _) => match self.agent(id) {
                // An agent of a suspended person is suspended with them.
                Some(agent) => {
                    let owner = self.person(&agent.owner);
                    let state = owner.map_or(ActorState::Stopped, |person| person.state);
                    (agent.roles.clone(), state)
                }
                None => (set(&["guest"]), ActorState::Active),
            },
            (ActorKind::Worker | ActorKind::System, _) => (BTreeSet::new(), ActorState::Active),
        };
        Actor {
            kind,
            id: id.to_owned(),
            roles,
            state,
        }
    }
}

/// The roles of the first policy, and those that operators' rules name.
fn roles_in(rules: &[(String, String)]) -> BTreeSet<String> {
    let mut roles: BTreeSet<String> = ROLES.iter().map(|&role| role.to_owned()).collect();
    for (_, text) in rules {
        for rest in text.split("Role::\"").skip(1) {
            if let Some((role, _)) = rest.split_once('"') {
                roles.insert(role.to_owned());
            }
        }
    }
    roles
}

fn with_table(
    name: &str,
    text: &str,
    problems: &mut Vec<PolicyProblem>,
    read: impl FnOnce(&DeTable<'_>, &Source<'_>),
) {
    let file = Source::new(name, text);
    match DeTable::parse(text) {
        Ok(table) => read(table.get_ref(), &file),
        Err(error) => {
            let message = error.message().to_lowercase().replace('\n', ", ");
            file.complain(error.span().unwrap_or(0..0), message);
        }
    }
    problems.extend(file.into_problems().into_iter().map(|found| PolicyProblem {
        file: name.to_owned(),
        message: found.message,
    }));
}

/// A text that may name somebody; complains when it may not.
fn id(row: &Row<'_>, key: &str) -> Option<String> {
    let text = row.required_text(key)?;
    if is_id(text.get_ref()) {
        return Some((*text.get_ref()).to_owned());
    }
    row.complain(
        text.span(),
        format!("`{key}` is not 1 to 128 letters, digits and `._@+-`"),
    );
    None
}

fn roles(row: &Row<'_>, known: &BTreeSet<String>) -> BTreeSet<String> {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut roles = BTreeSet::new();
    for role in row.texts("roles") {
        let name = *role.get_ref();
        if known.contains(name) {
            roles.insert(name.to_owned());
        } else {
            row.complain(
                role.span(),
                format!("unknown role `{name}`{}", hint(name, &names)),
            );
        }
    }
    roles
}

type Listed = (BTreeMap<String, Person>, BTreeMap<String, Agent>);

fn read_people(table: &DeTable<'_>, file: &Source<'_>, known: &BTreeSet<String>) -> Listed {
    let top = Row::new(table, 0..0, file, &["person", "agent"]);
    let (mut people, mut agents) = (BTreeMap::new(), BTreeMap::new());
    // Text of a key to whose it is.
    let mut held: BTreeMap<String, String> = BTreeMap::new();
    let mut spelt: BTreeMap<String, String> = BTreeMap::new();
    let rows = top.tables("person");
    if rows.is_empty() {
        top.complain(0..0, "no person is listed, add a `[[person]]`");
    }
    if rows.len() > MAX_PEOPLE {
        top.complain(0..0, format!("more than {MAX_PEOPLE} people"));
        return (people, agents);
    }
    for (table, span) in rows {
        let row = Row::new(
            table,
            span.clone(),
            file,
            &["id", "roles", "keys", "simulated", "suspended"],
        );
        let Some(id) = id(&row, "id") else { continue };
        // `Ana` and `ana` are the same to whoever reads a list of approvals.
        if let Some(other) = spelt.insert(id.to_lowercase(), id.clone())
            && other != id
        {
            row.complain(
                span.clone(),
                format!("`{other}` and `{id}` differ in case alone, one person has one id"),
            );
        }
        let mut keys: Vec<Key> = Vec::new();
        for text in row.texts("keys") {
            match Key::parse(text.get_ref()) {
                Ok(key) => {
                    if let Some(other) = held.insert(key.text(), id.clone())
                        && other != id
                    {
                        row.complain(
                            text.span(),
                            format!(
                                "`{other}` and `{id}` have the same key, one key is one person"
                            ),
                        );
                    }
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                Err(what) => row.complain(text.span(), what),
            }
        }
        if keys.len() > MAX_KEYS {
            row.complain(
                span.clone(),
                format!("`{id}` has more than {MAX_KEYS} keys"),
            );
        }
        let identity = match row.flag("simulated") {
            Some(true) => Identity::Simulated,
            _ => Identity::Real,
        };
        let state = match row.flag("suspended") {
            Some(true) => ActorState::Stopped,
            _ => ActorState::Active,
        };
        let person = Person {
            roles: roles(&row, known),
            id: id.clone(),
            keys,
            identity,
            state,
        };
        if people.insert(id.clone(), person).is_some() {
            row.complain(span, format!("person `{id}` is listed twice"));
        }
    }
    let simulated = people
        .values()
        .filter(|person| person.identity == Identity::Simulated)
        .count();
    if simulated > 0 && simulated < people.len() {
        top.complain(
            0..0,
            "simulated and real people stand side by side, a demo has only simulated ones",
        );
    }
    let rows = top.tables("agent");
    if rows.len() > MAX_PEOPLE {
        top.complain(0..0, format!("more than {MAX_PEOPLE} agents"));
        return (people, agents);
    }
    for (table, span) in rows {
        let row = Row::new(table, span.clone(), file, &["id", "owner", "roles"]);
        let (Some(id), Some(owner)) = (id(&row, "id"), id(&row, "owner")) else {
            continue;
        };
        if !people.contains_key(&owner) {
            let names: Vec<&str> = people.keys().map(String::as_str).take(20).collect();
            row.complain(
                span.clone(),
                format!(
                    "`owner` is `{owner}`, who is not a person here{}",
                    hint(&owner, &names)
                ),
            );
        }
        if people.contains_key(&id) {
            row.complain(span.clone(), format!("`{id}` is a person already"));
        }
        let agent = Agent {
            roles: roles(&row, known),
            id: id.clone(),
            owner,
        };
        if agents.insert(id.clone(), agent).is_some() {
            row.complain(span, format!("agent `{id}` is listed twice"));
        }
    }
    (people, agents)
}

fn read_settings(
    table: &DeTable<'_>,
    file: &Source<'_>,
    people: &BTreeMap<String, Person>,
) -> Settings {
    const KNOWN: [&str; 7] = [
        "protected_branch",
        "production",
        "approval_days",
        "low_risk",
        "fails_on",
        "findings_owner",
        "quorum",
    ];
    let row = Row::new(table, 0..0, file, &KNOWN);
    let mut settings = Settings::usual();
    if let Some(branch) = row.text("protected_branch") {
        let name = *branch.get_ref();
        let odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
        let bad =
            name.is_empty() || name.len() > 200 || name.starts_with('-') || name.contains("..");
        if bad || name.chars().any(odd) {
            row.complain(
                branch.span(),
                "`protected_branch` is not the name of a branch",
            );
        }
        name.clone_into(&mut settings.protected_branch);
    }
    if row.flag("production") == Some(true) {
        settings.stakes = Stakes::Production;
    }
    if let Some(days) = number(&row, "approval_days", MAX_APPROVAL_DAYS) {
        settings.approval_lifetime_ms = days * DAY_MS;
    }
    for weakness in row.texts("low_risk") {
        let name = *weakness.get_ref();
        let digits = name.strip_prefix("CWE-").unwrap_or_default();
        let fits = (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if fits {
            settings.low_risk.insert(name.to_owned());
        } else {
            row.complain(
                weakness.span(),
                format!("`{name}` is not a weakness like `CWE-89`"),
            );
        }
    }
    if let Some(word) = row.text("fails_on") {
        match *word.get_ref() {
            "proven" => settings.fails_on = FailsOn::Proven,
            "exposed" => settings.fails_on = FailsOn::Exposed,
            "reachable" => settings.fails_on = FailsOn::Reachable,
            other => row.complain(
                word.span(),
                format!(
                    "unknown word `{other}`{}",
                    hint(other, &["proven", "exposed", "reachable"])
                ),
            ),
        }
    }
    if let Some(owner) = row.text("findings_owner") {
        let name = *owner.get_ref();
        if !people.contains_key(name) {
            let names: Vec<&str> = people.keys().map(String::as_str).take(20).collect();
            row.complain(
                owner.span(),
                format!(
                    "`{name}` is not a person in people.toml{}",
                    hint(name, &names)
                ),
            );
        }
        settings.findings_owner = Some(name.to_owned());
    }
    let quorums = row.tables("quorum");
    if quorums.len() > 1 {
        row.complain(0..0, "`quorum` is given more than once");
    }
    for (table, span) in quorums {
        let row = Row::new(table, span, file, &["low", "medium", "high"]);
        for (key, place) in [
            ("low", &mut settings.quorum.low),
            ("medium", &mut settings.quorum.medium),
            ("high", &mut settings.quorum.high),
        ] {
            if let Some(n) = number(&row, key, MAX_QUORUM).and_then(|n| u32::try_from(n).ok()) {
                *place = n;
            }
        }
    }
    settings
}

/// A whole number from one to `most`; complains about anything else.
fn number(row: &Row<'_>, key: &str, most: i64) -> Option<i64> {
    let value = row.get(key)?;
    let found = integer(value).filter(|n| (1..=most).contains(n));
    if found.is_none() {
        row.complain(
            value.span(),
            format!("`{key}` is not a whole number from 1 to {most}"),
        );
    }
    found
}
