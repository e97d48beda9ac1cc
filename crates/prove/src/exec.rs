//! Runs the steps of a plan once, with fresh tokens, and keeps what was seen.
//!
//! Search, minimising, verification and replay share this; what they do not share is any state.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use solvent_protocol::capsule::{self, Capture, CaptureFrom, Login, Oracle, Payloads, Step, Value};
use solvent_sandbox::{CanaryEvent, SensorEvent};

use crate::http::{Answer, Request};
use crate::target::Running;
use crate::token;

/// Content planted where a write is looked for.
const BEFORE_WRITE: &[u8] = b"planted by solvent, unchanged\n";

/// Canaries that stay after a shot in which they did not run; more than any one input is tried with.
const KEPT_CANARIES: usize = 256;

/// What to send and what decides: the working part of a capsule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub login: Option<Login>,
    pub steps: Vec<Step>,
    pub payloads: Payloads,
    pub oracle: Oracle,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Variant {
    Twin,
    Attack,
    Zero,
}

impl Variant {
    pub fn word(self) -> &'static str {
        match self {
            Self::Twin => "twin",
            Self::Attack => "attack",
            Self::Zero => "zero",
        }
    }
}

/// Whether the file that a path payload leads to is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plant {
    Present,
    Absent,
}

/// Values of this one shot.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub token: String,
    pub canary: String,
    pub file: String,
    pub secret: String,
    pub number: String,
    pub other_number: String,
}

impl Fresh {
    pub fn new() -> Self {
        let number = token::number();
        let mut other = token::number();
        while other == number {
            other = token::number();
        }
        Self {
            token: token::fresh(),
            canary: token::fresh(),
            file: token::fresh(),
            secret: token::secret(),
            number: number.to_string(),
            other_number: other.to_string(),
        }
    }

    /// The value of a built-in placeholder.
    pub fn get(&self, name: &str) -> Option<&str> {
        Some(match name {
            "token" => &self.token,
            "canary" => &self.canary,
            "file" => &self.file,
            "number" => &self.number,
            "other_number" => &self.other_number,
            _ => return None,
        })
    }

    /// `text` with everything that is new in this shot replaced, so that two shots can be compared.
    pub fn mask(&self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        for (value, name) in [
            (&self.token, "[token]"),
            (&self.canary, "[canary]"),
            (&self.file, "[file]"),
            (&self.secret, "[secret]"),
        ] {
            text = replace_ignoring_case(&text, value.as_bytes(), name.as_bytes());
        }
        // Both numbers alike: which of them an answer repeats must not tell conditions apart.
        text = replace_ignoring_case(&text, self.number.as_bytes(), b"[number]");
        replace_ignoring_case(&text, self.other_number.as_bytes(), b"[number]")
    }
}

fn replace_ignoring_case(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text.len() - at >= from.len() && text[at..at + from.len()].eq_ignore_ascii_case(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

/// What one shot showed.
#[derive(Debug)]
pub(crate) struct Shot {
    pub fresh: Fresh,
    /// One per step, login not counted; shorter when a step failed.
    pub answers: Vec<Answer>,
    /// Requests as sent, one per answer or failure.
    pub sent: Vec<Request>,
    pub failure: Option<String>,
    pub canaries: Vec<CanaryEvent>,
    /// Canaries of earlier shots that were heard only when this one began.
    pub late: Vec<CanaryEvent>,
    pub sensors: Vec<SensorEvent>,
    /// The planted file was changed or, where none was planted, created.
    pub written: bool,
}

impl Shot {
    pub fn last(&self) -> Option<&Answer> {
        if self.failure.is_some() {
            None
        } else {
            self.answers.last()
        }
    }
}

/// Cookies and captured values, kept from step to step of one shot.
#[derive(Clone, Default, Debug)]
pub(crate) struct Session {
    pub cookies: BTreeMap<String, String>,
    pub captures: BTreeMap<String, Vec<u8>>,
}

/// Why a login does not hold.
#[derive(Debug)]
pub(crate) struct LoginFailed(pub String);

/// Runs the steps of a login and holds its check against the last answer.
pub(crate) fn log_in(
    running: &mut Running,
    login: &Login,
    credentials: &BTreeMap<String, String>,
    timeout: Duration,
) -> Result<Session, LoginFailed> {
    let mut session = Session::default();
    let fresh = Fresh::new();
    let mut last = None;
    for step in &login.steps {
        let request = build(step, &[], &fresh, &session, credentials, running)
            .map_err(|name| LoginFailed(format!("nothing fills `{{{{{name}}}}}`")))?;
        let answer = running
            .send(&request, timeout)
            .map_err(|error| LoginFailed(error.to_string()))?;
        take_cookies(&mut session, &answer);
        capture(&mut session, &step.captures, &answer)
            .map_err(|name| LoginFailed(format!("the answer of the login holds no `{name}`")))?;
        last = Some(answer);
    }
    let Some(answer) = last else {
        return Err(LoginFailed("the login has no step".into()));
    };
    let check = &login.check;
    let body = String::from_utf8_lossy(&answer.body);
    let status_holds = if check.status.is_empty() {
        answer.status < 400
    } else {
        check.status.contains(&answer.status)
    };
    if !status_holds {
        return Err(LoginFailed(format!(
            "the login was answered with status {}",
            answer.status
        )));
    }
    if let Some(text) = &check.contains
        && !body.contains(text.as_str())
    {
        return Err(LoginFailed(format!(
            "the answer of the login lacks `{text}`"
        )));
    }
    if let Some(text) = &check.not_contains
        && body.contains(text.as_str())
    {
        return Err(LoginFailed(format!(
            "the answer of the login contains `{text}`"
        )));
    }
    if let Some(name) = &check.cookie
        && !session.cookies.contains_key(name)
    {
        return Err(LoginFailed(format!("the login set no cookie `{name}`")));
    }
    Ok(session)
}

/// One shot: plants, sends all steps, collects, removes what was planted. The session is of this shot only.
pub(crate) fn fire(
    running: &mut Running,
    plan: &Plan,
    variant: Variant,
    plant: Plant,
    session: &Session,
    timeout: Duration,
) -> Shot {
    let fresh = Fresh::new();
    let values = match variant {
        Variant::Twin => &plan.payloads.twin,
        Variant::Attack => &plan.payloads.attack,
        Variant::Zero => &plan.payloads.zero,
    };
    let mut shot = Shot {
        fresh,
        answers: Vec::new(),
        sent: Vec::new(),
        failure: None,
        canaries: Vec::new(),
        late: Vec::new(),
        sensors: Vec::new(),
        written: false,
    };
    // Anything left from before is not evidence of this shot.
    let _ = running.instance.sensor_events();
    shot.late = running.instance.canary_events();
    let planted = match plant_for(running, plan, &shot.fresh, plant) {
        Ok(planted) => planted,
        Err(error) => {
            shot.failure = Some(error);
            return shot;
        }
    };
    let mut session = session.clone();
    for step in &plan.steps {
        let request = match build(
            step,
            values,
            &shot.fresh,
            &session,
            &BTreeMap::new(),
            running,
        ) {
            Ok(request) => request,
            Err(name) => {
                shot.failure = Some(format!("nothing fills `{{{{{name}}}}}`"));
                break;
            }
        };
        let result = running.send(&request, timeout);
        shot.sent.push(request);
        match result {
            Ok(answer) => {
                take_cookies(&mut session, &answer);
                let captured = capture(&mut session, &step.captures, &answer);
                shot.answers.push(answer);
                if let Err(name) = captured {
                    shot.failure = Some(format!("an answer holds no `{name}`"));
                    break;
                }
            }
            Err(error) => {
                shot.failure = Some(error.to_string());
                break;
            }
        }
    }
    shot.sensors = running.instance.sensor_events();
    shot.canaries = running.instance.canary_events();
    shot.canaries
        .retain(|event| event.name == shot.fresh.canary);
    unplant(running, plan, planted, &mut shot);
    shot
}

/// Canary events of `name` that come after the answer; waits at most `patience`.
pub(crate) fn late_canaries(
    running: &mut Running,
    name: &str,
    patience: Duration,
) -> Vec<CanaryEvent> {
    let deadline = std::time::Instant::now() + patience;
    loop {
        let mut events = running.instance.canary_events();
        events.retain(|event| event.name == name);
        if !events.is_empty() || std::time::Instant::now() >= deadline {
            return events;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Names of canaries heard within `patience`, whoever asked for them.
pub(crate) fn late_events(running: &mut Running, patience: Duration) -> Vec<String> {
    std::thread::sleep(patience);
    running
        .instance
        .canary_events()
        .into_iter()
        .map(|event| event.name)
        .collect()
}

enum Planted {
    Nothing,
    Canary,
    File(PathBuf),
    /// A place where something may appear.
    Place(PathBuf),
}

fn plant_for(
    running: &mut Running,
    plan: &Plan,
    fresh: &Fresh,
    plant: Plant,
) -> Result<Planted, String> {
    let place = |directory: &str, extension: &str| {
        PathBuf::from(format!(
            "{}/{}{extension}",
            directory.trim_end_matches('/'),
            fresh.file
        ))
    };
    let words = |error: solvent_sandbox::SandboxError| error.to_string();
    match &plan.oracle {
        Oracle::CanaryProgram => {
            running
                .instance
                .plant_canary(&fresh.canary)
                .map_err(words)?;
            Ok(Planted::Canary)
        }
        Oracle::PlantedSecret {
            directory,
            extension,
        } => {
            let path = place(directory, extension);
            if plant == Plant::Absent {
                return Ok(Planted::Place(path));
            }
            let content = format!("{}\n", fresh.secret);
            running
                .instance
                .plant_file(&path, content.as_bytes(), 0o666)
                .map_err(words)?;
            Ok(Planted::File(path))
        }
        Oracle::PlantedWrite {
            directory,
            extension,
            existing,
        } => {
            let path = place(directory, extension);
            if !existing || plant == Plant::Absent {
                return Ok(Planted::Place(path));
            }
            running
                .instance
                .plant_file(&path, BEFORE_WRITE, 0o666)
                .map_err(words)?;
            Ok(Planted::File(path))
        }
        Oracle::ExistenceBits {
            directory,
            extension,
            ..
        } => {
            let path = place(directory, extension);
            if plant == Plant::Absent {
                return Ok(Planted::Place(path));
            }
            running
                .instance
                .plant_file(&path, b"1\n", 0o666)
                .map_err(words)?;
            Ok(Planted::File(path))
        }
        Oracle::SqlStructure { .. } | Oracle::BooleanBits { .. } => Ok(Planted::Nothing),
    }
}

fn unplant(running: &mut Running, plan: &Plan, planted: Planted, shot: &mut Shot) {
    match planted {
        Planted::Nothing => {}
        Planted::Canary => {
            // A program started in the background may need its name a moment longer, and no later request can
            // name it; the folder of canaries has a limit, so the oldest go.
            if shot.canaries.is_empty() {
                running.canaries.push_back(shot.fresh.canary.clone());
            } else {
                let _ = running.instance.remove_canary(&shot.fresh.canary);
            }
            while running.canaries.len() > KEPT_CANARIES {
                if let Some(oldest) = running.canaries.pop_front() {
                    let _ = running.instance.remove_canary(&oldest);
                }
            }
        }
        Planted::File(path) => {
            let before: Vec<u8> = match &plan.oracle {
                Oracle::PlantedSecret { .. } => format!("{}\n", shot.fresh.secret).into_bytes(),
                Oracle::PlantedWrite { .. } => BEFORE_WRITE.to_vec(),
                _ => b"1\n".to_vec(),
            };
            shot.written = running
                .instance
                .read_upper(&path, 1 << 16)
                .is_ok_and(|now| now != before);
            let _ = running.instance.remove_file(&path);
        }
        Planted::Place(path) => {
            shot.written = running.instance.read_upper(&path, 1 << 16).is_ok();
            if shot.written {
                let _ = running.instance.remove_file(&path);
            }
        }
    }
}

/// The request of a step; the error is the placeholder that nothing fills.
fn build(
    step: &Step,
    values: &[Value],
    fresh: &Fresh,
    session: &Session,
    credentials: &BTreeMap<String, String>,
    running: &Running,
) -> Result<Request, String> {
    let fill = |bytes: &[u8]| {
        capsule::fill(bytes, |name| {
            if let Some(value) = fresh.get(name) {
                return Some(value.as_bytes().to_vec());
            }
            if let Some(value) = values.iter().find(|value| value.name == name) {
                let text = capsule::fill(&value.text.0, |name| {
                    fresh.get(name).map(|v| v.as_bytes().to_vec())
                })
                .ok()?;
                return Some(
                    value
                        .encode
                        .iter()
                        .fold(text, |text, step| step.apply(&text)),
                );
            }
            match name {
                "host" => Some(running.host().into_bytes()),
                "session_cookies" => Some(
                    session
                        .cookies
                        .iter()
                        .map(|(name, value)| format!("{name}={value}"))
                        .collect::<Vec<_>>()
                        .join("; ")
                        .into_bytes(),
                ),
                _ => {
                    if let Some(name) = name.strip_prefix("capture.") {
                        return session.captures.get(name).cloned();
                    }
                    let name = name.strip_prefix("credential.")?;
                    credentials
                        .get(name)
                        .map(|value| value.clone().into_bytes())
                }
            }
        })
    };
    Ok(Request {
        method: step.method.clone(),
        target: fill(&step.target.0)?,
        headers: step
            .headers
            .iter()
            .map(|(name, value)| Ok((fill(&name.0)?, fill(&value.0)?)))
            .collect::<Result<_, String>>()?,
        body: fill(&step.body.0)?,
    })
}

fn take_cookies(session: &mut Session, answer: &Answer) {
    for header in answer.header_all("set-cookie") {
        let text = String::from_utf8_lossy(header);
        let Some((name, value)) = text.split(';').next().and_then(|pair| pair.split_once('='))
        else {
            continue;
        };
        let gone = text.to_ascii_lowercase().contains("max-age=0") || value.is_empty();
        if gone {
            session.cookies.remove(name.trim());
        } else if session.cookies.len() < 64 {
            session
                .cookies
                .insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
}

fn capture(session: &mut Session, captures: &[Capture], answer: &Answer) -> Result<(), String> {
    for capture in captures {
        let body = || String::from_utf8_lossy(&answer.body).into_owned();
        let value: Option<Vec<u8>> = match &capture.from {
            CaptureFrom::Header(name) => answer.header(name).map(<[u8]>::to_vec),
            CaptureFrom::Cookie(name) => session.cookies.get(name).map(|v| v.clone().into_bytes()),
            CaptureFrom::Json(pointer) => serde_json::from_slice::<serde_json::Value>(&answer.body)
                .ok()
                .and_then(|json| {
                    let value = json.pointer(pointer)?;
                    Some(
                        value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned)
                            .into_bytes(),
                    )
                }),
            CaptureFrom::HtmlInput(name) => {
                crate::html::input_value(&body(), name).map(String::into_bytes)
            }
            CaptureFrom::Between { before, after } => {
                let body = body();
                body.split_once(before.as_str())
                    .and_then(|(_, rest)| rest.split_once(after.as_str()))
                    .map(|(value, _)| value.as_bytes().to_vec())
            }
        };
        let value = value
            .filter(|v| v.len() <= 8192)
            .ok_or_else(|| capture.name.clone())?;
        session.captures.insert(capture.name.clone(), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_hides_what_is_new_and_nothing_else() {
        let fresh = Fresh::new();
        let text = format!(
            "a {} b {} c {}",
            fresh.token.to_uppercase(),
            fresh.number,
            fresh.other_number
        );
        assert_eq!(
            fresh.mask(text.as_bytes()),
            b"a [token] b [number] c [number]"
        );
    }

    #[test]
    fn cookies_are_kept_and_deleted_as_the_answer_says() {
        let mut session = Session::default();
        let mut answer = Answer::default();
        answer
            .headers
            .push(("Set-Cookie".into(), b"a=1; Path=/; HttpOnly".to_vec()));
        take_cookies(&mut session, &answer);
        assert_eq!(session.cookies.get("a").map(String::as_str), Some("1"));
        answer.headers[0].1 = b"a=; Max-Age=0".to_vec();
        take_cookies(&mut session, &answer);
        assert!(session.cookies.is_empty());
    }

    #[test]
    fn a_capture_that_is_missing_is_named() {
        let mut session = Session::default();
        let answer = Answer {
            body: br#"{"a":{"b":"t0k"}}"#.to_vec(),
            ..Answer::default()
        };
        let wanted = |pointer: &str| Capture {
            name: "key".into(),
            from: CaptureFrom::Json(pointer.into()),
        };
        assert_eq!(capture(&mut session, &[wanted("/a/b")], &answer), Ok(()));
        assert_eq!(
            session.captures.get("key").map(Vec::as_slice),
            Some(b"t0k".as_slice())
        );
        assert_eq!(
            capture(&mut session, &[wanted("/x")], &answer),
            Err("key".into())
        );
    }
}
