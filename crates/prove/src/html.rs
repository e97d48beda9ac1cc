//! The little of HTML that logins need: forms and their hidden fields.
//!
//! A scanner for tags, not a parser: pages are hostile and often broken, and a field that is missed only
//! makes a login fail.

/// Tags of a page that are looked at.
const MAX_TAGS: usize = 20_000;

/// One tag: lower-case name, attributes, and the text up to the next tag.
struct Tag<'p> {
    name: String,
    attributes: Vec<(String, String)>,
    text: &'p str,
}

impl Tag<'_> {
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

/// One form: where it goes, how, and its fields with their first value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Form {
    /// Empty for the page itself.
    pub action: String,
    /// Upper case.
    pub method: String,
    pub fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Field {
    pub name: String,
    /// Lower case: `hidden`, `text`, `select`.
    pub kind: String,
    /// The value it begins with, or the first option.
    pub value: String,
    /// Every value on offer.
    pub options: Vec<String>,
}

/// Where the page's links lead, as written.
pub(crate) fn links(page: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for tag in tags(page) {
        let target = match tag.name.as_str() {
            "a" | "link" | "area" => tag.get("href"),
            "img" | "script" | "iframe" => tag.get("src"),
            _ => None,
        };
        if let Some(target) = target
            && !out.iter().any(|known| known == target)
        {
            out.push(target.to_owned());
        }
    }
    out
}

/// The page's forms.
pub(crate) fn forms(page: &str) -> Vec<Form> {
    let mut out: Vec<Form> = Vec::new();
    let mut open = false;
    for tag in tags(page) {
        if tag.name == "form" && out.len() < 100 {
            out.push(Form {
                action: tag.get("action").unwrap_or_default().to_owned(),
                method: tag.get("method").unwrap_or("get").to_ascii_uppercase(),
                fields: Vec::new(),
            });
            open = true;
        }
        let Some(form) = out.last_mut().filter(|_| open) else {
            continue;
        };
        match tag.name.as_str() {
            "input" | "textarea" | "select" | "button" => {
                let Some(name) = tag.get("name").filter(|name| !name.is_empty()) else {
                    continue;
                };
                let kind = if tag.name == "input" {
                    tag.get("type").unwrap_or("text").to_ascii_lowercase()
                } else {
                    tag.name.clone()
                };
                if form.fields.len() < 100 {
                    form.fields.push(Field {
                        name: name.to_owned(),
                        kind,
                        value: tag.get("value").unwrap_or_default().to_owned(),
                        options: Vec::new(),
                    });
                }
            }
            "option" => {
                if let Some(field) = form.fields.last_mut().filter(|f| f.kind == "select") {
                    // Without a value of its own an option's text is sent.
                    let value = tag
                        .get("value")
                        .map_or_else(|| unescape(tag.text), str::to_owned);
                    if field.options.is_empty() || tag.get("selected").is_some() {
                        field.value.clone_from(&value);
                    }
                    field.options.push(value);
                }
            }
            _ => {}
        }
    }
    out
}

/// Short texts that a person sees on the page: names, headings, cells.
pub(crate) fn phrases(page: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut hidden = "";
    for piece in page.split('<').skip(1).take(MAX_TAGS) {
        let name = piece
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '/')
            .next()
            .unwrap_or_default();
        if hidden.is_empty() {
            for secret in ["script", "style"] {
                if name.eq_ignore_ascii_case(secret) {
                    hidden = secret;
                }
            }
        } else if name.trim_start_matches('/').eq_ignore_ascii_case(hidden) {
            hidden = "";
        }
        if !hidden.is_empty() {
            continue;
        }
        let Some((_, text)) = piece.split_once('>') else {
            continue;
        };
        let text = unescape(text.trim());
        let words = text.split_whitespace().count();
        if (3..=40).contains(&text.chars().count()) && words <= 4 && !out.contains(&text) {
            out.push(text);
        }
    }
    out
}

fn tags(page: &str) -> Vec<Tag<'_>> {
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
        let text = rest.split('<').next().unwrap_or_default().trim();
        out.push(Tag {
            name,
            attributes,
            text,
        });
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
    fn links_forms_and_names_are_read_as_a_visitor_sees_them() {
        let page = r#"<a href="/p/mug?a=1&amp;b=2">Enamel mug</a><style>.x { y }</style><script>var a = "no"</script>
            <form action="/find"><input name=q value="a"><select name=s><option value="n">Name<option value="p"></select>
            <select name=m><option>2026-09</option><option selected> R&amp;D </option></select></form>"#;
        assert_eq!(links(page), ["/p/mug?a=1&b=2"]);
        let forms = forms(page);
        assert_eq!(
            (forms[0].action.as_str(), forms[0].method.as_str()),
            ("/find", "GET")
        );
        assert_eq!(forms[0].fields[0].value, "a");
        assert_eq!(forms[0].fields[1].options, ["n", "p"]);
        assert_eq!(forms[0].fields[2].options, ["2026-09", "R&D"]);
        assert_eq!(forms[0].fields[2].value, "R&D");
        assert_eq!(phrases(page), ["Enamel mug", "Name", "2026-09", "R&D"]);
    }

    #[test]
    fn broken_pages_never_panic() {
        for end in 0..PAGE.len() {
            let _ = hidden_fields(&PAGE[..end]);
            let _ = (
                links(&PAGE[..end]),
                forms(&PAGE[..end]),
                phrases(&PAGE[..end]),
            );
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
