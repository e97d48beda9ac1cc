//! One whole attempt: the twin, the attack, the twin again; or the prediction of secret bits.

use std::time::Duration;

use solvent_protocol::capsule::Oracle;

use crate::exec::{Plan, Plant, Session, Shot, Variant, fire, late_canaries};
use crate::oracle::{Effect, Seen, judge};
use crate::target::Running;
use crate::token;

/// A status, a place to go and a masked body: what two answers are compared by. Higher levels hide more.
pub(crate) fn signature(shot: &Shot, level: u8) -> Option<Vec<u8>> {
    let answer = shot.last()?;
    let mut out = answer.status.to_string().into_bytes();
    if let Some(location) = answer.header("location") {
        out.push(b' ');
        out.extend(shot.fresh.mask(location));
    }
    out.push(b'\n');
    match level {
        0 => out.extend(shot.fresh.mask(&answer.body)),
        1 => out.extend(blur(&shot.fresh.mask(&answer.body))),
        _ => {}
    }
    Some(out)
}

/// Digits and long hexadecimal or base64 words out: times, counters, nonces.
pub(crate) fn blur(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    for word in text.split_inclusive(|b| !is_word(*b)) {
        let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
        if word.len() >= 16 && digits > 0 {
            out.extend_from_slice(b"[word]");
            // What ends a word is not part of it.
            out.extend(word.last().filter(|b| !is_word(**b)));
            continue;
        }
        let mut last_digit = false;
        for &byte in word {
            if byte.is_ascii_digit() {
                if !last_digit {
                    out.push(b'0');
                }
                last_digit = true;
            } else {
                out.push(byte);
                last_digit = false;
            }
        }
    }
    out
}

/// What one whole attempt showed.
pub(crate) struct Attempt {
    pub seen: Seen,
    /// Shots worth keeping: twin and attack.
    pub shots: Vec<(Variant, Shot)>,
    /// Status of the twin before.
    pub twin_status: Option<u16>,
}

/// Twin, attack, twin; or, for bits, the prediction with its controls. `patience` is the wait for effects
/// that come after the answer.
pub(crate) fn attempt(
    running: &mut Running,
    plan: &Plan,
    session: &Session,
    timeout: Duration,
    patience: Duration,
) -> Attempt {
    if plan.oracle.is_bits() {
        return predict(running, plan, session, timeout);
    }
    let before = twin(running, plan, Plant::Present, session, timeout);
    let twin_status = before.last().map(|a| a.status);
    if let Some(failure) = &before.failure {
        let reason = format!("the benign twin got no answer: {failure}");
        return Attempt {
            seen: Seen::Unknown(reason),
            shots: vec![(Variant::Twin, before)],
            twin_status,
        };
    }
    let mut attack = fire(
        running,
        plan,
        Variant::Attack,
        Plant::Present,
        session,
        timeout,
    );
    if matches!(plan.oracle, Oracle::CanaryProgram)
        && attack.canaries.is_empty()
        && !patience.is_zero()
    {
        attack.canaries = late_canaries(running, &attack.fresh.canary, patience);
    }
    let mut seen = judge(plan, &before, &attack);
    if matches!(seen, Seen::Effect(_)) {
        let after = twin(running, plan, Plant::Present, session, timeout);
        if let Seen::Unknown(reason) = judge(plan, &after, &attack)
            && after.failure.is_none()
        {
            seen = Seen::Unknown(reason);
        }
    }
    Attempt {
        seen,
        shots: vec![(Variant::Twin, before), (Variant::Attack, attack)],
        twin_status,
    }
}

fn twin(
    running: &mut Running,
    plan: &Plan,
    plant: Plant,
    session: &Session,
    timeout: Duration,
) -> Shot {
    fire(running, plan, Variant::Twin, plant, session, timeout)
}

/// Bit prediction: four shots to learn which answers tell the two kinds apart, then fresh random bits that
/// must all be told. *A false proof needs every one of them guessed: 2^-bits.*
fn predict(running: &mut Running, plan: &Plan, session: &Session, timeout: Duration) -> Attempt {
    let bits = match plan.oracle {
        Oracle::ExistenceBits { bits, .. } | Oracle::BooleanBits { bits } => bits,
        _ => 0,
    };
    let existence = matches!(plan.oracle, Oracle::ExistenceBits { .. });
    let mut shots = Vec::new();
    let done = |seen: Seen, shots: Vec<(Variant, Shot)>, twin_status| Attempt {
        seen,
        shots,
        twin_status,
    };
    let shoot = |running: &mut Running, bit: bool| {
        let (variant, plant) = match (existence, bit) {
            (true, true) => (Variant::Attack, Plant::Present),
            (true, false) => (Variant::Attack, Plant::Absent),
            (false, true) => (Variant::Attack, Plant::Present),
            (false, false) => (Variant::Zero, Plant::Present),
        };
        fire(running, plan, variant, plant, session, timeout)
    };
    // The twin must not tell the kinds apart, or something else than the payload does.
    let twin_present = twin(running, plan, Plant::Present, session, timeout);
    let twin_absent = twin(running, plan, Plant::Absent, session, timeout);
    let twin_status = twin_present.last().map(|a| a.status);
    if let Some(failure) = twin_present.failure.clone().or(twin_absent.failure.clone()) {
        return done(
            Seen::Unknown(format!("the benign twin got no answer: {failure}")),
            shots,
            twin_status,
        );
    }
    let mut learned: Vec<(bool, Shot)> = Vec::new();
    for bit in [true, false, false, true] {
        let shot = shoot(running, bit);
        if let Some(failure) = &shot.failure {
            return done(
                Seen::Nothing(format!("no answer to predict from: {failure}")),
                shots,
                twin_status,
            );
        }
        learned.push((bit, shot));
    }
    let level = (0..3_u8).find(|level| {
        let of = |wanted: bool| -> Vec<Option<Vec<u8>>> {
            learned
                .iter()
                .filter(|(bit, _)| *bit == wanted)
                .map(|(_, s)| signature(s, *level))
                .collect()
        };
        let (ones, zeros) = (of(true), of(false));
        ones.windows(2).all(|w| w[0] == w[1])
            && zeros.windows(2).all(|w| w[0] == w[1])
            && ones[0] != zeros[0]
            && ones[0].is_some()
            && zeros[0].is_some()
    });
    let Some(level) = level else {
        return done(
            Seen::Nothing("answers do not tell the two kinds apart".into()),
            shots,
            twin_status,
        );
    };
    if signature(&twin_present, level) != signature(&twin_absent, level) {
        return done(
            Seen::Unknown("the benign twin's answers differ by themselves".into()),
            shots,
            twin_status,
        );
    }
    let one = learned
        .iter()
        .find(|(bit, _)| *bit)
        .and_then(|(_, s)| signature(s, level));
    let zero = learned
        .iter()
        .find(|(bit, _)| !*bit)
        .and_then(|(_, s)| signature(s, level));
    for (bit, shot) in learned.into_iter().take(2) {
        shots.push((if bit { Variant::Attack } else { Variant::Zero }, shot));
    }
    for (at, bit) in token::bits(bits).into_iter().enumerate() {
        let shot = shoot(running, bit);
        let told = signature(&shot, level);
        let right = if bit { told == one } else { told == zero };
        if told.is_none() || !right {
            let reason = format!("{at} of {bits} secret bits were told, then one was not");
            return done(Seen::Nothing(reason), shots, twin_status);
        }
    }
    let what = if existence {
        "the answers tell whether a file outside the application exists"
    } else {
        "the answers tell whether a condition inside the statement is true"
    };
    let effect = Effect {
        text: what.to_owned(),
        evidence: vec![format!(
            "{bits} of {bits} secret random bits were told by the answers; the benign twin tells none"
        )],
        luck_log2: -i32::try_from(bits).unwrap_or(i32::MAX),
    };
    done(Seen::Effect(effect), shots, twin_status)
}
