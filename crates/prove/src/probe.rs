//! The search: which request, which payload, which oracle shows the effect of one case.
//!
//! Runs on one shared instance, one request in flight. What it finds is a candidate; `verify` decides.

use std::time::{Duration, Instant};

use solvent_finding::{Carrier, Input, Transform};
use solvent_protocol::capsule::Oracle;

use crate::aim::{Aim, trim};
use crate::attempt::{attempt, signature};
use crate::case::{Case, Family, Lead};
use crate::exec::{Plan, Plant, Session, Shot, Variant, fire, late_events};
use crate::login::{Door, asks_for_login, turns_away};
use crate::oracle::{self, Effect, Seen, judge, token_arrived};
use crate::payload::{self, Payload, Quote, SqlContext};
use crate::request::{Draft, Wish, candidates, ways};
use crate::target::Running;
use crate::value::room;
use crate::variation;

/// Secret bits of a prediction: three replays give 48, enough for 2^28 attempts at 2^-20.
const BITS: u32 = 16;

/// Requests for one input that are looked at with a benign twin.
const MAX_DRAFTS: usize = 24;

/// A plan that showed its effect once.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub plan: Plan,
    pub input: Input,
    pub effect: Effect,
    pub twin_status: u16,
    /// `None` for nobody, else the identity.
    pub role: Option<String>,
    pub exchanges: Vec<crate::campaign::Exchange>,
}

/// How the search of one case ended.
#[derive(Debug)]
pub(crate) enum Probed {
    Found(Box<Found>),
    /// All was tried; the last reason of most use.
    Nothing(String),
    /// No effect, but a planted file was opened before it was refused: a check in the wrong place.
    Opened,
    NoRequest(String),
    TwinFailed(String),
    Budget(String),
    Died(String),
    LoginFailed(String),
}

pub(crate) struct Budget {
    pub requests: u64,
    pub deadline: Instant,
    pub timeout: Duration,
}

/// Counters of one case.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    pub attacks: u64,
    pub last_input: Option<Input>,
}

pub(crate) struct Search<'a> {
    pub running: &'a mut Running,
    pub case: &'a Case,
    pub door: Option<&'a Door>,
    pub budget: &'a Budget,
    pub tally: &'a mut Tally,
    started_with: u64,
    reason: String,
    /// Best status of any twin: tells a request that never arrived from one that did no harm.
    best_twin: Option<u16>,
    /// Some twin was refused or sent to a login.
    turned_away: bool,
    /// Some twin was not.
    let_in: bool,
    session: Session,
    role: Option<String>,
    /// Why a request could not be sent at all.
    unsent: Option<String>,
    /// Attack plans of this role that were sent, so that two guesses of one request cost one.
    tried: Vec<Plan>,
    /// What the lead at hand may use of the budget.
    share: Share,
    breadth: Breadth,
    /// Where the target was seen to look for a file of a harmless name, and how harmless names end.
    pub folder: Option<String>,
    pub ends: Vec<String>,
    /// Inputs of the root cause, which get the whole family.
    pub attacked: Vec<Input>,
    /// Some attack made the target open a file that it has no business with, whether or not it came back.
    opened_outside: bool,
}

/// How much of a payload family is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Breadth {
    /// What shows a flaw that nobody tried to hide.
    Usual,
    /// Also what gets past lists of forbidden words, wrong quoting and checks in the wrong place: for patches.
    Whole,
}

/// A part of the budget.
struct Share {
    requests: u64,
    deadline: Instant,
}

/// Why a search stops before its end.
enum Stop {
    Found(Box<Found>),
    Budget,
    Died(String),
}

type Go = Result<(), Stop>;

impl<'a> Search<'a> {
    pub fn new(
        running: &'a mut Running,
        case: &'a Case,
        door: Option<&'a Door>,
        budget: &'a Budget,
        tally: &'a mut Tally,
        breadth: Breadth,
    ) -> Self {
        let started_with = running.requests;
        Self {
            running,
            case,
            door,
            budget,
            tally,
            started_with,
            reason: "no effect was seen".to_owned(),
            best_twin: None,
            turned_away: false,
            let_in: false,
            session: Session::default(),
            role: None,
            unsent: None,
            tried: Vec::new(),
            share: Share {
                requests: budget.requests,
                deadline: budget.deadline,
            },
            breadth,
            folder: None,
            ends: Vec::new(),
            attacked: Vec::new(),
            opened_outside: false,
        }
    }

    pub fn run(mut self) -> Probed {
        let case = self.case;
        let Some(family) = Family::of(&case.weakness) else {
            return Probed::NoRequest(format!("no oracle for {} yet", case.weakness.0));
        };
        if let Some(refused) = &case.refused {
            return Probed::NoRequest(refused.clone());
        }
        let mut any_request = false;
        let mut login_error = None;
        let mut cut = false;
        let mut leads: Vec<&Lead> = case.leads.iter().collect();
        leads.sort_by_key(|lead| ease(&lead.input.carrier));
        let mut left = leads.len() * if self.door.is_some() { 2 } else { 1 };
        // Nobody first: what needs no login is the worse flaw.
        for logged_in in [false, true] {
            if logged_in {
                let Some(door) = self.door else { continue };
                match door.open(self.running, self.budget.timeout) {
                    Ok(session) => {
                        self.session = session;
                        self.role = Some(door.login.identity.clone());
                    }
                    Err(error) => {
                        login_error = Some(error.0);
                        continue;
                    }
                }
            }
            self.tried.clear();
            for lead in &leads {
                self.allot(left);
                left = left.saturating_sub(1);
                match self.lead(family, lead) {
                    Ok(tried) => any_request |= tried,
                    Err(Stop::Found(found)) => return Probed::Found(found),
                    // The other inputs have shares of their own.
                    Err(Stop::Budget) => (any_request, cut) = (true, true),
                    Err(Stop::Died(how)) => return Probed::Died(how),
                }
            }
        }
        if cut {
            return Probed::Budget(format!(
                "the budget for this case was used up after {} requests; raise `--max-requests`",
                self.running.requests - self.started_with
            ));
        }
        if !any_request {
            return Probed::NoRequest(
                "none of its inputs can be sent as the conditions on the way ask".to_owned(),
            );
        }
        if self.turned_away && !self.let_in {
            // Nothing was attacked but the door: unknown is never safe.
            return Probed::LoginFailed(login_error.unwrap_or_else(|| {
                match self.door {
                    Some(_) => "also after the login every benign request was turned away".to_owned(),
                    None => "every benign request was turned away or sent to a login; give `[login]` in `solvent.toml`"
                        .to_owned(),
                }
            }));
        }
        if let Some(error) = login_error
            && self.best_twin.is_none()
        {
            return Probed::LoginFailed(error);
        }
        if let Some(failure) = self.unsent {
            // Not all was tried, and unknown is never safe.
            return Probed::TwinFailed(format!("a request could not be sent: {failure}"));
        }
        match self.best_twin {
            None => Probed::TwinFailed("no benign request was answered".to_owned()),
            Some(status @ (404 | 405 | 501)) if family != Family::Path => Probed::TwinFailed(
                format!("every benign request was answered with status {status}"),
            ),
            Some(405 | 501) => {
                Probed::TwinFailed("every benign request was answered as a wrong method".to_owned())
            }
            _ if self.opened_outside => Probed::Opened,
            _ => Probed::Nothing(self.reason),
        }
    }

    /// Gives the next of `left` leads an equal part of what is left of the budget.
    fn allot(&mut self, left: usize) {
        let parts = u32::try_from(left.max(1)).unwrap_or(u32::MAX);
        let used = self.running.requests - self.started_with;
        let requests = self.budget.requests.saturating_sub(used);
        let now = Instant::now();
        self.share = Share {
            requests: used + requests.div_ceil(u64::from(parts)),
            deadline: now + self.budget.deadline.saturating_duration_since(now) / parts,
        };
    }

    fn spent(&self) -> bool {
        self.running.requests - self.started_with >= self.share.requests
            || Instant::now() >= self.share.deadline
    }

    /// Whether the variations are sent as well: for the inputs and the way that are known to be attacked.
    fn is_whole(&self, lead: &Lead, transforms: &[Transform]) -> bool {
        self.breadth == Breadth::Whole
            && self.attacked.contains(&lead.input)
            && lead
                .transforms
                .first()
                .is_some_and(|first| first == transforms)
    }

    /// The plan for one payload, unless it cannot be delivered or was sent before.
    fn next_plan(
        &mut self,
        aim: &Aim<'_>,
        payload: &Payload,
        transforms: &[Transform],
        oracle: Oracle,
    ) -> Option<Plan> {
        let plan = aim.plan(payload, transforms, oracle)?;
        if self.tried.contains(&plan) {
            return None;
        }
        self.tried.push(plan.clone());
        Some(plan)
    }

    fn shoot(&mut self, plan: &Plan, variant: Variant, plant: Plant) -> Result<Shot, Stop> {
        if self.spent() {
            return Err(Stop::Budget);
        }
        let shot = fire(
            self.running,
            plan,
            variant,
            plant,
            &self.session,
            self.budget.timeout,
        );
        if shot.sent.is_empty() {
            // Nothing went out, so nothing was tried.
            if let Some(failure) = &shot.failure {
                self.reason = failure.clone();
                self.unsent = Some(failure.clone());
            }
        } else if variant != Variant::Twin {
            self.tally.attacks += 1;
        }
        if shot.failure.is_some()
            && let Some(how) = self.running.death_after_failure()
        {
            return Err(Stop::Died(how));
        }
        Ok(shot)
    }

    /// Tries one lead; whether any request could be built.
    fn lead(&mut self, family: Family, lead: &Lead) -> Result<bool, Stop> {
        self.tally.last_input = Some(lead.input.clone());
        let Some(entry) = &self.case.entry else {
            return Ok(false);
        };
        let Some((starts, ends)) = room(&lead.input, &lead.conditions) else {
            self.reason = "a condition on the input leaves no room for a payload".to_owned();
            return Ok(false);
        };
        // An input without a name is guessed at, so more of its requests deserve a try.
        let limit = if lead.input.name.is_empty() { 8 } else { 3 };
        let mut any = false;
        for way in ways(&lead.input.carrier) {
            let wish = Wish {
                entry,
                input: &lead.input,
                conditions: &lead.conditions,
                way,
            };
            let mut drafts = candidates(&wish);
            if self.role.is_some() {
                for draft in &mut drafts {
                    draft.session = true;
                    draft.token_header = self.door.and_then(|door| door.token_header.clone());
                }
            }
            let ranked = self.rank(family, drafts, lead, &starts, &ends)?;
            for (at, (draft, twin, arrived)) in ranked.into_iter().enumerate() {
                any = true;
                // The best draft gets all payloads; a draft whose token was seen to arrive ends the choice.
                if !arrived && at >= limit {
                    break;
                }
                let aim = Aim {
                    lead,
                    draft: &draft,
                    starts: &starts,
                    ends: &ends,
                };
                for transforms in &lead.transforms {
                    match family {
                        Family::Command => self.commands(&aim, transforms, &twin)?,
                        Family::Path => self.paths(&aim, transforms)?,
                        Family::Sql => self.sql(&aim, transforms, &twin)?,
                    }
                }
                if arrived {
                    break;
                }
            }
        }
        Ok(any)
    }

    /// Sends each draft's benign twin and orders them: token seen at a sink, then by status.
    fn rank(
        &mut self,
        family: Family,
        drafts: Vec<Draft>,
        lead: &Lead,
        starts: &[String],
        ends: &[String],
    ) -> Result<Vec<(Draft, Shot, bool)>, Stop> {
        let mut out: Vec<(u8, Draft, Shot, bool)> = Vec::new();
        for draft in drafts.into_iter().take(MAX_DRAFTS) {
            let aim = Aim {
                lead,
                draft: &draft,
                starts,
                ends,
            };
            let first = lead
                .transforms
                .first()
                .map_or(&[] as &[Transform], Vec::as_slice);
            let twin = Payload::twin_only();
            let Some(plan) = aim.plan(&twin, first, quiet_oracle(family)) else {
                continue;
            };
            let mut shot = self.shoot(&plan, Variant::Twin, Plant::Absent)?;
            if let Some(answer) = shot.last()
                && self.role.is_some()
                && asks_for_login(answer)
                && let Some(door) = self.door
                && let Ok(session) = door.open(self.running, self.budget.timeout)
            {
                // The login was lost, perhaps by an earlier attack.
                self.session = session;
                shot = self.shoot(&plan, Variant::Twin, Plant::Absent)?;
            }
            if let Some(answer) = shot.last() {
                if turns_away(answer) {
                    self.turned_away = true;
                } else {
                    self.let_in = true;
                }
            }
            let arrived = token_arrived(
                &shot,
                match family {
                    Family::Command => "exec",
                    Family::Sql => "sql",
                    Family::Path => "open",
                },
            );
            if family == Family::Path && self.folder.is_none() {
                self.folder = oracle::opened_paths(&shot, &shot.fresh.token)
                    .first()
                    .and_then(|path| path.rsplit_once('/'))
                    .map(|(folder, _)| folder.to_owned())
                    .filter(|folder| folder.starts_with('/'));
            }
            let status = shot.last().map(|answer| answer.status);
            if let Some(status) = status {
                let better = |old: u16| goodness(status) < goodness(old);
                if self.best_twin.is_none_or(better) {
                    self.best_twin = Some(status);
                }
            }
            let rank = if arrived {
                0
            } else {
                1 + status.map_or(9, goodness)
            };
            out.push((rank, draft, shot, arrived));
            if arrived {
                break;
            }
        }
        out.sort_by_key(|(rank, ..)| *rank);
        Ok(out
            .into_iter()
            .map(|(_, draft, shot, arrived)| (draft, shot, arrived))
            .collect())
    }

    fn commands(&mut self, aim: &Aim<'_>, transforms: &[Transform], twin: &Shot) -> Go {
        let mut fired: Vec<(String, Plan)> = Vec::new();
        let mut late: Vec<String> = Vec::new();
        let mut payloads = payload::command(&aim.lead.template);
        if self.is_whole(aim.lead, transforms) {
            payloads.extend(variation::command());
        }
        for payload in payloads {
            let Some(plan) = self.next_plan(aim, &payload, transforms, Oracle::CanaryProgram)
            else {
                continue;
            };
            let shot = self.shoot(&plan, Variant::Attack, Plant::Present)?;
            late.extend(shot.late.iter().map(|event| event.name.clone()));
            if let Seen::Effect(_) = judge(&plan, twin, &shot) {
                self.confirm(aim, plan)?;
            } else {
                fired.push((shot.fresh.canary, plan));
            }
        }
        // A program may be started after the answer. Every name is its own, so it tells which payload it was.
        if !fired.is_empty() {
            late.extend(late_events(self.running, Duration::from_millis(20)));
        }
        for (name, plan) in fired {
            if late.contains(&name) {
                self.confirm(aim, plan)?;
            }
        }
        Ok(())
    }

    fn paths(&mut self, aim: &Aim<'_>, transforms: &[Transform]) -> Go {
        let mut payloads = payload::path(&aim.lead.template, aim.starts, aim.ends);
        if self.is_whole(aim.lead, transforms) {
            payloads.extend(variation::path(self.folder.as_deref(), &self.ends));
        }
        for payload in payloads {
            let directory = payload.directory.clone();
            let extension = payload.extension.clone();
            let secret = Oracle::PlantedSecret {
                directory: directory.clone(),
                extension: extension.clone(),
            };
            let Some(plan) = self.next_plan(aim, &payload, transforms, secret) else {
                continue;
            };
            let present = self.shoot(&plan, Variant::Attack, Plant::Present)?;
            if self.breadth == Breadth::Whole && oracle::opened(&present, &directory) {
                self.opened_outside = true;
            }
            if present
                .answers
                .iter()
                .any(|a| oracle::holds_secret(a, &present.fresh.secret).is_some())
            {
                self.confirm(aim, plan.clone())?;
            }
            if present.written {
                let write = Oracle::PlantedWrite {
                    directory: directory.clone(),
                    extension: extension.clone(),
                    existing: true,
                };
                self.confirm(
                    aim,
                    Plan {
                        oracle: write,
                        ..plan.clone()
                    },
                )?;
            }
            let absent = self.shoot(&plan, Variant::Attack, Plant::Absent)?;
            if absent.written {
                let write = Oracle::PlantedWrite {
                    directory: directory.clone(),
                    extension: extension.clone(),
                    existing: false,
                };
                self.confirm(
                    aim,
                    Plan {
                        oracle: write,
                        ..plan.clone()
                    },
                )?;
            }
            if signature(&present, 1) != signature(&absent, 1) {
                let bits = Oracle::ExistenceBits {
                    directory,
                    extension,
                    bits: BITS,
                };
                self.confirm(
                    aim,
                    Plan {
                        oracle: bits,
                        ..plan
                    },
                )?;
            }
        }
        Ok(())
    }

    fn sql(&mut self, aim: &Aim<'_>, transforms: &[Transform], twin: &Shot) -> Go {
        let seen_context = context_of(twin, &twin.fresh.token);
        let template = payload::around(&aim.lead.template).before.map(|before| {
            match payload::open_quote(&before) {
                Quote::Single => SqlContext::Single,
                Quote::Double => SqlContext::Double,
                Quote::None => SqlContext::Bare,
            }
        });
        let mut number_twin: Option<Shot> = None;
        let mut watched = !oracle::statements(twin).is_empty();
        let mut payloads = payload::sql(seen_context.or(template));
        if self.is_whole(aim.lead, transforms) {
            payloads.extend(variation::sql());
        }
        for payload in payloads {
            let Some(fragment) = payload.core.clone() else {
                continue;
            };
            let oracle = Oracle::SqlStructure {
                dialect: "sqlite".into(),
                fragment,
            };
            let Some(plan) = self.next_plan(aim, &payload, transforms, oracle) else {
                continue;
            };
            let by_number = payload.twin.contains("{{number}}");
            if by_number && number_twin.is_none() {
                number_twin = Some(self.shoot(&plan, Variant::Twin, Plant::Present)?);
            }
            let shot = self.shoot(&plan, Variant::Attack, Plant::Present)?;
            watched |= !oracle::statements(&shot).is_empty();
            let reference = if by_number {
                number_twin.as_ref().unwrap_or(twin)
            } else {
                twin
            };
            match judge(&plan, reference, &shot) {
                Seen::Effect(_) => self.confirm(aim, plan)?,
                Seen::Nothing(reason) if seen_context.is_some() => self.reason = reason,
                Seen::Nothing(_) | Seen::Unknown(_) => {}
            }
        }
        // Where the driver is watched, silence there is the answer; elsewhere the answers must tell.
        if watched {
            return Ok(());
        }
        for payload in payload::sql_bits(seen_context.or(template)) {
            let Some(plan) = self.next_plan(
                aim,
                &payload,
                transforms,
                Oracle::BooleanBits { bits: BITS },
            ) else {
                continue;
            };
            let one = self.shoot(&plan, Variant::Attack, Plant::Present)?;
            let zero = self.shoot(&plan, Variant::Zero, Plant::Present)?;
            if signature(&one, 1) != signature(&zero, 1) {
                self.confirm(aim, plan)?;
            }
        }
        Ok(())
    }

    /// One whole attempt with its controls; when it holds, the request is made smaller and the search ends.
    fn confirm(&mut self, aim: &Aim<'_>, plan: Plan) -> Go {
        let patience = Duration::from_millis(200);
        let first = attempt(
            self.running,
            &plan,
            &self.session,
            self.budget.timeout,
            patience,
        );
        let Seen::Effect(effect) = first.seen else {
            // An effect that does not happen again was chance: there is nothing to say of it.
            if let Seen::Unknown(reason) = first.seen {
                self.reason = reason;
            }
            if let Some(how) = self.running.death() {
                return Err(Stop::Died(how));
            }
            return Ok(());
        };
        let mut best = (plan, aim.draft.clone(), effect, first.shots);
        let mut twin_status = first.twin_status.unwrap_or(0);
        // Bits cost two dozen requests a try: there one sweep must do.
        let sweeps = if best.0.oracle.is_bits() { 1 } else { 4 };
        'sweep: for _ in 0..sweeps {
            let mut smaller = false;
            for draft in best.1.without_one() {
                if self.spent() {
                    break 'sweep;
                }
                let mut plan = best.0.clone();
                plan.steps = vec![draft.render()];
                let tried = attempt(
                    self.running,
                    &plan,
                    &self.session,
                    self.budget.timeout,
                    Duration::ZERO,
                );
                if let (Seen::Effect(effect), Some(status)) = (tried.seen, tried.twin_status)
                    && status / 100 == twin_status / 100
                {
                    best = (plan, draft, effect, tried.shots);
                    twin_status = status;
                    smaller = true;
                    break;
                }
            }
            if !smaller {
                break;
            }
        }
        let (mut plan, _, effect, shots) = best;
        trim(&mut plan);
        if self.role.is_some() {
            plan.login = self.door.map(|door| door.login.clone());
        }
        let exchanges = shots
            .iter()
            .map(|(variant, shot)| show(*variant, shot))
            .collect();
        Err(Stop::Found(Box::new(Found {
            plan,
            input: aim.lead.input.clone(),
            effect,
            twin_status,
            role: self.role.clone(),
            exchanges,
        })))
    }
}

/// Order in which inputs are tried: plain text before what a program signs, packs or rarely reads.
fn ease(carrier: &Carrier) -> u8 {
    match carrier {
        Carrier::Query | Carrier::Form | Carrier::Json => 0,
        Carrier::PathSegment | Carrier::QueryName | Carrier::FormName => 1,
        Carrier::RawQuery | Carrier::RawPath | Carrier::RawBody => 2,
        Carrier::FileName | Carrier::FileContent => 3,
        Carrier::Header | Carrier::HeaderName => 4,
        Carrier::Cookie | Carrier::Session | Carrier::Predictable | Carrier::ListedName => 5,
    }
}

fn goodness(status: u16) -> u8 {
    match status {
        200..=299 => 0,
        300..=399 => 1,
        400 | 422 => 3,
        500..=599 => 2,
        401 | 403 => 4,
        404 => 5,
        _ => 6,
    }
}

/// An oracle that plants nothing, for twins that only look around.
fn quiet_oracle(family: Family) -> Oracle {
    match family {
        Family::Command => Oracle::CanaryProgram,
        Family::Path => Oracle::PlantedSecret {
            directory: payload::PLANTED.into(),
            extension: String::new(),
        },
        Family::Sql => Oracle::SqlStructure {
            dialect: "sqlite".into(),
            fragment: String::new(),
        },
    }
}

/// Where the value stands in the statement that the sensor saw.
fn context_of(shot: &Shot, value: &str) -> Option<SqlContext> {
    oracle::statements(shot).iter().find_map(|statement| {
        let at = statement.text.to_ascii_lowercase().find(value)?;
        let tokens = oracle::shape(&statement.text)?;
        let token = tokens.iter().find(|t| t.start <= at && t.end > at)?;
        match token.class.as_str() {
            "string" => Some(SqlContext::Single),
            "quoted" => Some(SqlContext::Double),
            _ => Some(SqlContext::Bare),
        }
    })
}

/// A shot for people: shortened, everything fresh masked, cookies and credentials out.
pub(crate) fn show(variant: Variant, shot: &Shot) -> crate::campaign::Exchange {
    let clip = |bytes: &[u8], cap: usize| -> String {
        let masked = shot.fresh.mask(bytes);
        let text: String = String::from_utf8_lossy(&masked)
            .chars()
            .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
            .collect();
        if text.chars().count() <= cap {
            return text;
        }
        let head: String = text.chars().take(cap).collect();
        format!("{head}...")
    };
    let request = shot.sent.last().map_or_else(String::new, |request| {
        let mut text = format!("{} {}", request.method, clip(&request.target, 300));
        for (name, value) in &request.headers {
            let lower = name.to_ascii_lowercase();
            if matches!(lower.as_slice(), b"host" | b"connection" | b"content-type") {
                continue;
            }
            let secret = lower == b"authorization";
            let value = if secret {
                "[masked]".to_owned()
            } else {
                clip(value, 200)
            };
            text.push_str(&format!("\n{}: {value}", clip(name, 100)));
        }
        if !request.body.is_empty() {
            text.push_str(&format!("\n\n{}", clip(&request.body, 400)));
        }
        text
    });
    let answer = match (&shot.failure, shot.answers.last()) {
        (Some(failure), _) => failure.clone(),
        (None, Some(answer)) => format!("{}\n\n{}", answer.status, clip(&answer.body, 400)),
        (None, None) => String::new(),
    };
    crate::campaign::Exchange {
        variant: variant.word().to_owned(),
        request,
        answer,
    }
}
