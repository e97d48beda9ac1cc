//! The tables of marks in `signals/`, and what they say about one commit.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use solvent_base::Timestamp;

use crate::commit::{Person, RawCommit, named, trailers};
use crate::origin::{Grade, Mark, Origin};

const AI_TOOLS: &str = include_str!("../../../signals/ai-tools.toml");
const BOTS: &str = include_str!("../../../signals/bots.toml");

/// Characters of a model or session name that are kept.
const MAX_NAME: usize = 200;

/// Trailers in which a tool is named in words.
const HELPER_TRAILERS: [&str; 4] = [
    "assisted-by",
    "generated-by",
    "ai-assisted-by",
    "written-by",
];

const NOREPLY: &str = "@users.noreply.github.com";

/// Marks of coding tools and of bots.
#[derive(Debug)]
pub struct Marks {
    /// No tool left a mark before this moment.
    pub earliest: Timestamp,
    tools: Vec<Tool>,
    bots: Vec<Bot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolFile {
    earliest: String,
    tool: Vec<Tool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BotFile {
    bot: Vec<Bot>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Tool {
    id: Arc<str>,
    name: String,
    #[serde(flatten)]
    account: Account,
    #[serde(default)]
    shared_mails: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    author_suffixes: Vec<String>,
    #[serde(default)]
    session_trailers: Vec<String>,
    #[serde(default)]
    mark_trailers: Vec<String>,
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default)]
    subject_prefixes: Vec<String>,
    #[serde(default)]
    note: Vec<String>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Bot {
    name: Arc<str>,
    #[serde(flatten)]
    account: Account,
}

#[derive(Deserialize, Debug)]
struct Account {
    #[serde(default)]
    accounts: Vec<u64>,
    #[serde(default)]
    logins: Vec<String>,
    #[serde(default)]
    mails: Vec<String>,
}

impl Account {
    /// What in name or mail is this account's.
    fn matches(&self, name: &str, mail: &str) -> Option<String> {
        if let Some(local) = mail.strip_suffix(NOREPLY) {
            let (number, login) = match local.split_once('+') {
                Some((number, login)) => (number.parse().ok(), login),
                None => (None, local),
            };
            if let Some(number) = number.filter(|n| self.accounts.contains(n)) {
                return Some(format!("account {number}"));
            }
            if self.logins.iter().any(|l| l == login) {
                return Some(format!("account `{login}`"));
            }
        }
        if self.mails.iter().any(|m| m == mail) {
            return Some(format!("`{mail}`"));
        }
        // People cannot have these names at a forge.
        self.logins
            .iter()
            .find(|login| login.ends_with("[bot]") && *login == name)
            .map(|login| format!("account `{login}`"))
    }
}

impl Marks {
    /// The tables this build came with.
    pub fn builtin() -> &'static Self {
        static MARKS: OnceLock<Marks> = OnceLock::new();
        MARKS.get_or_init(|| match Marks::parse(AI_TOOLS, BOTS) {
            Ok(marks) => marks,
            Err(words) => panic!("a table in `signals/` is broken, which its test finds: {words}"),
        })
    }

    /// Reads tables of the form of `signals/ai-tools.toml` and `signals/bots.toml`.
    ///
    /// # Errors
    ///
    /// In words, with the line, when a key is unknown, a value is of another form or a mark is not in
    /// lower case.
    pub fn parse(tools: &str, bots: &str) -> Result<Self, String> {
        let tools: ToolFile = toml::from_str(tools).map_err(|e| format!("ai-tools.toml: {e}"))?;
        let bots: BotFile = toml::from_str(bots).map_err(|e| format!("bots.toml: {e}"))?;
        let earliest = crate::month::day(&tools.earliest).ok_or_else(|| {
            format!(
                "ai-tools.toml: `{}` is not a day YYYY-MM-DD",
                tools.earliest
            )
        })?;
        for tool in &tools.tool {
            let lists = [
                &tool.account.logins,
                &tool.account.mails,
                &tool.shared_mails,
                &tool.names,
                &tool.author_suffixes,
                &tool.session_trailers,
                &tool.mark_trailers,
                &tool.texts,
                &tool.subject_prefixes,
                &tool.note,
            ];
            for mark in lists.into_iter().flatten() {
                if *mark != mark.to_lowercase() || mark.is_empty() {
                    return Err(format!(
                        "ai-tools.toml: `{mark}` of {} must be in lower case",
                        tool.name
                    ));
                }
            }
        }
        for bot in &bots.bot {
            for mark in bot.account.logins.iter().chain(&bot.account.mails) {
                if *mark != mark.to_lowercase() || mark.is_empty() {
                    return Err(format!(
                        "bots.toml: `{mark}` of {} must be in lower case",
                        bot.name
                    ));
                }
            }
        }
        Ok(Self {
            earliest,
            tools: tools.tool,
            bots: bots.bot,
        })
    }

    /// What a tool is called, by its id.
    pub fn tool_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.tools
            .iter()
            .find(|tool| &*tool.id == id)
            .map_or(id, |tool| &tool.name)
    }

    /// The id of a tool by the name that line notes use; a name that no row lists stands for itself.
    pub(crate) fn noted(&self, name: &str) -> Arc<str> {
        let name: String = name
            .to_lowercase()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '))
            .take(40)
            .collect();
        self.tools
            .iter()
            .find(|tool| tool.note.contains(&name))
            .map_or_else(
                || {
                    if name.trim().is_empty() {
                        "unnamed".into()
                    } else {
                        name.trim().into()
                    }
                },
                |tool| tool.id.clone(),
            )
    }

    /// Every mark of a coding tool on this commit, strongest first. Line notes are not part of the
    /// commit; who has them puts them in front.
    pub(crate) fn marks(&self, commit: &RawCommit) -> Vec<Mark> {
        let mut found = Vec::new();
        for (person, place) in [(&commit.author, "author"), (&commit.committer, "committer")] {
            if let Some((tool, what, model)) = self.account(person) {
                found.push(mark(
                    Grade::AgentAuthor,
                    tool,
                    format!("{place} {what}"),
                    model,
                ));
            }
            let name = person.name.to_lowercase();
            for tool in &self.tools {
                if let Some(suffix) = tool.author_suffixes.iter().find(|s| name.ends_with(*s)) {
                    let how = format!("{place} name ends in `{suffix}`");
                    found.push(mark(Grade::AgentAuthor, tool, how, None));
                }
            }
        }
        for (key, value) in trailers(&commit.message) {
            self.trailer(&key, value, &mut found);
        }
        let text = commit.message.to_lowercase();
        for tool in &self.tools {
            if let Some(sentence) = tool.texts.iter().find(|s| text.contains(*s)) {
                let how = format!("message says `{sentence}`");
                found.push(mark(Grade::Message, tool, how, None));
            }
            if let Some(prefix) = tool
                .subject_prefixes
                .iter()
                .find(|p| text.trim_start().starts_with(*p))
            {
                let how = format!("subject starts with `{prefix}`");
                found.push(mark(Grade::Message, tool, how, None));
            }
        }
        // Stable: among equals the one that comes first in the commit stays first.
        found.sort_by_key(|mark| mark.grade);
        found.dedup();
        found
    }

    fn trailer(&self, key: &str, value: &str, found: &mut Vec<Mark>) {
        for tool in &self.tools {
            if tool.session_trailers.iter().any(|k| k == key) {
                let mut mark = mark(
                    Grade::SessionTrailer,
                    tool,
                    format!("trailer `{key}`"),
                    None,
                );
                mark.session = Some(short(value));
                found.push(mark);
            }
            let whole = format!("{key}: {}", value.to_lowercase());
            if tool.mark_trailers.contains(&whole) {
                found.push(mark(
                    Grade::CoAuthor,
                    tool,
                    format!("trailer `{whole}`"),
                    None,
                ));
            }
        }
        let helper = HELPER_TRAILERS.contains(&key);
        if key == "co-authored-by" || (helper && value.contains('@') && value.contains('<')) {
            if let Some((tool, what, model)) = self.account(&named(value)) {
                found.push(mark(Grade::CoAuthor, tool, format!("{key} {what}"), model));
            }
        } else if helper && let Some((tool, name, model)) = self.helper(value) {
            let how = format!("{key} `{name}`");
            found.push(mark(Grade::CoAuthor, tool, how, model));
        }
    }

    /// The tool whose account this is. When the mail is one tool's and the name another's, the name
    /// decides: `Cursor Grok` with Anthropic's address is Cursor.
    fn account(&self, person: &Person) -> Option<(&Tool, String, Option<String>)> {
        let name = person.name.to_lowercase();
        let mail = person.mail.to_lowercase();
        let by_mail = self
            .tools
            .iter()
            .find_map(|tool| tool.account.matches(&name, &mail).map(|what| (tool, what)));
        let shared = || {
            self.tools
                .iter()
                .any(|tool| tool.shared_mails.contains(&mail))
        };
        let (tool, what) = match (by_mail, self.longest_name(&name)) {
            (Some((owner, what)), None) => (owner, what),
            (Some((owner, what)), Some((tool, _))) if Arc::ptr_eq(&owner.id, &tool.id) => {
                (owner, what)
            }
            (Some((_, what)), Some((tool, known))) => (tool, format!("`{known}` with {what}")),
            (None, Some((tool, known))) if shared() => (tool, format!("`{known}` with `{mail}`")),
            (None, _) => return None,
        };
        Some((tool, what, model_in_name(&person.name, tool)))
    }

    /// The tool of which one of the names starts `name`, by the longest such name.
    fn longest_name(&self, name: &str) -> Option<(&Tool, &str)> {
        let starts = |known: &str| {
            name.strip_prefix(known)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
        };
        self.tools
            .iter()
            .flat_map(|tool| tool.names.iter().map(move |known| (tool, known.as_str())))
            .filter(|(_, known)| starts(known))
            .max_by_key(|(_, known)| known.len())
    }

    /// `Claude:claude-opus-4.6 pytest`, `Claude Code / ...`, `Copilot (GPT-5.4)`, `pi 0.1`, `cursor`.
    /// A name that goes on with another word is a person's: `Jules Verne`.
    fn helper(&self, value: &str) -> Option<(&Tool, &str, Option<String>)> {
        let lower = value.to_lowercase();
        let (tool, known) = self.longest_name(&lower)?;
        let rest = value.get(known.len()..)?;
        let model = |text: &str| {
            let text = text.trim_matches(|c: char| c.is_whitespace() || "/:()".contains(c));
            (!text.is_empty()).then(|| short(text))
        };
        let spaced = rest.trim_start();
        if spaced.is_empty() {
            return Some((tool, known, None));
        }
        if let Some(after) = spaced.strip_prefix([':', '/', '(']) {
            let first = if rest.starts_with(':') {
                after.split_whitespace().next().unwrap_or_default()
            } else {
                after.split([')', ',']).next().unwrap_or_default()
            };
            return Some((tool, known, model(first)));
        }
        let version = spaced.strip_prefix(['v', 'V']).unwrap_or(spaced);
        if version.starts_with(|c: char| c.is_ascii_digit()) {
            return Some((tool, known, model(value)));
        }
        matches!(spaced.chars().next(), Some(',' | ';' | '[')).then_some((tool, known, None))
    }

    /// The bot that this author is.
    pub(crate) fn bot(&self, author: &Person) -> Option<Arc<str>> {
        let name = author.name.to_lowercase();
        let mail = author.mail.to_lowercase();
        let known = self
            .bots
            .iter()
            .find(|bot| bot.account.matches(&name, &mail).is_some());
        if let Some(bot) = known {
            return Some(bot.name.clone());
        }
        let login = mail
            .strip_suffix(NOREPLY)
            .map(|local| local.rsplit('+').next().unwrap_or(local));
        (name.ends_with("[bot]") || login.is_some_and(|l| l.ends_with("[bot]")))
            .then(|| "other".into())
    }

    /// What the commit says of itself, without line notes. A bot whose commit carries a tool's mark
    /// is the tool's.
    pub(crate) fn origin(&self, commit: &RawCommit) -> Origin {
        if let Some(mark) = self.marks(commit).into_iter().next() {
            return Origin::Detected(mark);
        }
        self.bot(&commit.author)
            .map_or(Origin::Unknown, Origin::Bot)
    }
}

fn mark(grade: Grade, tool: &Tool, how: String, model: Option<String>) -> Mark {
    Mark {
        grade,
        tool: tool.id.clone(),
        how,
        model,
        session: None,
    }
}

/// `Claude Sonnet 4.6` says more than the tool's name; `aider (gpt-4o)` says it in brackets.
fn model_in_name(name: &str, tool: &Tool) -> Option<String> {
    let lower = name.to_lowercase();
    if let Some((head, inside)) = name.split_once('(')
        && tool.names.contains(&head.trim().to_lowercase())
    {
        let inside = inside.split(')').next().unwrap_or_default().trim();
        return (!inside.is_empty()).then(|| short(inside));
    }
    let says_more = tool
        .names
        .iter()
        .any(|known| lower.len() > known.len() && lower.starts_with(known))
        && !tool.names.contains(&lower);
    says_more.then(|| short(name))
}

/// One line of printable text.
pub(crate) fn short(text: &str) -> String {
    text.trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect()
}
