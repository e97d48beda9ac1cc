//! What to send so that a wanted text arrives: transforms run forward, and inverted.

#[cfg(test)]
use base64::Engine as _;
#[cfg(test)]
use base64::engine::general_purpose::STANDARD;
use solvent_finding::Transform;

/// Filler where any character will do.
const FILLER: u8 = b'a';
/// Longest text that a slice may ask us to pad to; a program that skips more is not met.
const MAX_PAD: i64 = 4096;

/// What arrives at the sink when `text` is sent; `None` where a transform does not describe itself or fails.
#[cfg(test)]
pub(crate) fn apply(transforms: &[Transform], text: &[u8]) -> Option<Vec<u8>> {
    let mut value = text.to_vec();
    for transform in transforms {
        value = step(transform, value)?;
    }
    Some(value)
}

#[cfg(test)]
fn step(transform: &Transform, value: Vec<u8>) -> Option<Vec<u8>> {
    Some(match transform {
        Transform::Prefix(prefix) => [prefix.as_bytes(), &value].concat(),
        Transform::Suffix(suffix) => [&value, suffix.as_bytes()].concat(),
        Transform::Slice { lower, upper } => {
            let length = i64::try_from(value.len()).ok()?;
            let at = |bound: i64| {
                if bound < 0 {
                    (length + bound).max(0)
                } else {
                    bound.min(length)
                }
            };
            let from = lower.map_or(0, at);
            let to = upper.map_or(length, at);
            if from >= to {
                Vec::new()
            } else {
                value[usize::try_from(from).ok()?..usize::try_from(to).ok()?].to_vec()
            }
        }
        Transform::Split { separator, index } => {
            let text = String::from_utf8(value).ok()?;
            let parts: Vec<&str> = match separator {
                Some(separator) if !separator.is_empty() => {
                    text.split(separator.as_str()).collect()
                }
                Some(_) => return None,
                None => text.split_whitespace().collect(),
            };
            let count = i64::try_from(parts.len()).ok()?;
            let at = if *index < 0 { count + index } else { *index };
            parts.get(usize::try_from(at).ok()?)?.as_bytes().to_vec()
        }
        Transform::Replace { from, to } => String::from_utf8(value)
            .ok()?
            .replace(from.as_str(), to)
            .into_bytes(),
        Transform::Strip => value.trim_ascii().to_vec(),
        Transform::Lower => value.to_ascii_lowercase(),
        Transform::Upper => value.to_ascii_uppercase(),
        Transform::UrlDecode => url_decode(&value),
        Transform::UrlEncode => solvent_protocol::capsule::Encode::Percent.apply(&value),
        Transform::Base64Decode => STANDARD.decode(&value).ok()?,
        Transform::Base64Encode => STANDARD.encode(&value).into_bytes(),
        Transform::HtmlEscape => {
            let mut out = Vec::new();
            for byte in value {
                match byte {
                    b'&' => out.extend_from_slice(b"&amp;"),
                    b'<' => out.extend_from_slice(b"&lt;"),
                    b'>' => out.extend_from_slice(b"&gt;"),
                    b'"' => out.extend_from_slice(b"&#34;"),
                    b'\'' => out.extend_from_slice(b"&#39;"),
                    byte => out.push(byte),
                }
            }
            out
        }
        Transform::Json => value,
        Transform::Opaque(_) => return None,
    })
}

#[cfg(test)]
fn url_decode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes
            .get(at + 1..at + 3)
            .and_then(|p| std::str::from_utf8(p).ok());
        match (bytes[at], pair.and_then(|p| u8::from_str_radix(p, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                at += 1;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// How a wanted text must be written. Prefixes and suffixes are literal; encodings apply to the whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Inverse {
    /// Text with placeholders.
    pub text: Vec<u8>,
    /// Encodings outermost last, for the wire.
    pub encode: Vec<solvent_protocol::capsule::Encode>,
}

/// Some text that the program turns into one containing `wanted`. Placeholders in `wanted` (`{{name}}`)
/// stand for lower-case letters and digits, so no transform but `Upper` changes them. `None` when the
/// transforms cannot deliver it.
pub(crate) fn invert(transforms: &[Transform], wanted: &[u8]) -> Option<Inverse> {
    use solvent_protocol::capsule::Encode;
    // `None` is a place where any byte will do.
    let mut text: Vec<Option<u8>> = wanted.iter().copied().map(Some).collect();
    let mut encode: Vec<Encode> = Vec::new();
    for transform in simplified(transforms).into_iter().rev() {
        match transform {
            Transform::Prefix(prefix) => {
                if let Some(rest) = strip_front(&text, prefix.as_bytes()) {
                    text = rest;
                }
            }
            Transform::Suffix(suffix) => {
                if let Some(rest) = strip_back(&text, suffix.as_bytes()) {
                    text = rest;
                }
            }
            Transform::Slice { lower, upper } => {
                if lower.is_some_and(|l| l < 0) || upper.is_some_and(|u| u >= 0) {
                    // A tail or head of fixed length: deliverable when the wanted text is no longer.
                    let room = match (lower, upper) {
                        (Some(l), None) if *l < 0 => -*l,
                        (l, Some(u)) if *u >= 0 => *u - l.unwrap_or(0).max(0),
                        _ => return None,
                    };
                    if real_length(&text) > room {
                        return None;
                    }
                }
                let front = lower.filter(|l| *l > 0).unwrap_or(0);
                let back = upper.filter(|u| *u < 0).map_or(0, |u| -u);
                if front > MAX_PAD || back > MAX_PAD {
                    return None;
                }
                let mut padded = vec![None; usize::try_from(front).ok()?];
                padded.extend(text);
                padded.extend(std::iter::repeat_n(None, usize::try_from(back).ok()?));
                text = padded;
            }
            Transform::Split { separator, index } => {
                let flat = fill(&text);
                let separator = separator.clone().unwrap_or_else(|| " ".to_owned());
                if separator.is_empty() || contains(&flat, separator.as_bytes()) {
                    return None;
                }
                let mut parts = Vec::new();
                for _ in 0..(*index).clamp(0, 64) {
                    parts.push(None);
                    parts.extend(separator.bytes().map(Some));
                }
                parts.extend(text);
                text = parts;
            }
            Transform::Replace { from, to } => {
                let flat = fill(&text);
                if !from.is_empty() && contains(&flat, from.as_bytes()) {
                    if !to.is_empty() {
                        return None;
                    }
                    text = nested(&flat, from.as_bytes())?
                        .into_iter()
                        .map(Some)
                        .collect();
                }
            }
            Transform::Base64Decode => encode.push(Encode::Base64),
            Transform::UrlDecode => encode.push(Encode::Percent),
            Transform::Upper
            | Transform::Lower
            | Transform::Strip
            | Transform::Json
            | Transform::HtmlEscape
            | Transform::UrlEncode
            | Transform::Base64Encode
            | Transform::Opaque(_) => {}
        }
    }
    Some(Inverse {
        text: fill(&text),
        encode,
    })
}

/// The transforms without pairs that undo each other: what is encoded and decoded again arrives as it was.
fn simplified(transforms: &[Transform]) -> Vec<&Transform> {
    let mut out: Vec<&Transform> = Vec::new();
    for transform in transforms {
        let undone = matches!(
            (out.last(), transform),
            (Some(Transform::Base64Encode), Transform::Base64Decode)
                | (Some(Transform::UrlEncode), Transform::UrlDecode)
        );
        if undone {
            out.pop();
        } else {
            out.push(transform);
        }
    }
    out
}

/// Placeholders are shorter or longer than what replaces them; a token has 19 characters.
fn real_length(text: &[Option<u8>]) -> i64 {
    let flat = fill(text);
    let names = solvent_protocol::capsule::fill(&flat, |_| Some(vec![b'x'; 19]));
    i64::try_from(names.map_or(flat.len(), |filled| filled.len())).unwrap_or(i64::MAX)
}

fn fill(text: &[Option<u8>]) -> Vec<u8> {
    text.iter().map(|byte| byte.unwrap_or(FILLER)).collect()
}

fn strip_front(text: &[Option<u8>], prefix: &[u8]) -> Option<Vec<Option<u8>>> {
    let head = text.get(..prefix.len())?;
    head.iter()
        .zip(prefix)
        .all(|(have, want)| have.is_none_or(|h| h == *want))
        .then(|| text[prefix.len()..].to_vec())
}

fn strip_back(text: &[Option<u8>], suffix: &[u8]) -> Option<Vec<Option<u8>>> {
    let cut = text.len().checked_sub(suffix.len())?;
    text[cut..]
        .iter()
        .zip(suffix)
        .all(|(have, want)| have.is_none_or(|h| h == *want))
        .then(|| text[..cut].to_vec())
}

/// `....//` for `../` when `../` is deleted once: the deletion of the inner copy makes the outer one.
fn nested(text: &[u8], from: &[u8]) -> Option<Vec<u8>> {
    for split in 1..from.len() {
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            if text[at..].starts_with(from) {
                out.extend_from_slice(&from[..split]);
                out.extend_from_slice(from);
                out.extend_from_slice(&from[split..]);
                at += from.len();
            } else {
                out.push(text[at]);
                at += 1;
            }
        }
        let from = std::str::from_utf8(from).ok()?;
        if std::str::from_utf8(&out).ok()?.replace(from, "").as_bytes() == text {
            return Some(out);
        }
    }
    None
}

pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use solvent_protocol::capsule::Encode;

    fn arrives(transforms: &[Transform], wanted: &str) -> String {
        let inverse = invert(transforms, wanted.as_bytes()).expect("deliverable");
        let sent = inverse
            .encode
            .iter()
            .fold(inverse.text, |text, step| step.apply(&text));
        String::from_utf8(apply(transforms, &sent).expect("described")).expect("text")
    }

    #[test]
    fn a_slice_of_added_text_is_padded_back() {
        let transforms = [
            Transform::Prefix("help".into()),
            Transform::Suffix("snapes on a plane".into()),
            Transform::Slice {
                lower: Some(4),
                upper: Some(-17),
            },
        ];
        assert_eq!(arrives(&transforms, "../../x"), "../../x");
    }

    #[test]
    fn a_deletion_that_runs_once_is_nested() {
        let transforms = [Transform::Replace {
            from: "../".into(),
            to: String::new(),
        }];
        assert_eq!(arrives(&transforms, "../../etc"), "../../etc");
    }

    #[test]
    fn codecs_are_inverted_outermost_last() {
        let transforms = [Transform::UrlDecode, Transform::Base64Decode];
        let inverse = invert(&transforms, b"a b").expect("deliverable");
        assert_eq!(inverse.encode, [Encode::Base64, Encode::Percent]);
        assert_eq!(arrives(&transforms, "../%x+"), "../%x+");
    }

    #[test]
    fn what_is_encoded_and_decoded_again_is_sent_as_it_is() {
        let pair = [Transform::Base64Encode, Transform::Base64Decode];
        let inverse = invert(&pair, b"x' or").expect("deliverable");
        assert_eq!(
            (inverse.text.as_slice(), inverse.encode.len()),
            (&b"x' or"[..], 0)
        );
        let inside = [
            Transform::UrlDecode,
            Transform::UrlEncode,
            Transform::Base64Encode,
            Transform::Base64Decode,
            Transform::UrlDecode,
        ];
        assert_eq!(arrives(&inside, "../%x+"), "../%x+");
        assert_eq!(
            invert(&inside, b"a b").expect("deliverable").encode,
            [Encode::Percent]
        );
    }

    #[test]
    fn what_cannot_arrive_is_none() {
        let split = [Transform::Split {
            separator: Some(" ".into()),
            index: 0,
        }];
        assert_eq!(invert(&split, b"a b"), None);
        let head = [Transform::Slice {
            lower: None,
            upper: Some(4),
        }];
        assert_eq!(invert(&head, b"{{token}}"), None);
        let replaced = [Transform::Replace {
            from: "'".into(),
            to: "''".into(),
        }];
        assert_eq!(invert(&replaced, b"x' or"), None);
    }

    proptest! {
        #[test]
        fn padding_for_any_slice_of_any_affixes_arrives(
            prefix in "[a-z]{0,8}", suffix in "[a-z]{0,8}", lower in 0_i64..12, upper in -12_i64..0, wanted in "[A-Z./]{1,20}"
        ) {
            let transforms = [
                Transform::Prefix(prefix), Transform::Suffix(suffix),
                Transform::Slice { lower: Some(lower), upper: Some(upper) },
            ];
            if let Some(inverse) = invert(&transforms, wanted.as_bytes()) {
                let arrived = apply(&transforms, &inverse.text).expect("described");
                prop_assert!(contains(&arrived, wanted.as_bytes()), "{:?}", String::from_utf8_lossy(&arrived));
            }
        }
    }
}
