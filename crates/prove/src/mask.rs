//! What a target says, without what might be its secrets: its last words go into reports, logs and pages.
//!
//! Known values (the recipe's environment and credentials) are taken out wherever they stand; beside
//! them every value that is named as a secret, and every long word that looks drawn at random. A
//! harmless hash is lost with them, which costs a reader nothing.

const MASK: &str = "[masked]";

/// Words that name a secret before `=` or `:`.
const NAMES: [&str; 9] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "authorization",
    "cookie",
];

/// Shortest known value that is taken out; shorter ones are part of ordinary words.
const MIN_KNOWN: usize = 4;
/// Shortest word that can look random.
const MIN_RANDOM: usize = 12;

/// `text` without `known` values and without what looks like a secret.
pub(crate) fn mask(text: &str, known: &[String]) -> String {
    let mut text = text.to_owned();
    let mut known: Vec<&String> = known.iter().filter(|k| k.len() >= MIN_KNOWN).collect();
    // A value that holds another goes first.
    known.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in known {
        text = text.replace(value.as_str(), MASK);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    let mut named = false;
    while !rest.is_empty() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if word > 0 {
            let (run, after) = rest.split_at(word);
            out.push_str(if named || random(run) { MASK } else { run });
            named = names_secret(run, after);
            rest = after;
            continue;
        }
        let gap = rest.find(is_word).unwrap_or(rest.len());
        let (between, after) = rest.split_at(gap);
        // The value follows its name past `=`, `:`, quotes and spaces only.
        named = named && between.chars().all(|c| matches!(c, ':' | '\'' | '"' | ' '));
        out.push_str(between);
        rest = after;
    }
    out
}

/// Letters, digits and what base64, cookies and URLs are made of.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-' | '%' | '~')
}

/// Whether a value of that name follows.
fn names_secret(run: &str, after: &str) -> bool {
    let run = run.trim_end_matches('=').to_lowercase();
    after.starts_with([':', '\'', '"']) && NAMES.iter().any(|name| run.ends_with(name))
}

/// Whether any part of the run looks drawn at random, or is the value of a named secret.
fn random(run: &str) -> bool {
    if let Some((name, value)) = run.split_once('=')
        && !value.is_empty()
        && names_secret(name, ":")
    {
        return true;
    }
    run.split('/').any(|part| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let letters = part.chars().filter(|c| c.is_alphabetic()).count();
        part.len() >= MIN_RANDOM && digits >= 2 && letters >= 2
    }) || (run.len() >= 20 && mixed(run))
}

/// Capitals in the middle of small letters, again and again: base64 rather than a name.
fn mixed(run: &str) -> bool {
    let turns = run
        .as_bytes()
        .windows(2)
        .filter(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase())
        .count();
    turns >= 4
}

#[cfg(test)]
mod tests {
    use super::mask;

    fn masked(text: &str) -> String {
        mask(text, &["tides-and-ropes".to_owned(), "k3y".to_owned()])
    }

    #[test]
    fn what_looks_like_a_secret_is_taken_out() {
        for (text, left) in [
            (
                "login with tides-and-ropes failed",
                "login with [masked] failed",
            ),
            (
                "cannot reach db: 7hq2mz0v8r4kx1",
                "cannot reach db: [masked]",
            ),
            ("password=hunter", "[masked]"),
            ("SECRET_KEY: 'hunter'", "SECRET_KEY: '[masked]'"),
            (
                "{'API_TOKEN': 'abc', 'n': 1}",
                "{'API_TOKEN': '[masked]', 'n': 1}",
            ),
            ("dGhlIHNlY3JldCBsaWVzIGluIHRoZSBib3g=", "[masked]"),
            ("at c2VjcmV0/bGllcyBp12bi", "at [masked]"),
            ("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "id [masked]"),
        ] {
            assert_eq!(masked(text), left);
        }
    }

    #[test]
    fn what_helps_to_mend_a_target_stays() {
        for text in [
            "ModuleNotFoundError: No module named 'flask_sqlalchemy_extension'",
            "File \"/app/shop/catalogue.py\", line 41, in create_application",
            "sqlite3.OperationalError: no such table: products",
            "OSError: [Errno 98] Address already in use",
            "2026-11-25 10:00:00,123 ERROR in app: Exception on / [GET]",
            "KeyError: 'DATABASE_URL'",
            "ImportError: cannot import name 'url_quote' from 'werkzeug.urls' (/venv/lib/python3.11/site-packages/werkzeug/urls.py)",
            "AttributeError: 'ApplicationFactoryBuilder' object has no attribute 'run'",
            "key error",
            "",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn nothing_of_any_text_makes_it_fail() {
        for text in [
            "=",
            "::",
            "password",
            "password=",
            "key:''",
            "é=ß/漢字",
            "a/b/c=d",
            "%%%%",
        ] {
            let _ = masked(text);
        }
    }
}
