//! The little of HTML that logins need: forms and their hidden fields.
//!
//! A scanner for tags, not a parser: pages are hostile and often broken, and a field that is missed only
//! makes a login fail.

/// Tags of a page that are looked at.
const MAX_TAGS: usize = 20_000;

/// One tag: lower-case name and attributes.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// The value of the first `input` (or the content of the first `meta`) named `name`.
pub(crate) fn input_value(page: &str, name: &str) -> Option<String> {
    tags(page).into_iter().find_map(|tag| {
        if tag.get("name") != Some(name) {
            return None;
        }
        match tag.name.as_str() {
            "input" => Some(tag.get("value").unwrap_or_default().to_owned()),
            "meta" => tag.get("content").map(str::to_owned),
            _ => None,
        }
    })
}

/// Names of the hidden fields of all forms of a page.
pub(crate) fn hidden_fields(page: &str) -> Vec<String> {
    let mut names: Vec<String> = tags(page)
        .into_iter()
        .filter(|tag| {
            tag.name == "input"
                && tag
                    .get("type")
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("hidden"))
                && tag.get("value").is_some_and(|value| !value.is_empty())
        })
        .filter_map(|tag| tag.get("name").map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    names.truncate(16);
    names
}

/// Whether the page asks for a password.
pub(crate) fn asks_password(page: &str) -> bool {
    tags(page).into_iter().any(|tag| {
        tag.name == "input"
            && tag
                .get("type")
                .is_some_and(|kind| kind.eq_ignore_ascii_case("password"))
    })
}

fn tags(page: &str) -> Vec<Tag> {
    let mut out = Vec::new();
    let mut rest = page;
    while out.len() < MAX_TAGS {
        let Some(at) = rest.find('<') else { break };
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        if length == 0 {
            continue;
        }
        let name = rest[..length].to_ascii_lowercase();
        rest = &rest[length..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if rest.is_empty() {
                break;
            }
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            let end = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/'))
                .unwrap_or(rest.len());
            // A stray sign must not stop the scan.
            let end = end
                .max(rest.chars().next().map_or(1, char::len_utf8))
                .min(rest.len());
            let key = rest[..end].to_ascii_lowercase();
            rest = rest[end..].trim_start();
            let mut value = String::new();
            if let Some(after) = rest.strip_prefix('=') {
                rest = after.trim_start();
                match rest.chars().next() {
                    Some(quote @ ('"' | '\'')) => {
                        let (inside, after) =
                            rest[1..].split_once(quote).unwrap_or((&rest[1..], ""));
                        value = unescape(inside);
                        rest = after;
                    }
                    _ => {
                        let end = rest
                            .find(|c: char| c.is_whitespace() || c == '>')
                            .unwrap_or(rest.len());
                        value = unescape(&rest[..end]);
                        rest = &rest[end..];
                    }
                }
            }
            if attributes.len() < 64 {
                attributes.push((key, value));
            }
        }
        out.push(Tag { name, attributes });
    }
    out
}

/// The five entities that escape functions write.
pub(crate) fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#34;", "\"")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<html><!-- <input name="no" type="hidden" value="x"> --><FORM action=/login>
        <input type='hidden' name="csrf_token" value="a&amp;b"><input name=user><input type=password name=pw>
        </FORM><meta name="csrf" content="zz">"#;

    #[test]
    fn hidden_fields_and_their_values_are_found() {
        assert_eq!(hidden_fields(PAGE), ["csrf_token"]);
        assert_eq!(input_value(PAGE, "csrf_token").as_deref(), Some("a&b"));
        assert_eq!(input_value(PAGE, "csrf").as_deref(), Some("zz"));
        assert!(asks_password(PAGE));
    }

    #[test]
    fn broken_pages_never_panic() {
        for end in 0..PAGE.len() {
            let _ = hidden_fields(&PAGE[..end]);
        }
        for page in [
            "<",
            "<a",
            "<a =",
            "<a ==é",
            "<a b='",
            "<input name",
            "<é",
            "<a é=é",
        ] {
            let _ = hidden_fields(page);
        }
    }
}
