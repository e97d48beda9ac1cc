//! Ports: where a value enters or leaves a call.
//!
//! ```text
//! port  = root { step }
//! root  = "return" | "receiver" | "stored" | "arg[" selector "]" | "param[" selector "]"
//! selector = position | name | position "," name | "*" | "**" | position ".."
//! step  = "." name          attribute
//!       | "[" integer "]"   constant index, negative counts from the end
//!       | "['" text "']"    constant key
//!       | "[*]"             any element or value
//!       | "[keys]"          the keys of a mapping
//!       | "[arg[..]]"       the key that this argument holds
//! ```
//!
//! Positions count from 0 and never include the receiver.

use std::fmt;

/// Longest port that is read, in bytes; real ones stay under 60.
const MAX_PORT_BYTES: usize = 200;

/// A place in a call: `arg[0, source]`, `receiver[arg[0]]`, `return[*][1]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Port {
    pub root: PortRoot,
    pub path: Vec<PortStep>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PortRoot {
    /// The value of the call; for an attribute, the attribute itself.
    Return,
    /// The object on whose method the call was made. As `to`: its new version after the call.
    Receiver,
    Arg(ArgSelector),
    /// A parameter of the function that an entry point or a callback row binds.
    Param(ArgSelector),
    /// What requests keep under the receiver's name, outside the program: as `to` it is put there, as `from` found.
    Stored,
}

/// Which argument: by position, by keyword, or either.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ArgSelector {
    /// At least one of the two is set; both name the same argument.
    One {
        position: Option<u32>,
        name: Option<String>,
    },
    /// Positional arguments from this one on.
    From(u32),
    /// Every argument, positional and keyword.
    All,
    /// What a mapping of keyword arguments holds whose keys are not written: `f(**data)`.
    Keywords,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PortStep {
    Attr(String),
    Index(i64),
    Key(String),
    /// Any element of a sequence or value of a mapping.
    Any,
    /// The keys of a mapping.
    Keys,
    /// The element under the key that an argument holds.
    KeyOf(ArgSelector),
}

impl Port {
    pub const RETURN: Self = Self {
        root: PortRoot::Return,
        path: Vec::new(),
    };
    pub const RECEIVER: Self = Self {
        root: PortRoot::Receiver,
        path: Vec::new(),
    };

    /// `arg[position]`.
    pub fn arg(position: u32) -> Self {
        let selector = ArgSelector::One {
            position: Some(position),
            name: None,
        };
        Self {
            root: PortRoot::Arg(selector),
            path: Vec::new(),
        }
    }

    /// Reads the grammar above; the error says what was expected, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PORT_BYTES {
            return Err(format!("a port longer than {MAX_PORT_BYTES} bytes"));
        }
        let (root, mut rest) = parse_root(text.trim())?;
        let mut path = Vec::new();
        while !rest.is_empty() {
            let (step, after) = parse_step(rest)?;
            path.push(step);
            rest = after;
        }
        Ok(Self { root, path })
    }
}

fn parse_root(text: &str) -> Result<(PortRoot, &str), String> {
    for (word, root) in [
        ("return", PortRoot::Return),
        ("receiver", PortRoot::Receiver),
        ("stored", PortRoot::Stored),
    ] {
        if let Some(rest) = text.strip_prefix(word) {
            return Ok((root, rest));
        }
    }
    if let Some(rest) = text.strip_prefix("arg[") {
        let (selector, rest) = parse_selector(rest)?;
        return Ok((PortRoot::Arg(selector), rest));
    }
    if let Some(rest) = text.strip_prefix("param[") {
        let (selector, rest) = parse_selector(rest)?;
        return Ok((PortRoot::Param(selector), rest));
    }
    Err(format!(
        "port `{text}` does not start with `return`, `receiver`, `stored`, `arg[..]` or `param[..]`"
    ))
}

/// Reads up to and including the closing bracket.
fn parse_selector(text: &str) -> Result<(ArgSelector, &str), String> {
    let (inside, rest) = text
        .split_once(']')
        .ok_or_else(|| format!("no `]` closes the argument in `{text}`"))?;
    let inside = inside.trim();
    if inside == "**" {
        return Ok((ArgSelector::Keywords, rest));
    }
    if inside == "*" {
        return Ok((ArgSelector::All, rest));
    }
    if let Some(first) = inside.strip_suffix("..") {
        let first = first
            .trim()
            .parse()
            .map_err(|_| format!("`{first}` is not a position"))?;
        return Ok((ArgSelector::From(first), rest));
    }
    let (mut position, mut name) = (None, None);
    for part in inside.split(',').map(str::trim) {
        if let Ok(number) = part.parse::<u32>() {
            if position.replace(number).is_some() || name.is_some() {
                return Err(format!(
                    "`{inside}` is not `position`, `name` or `position, name`"
                ));
            }
        } else if is_identifier(part) {
            if name.replace(part.to_owned()).is_some() {
                return Err(format!(
                    "`{inside}` is not `position`, `name` or `position, name`"
                ));
            }
        } else {
            return Err(format!(
                "`{part}` is neither an argument's position nor its name"
            ));
        }
    }
    Ok((ArgSelector::One { position, name }, rest))
}

fn parse_step(text: &str) -> Result<(PortStep, &str), String> {
    if let Some(rest) = text.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        return if is_identifier(name) {
            Ok((PortStep::Attr(name.to_owned()), rest))
        } else {
            Err(format!("`{name}` is not an attribute name"))
        };
    }
    let Some(rest) = text.strip_prefix('[') else {
        return Err(format!("expected `.name` or `[..]` at `{text}`"));
    };
    if let Some(rest) = rest.strip_prefix("arg[") {
        let (selector, rest) = parse_selector(rest)?;
        let rest = rest.strip_prefix(']').ok_or("no `]` closes the key")?;
        return Ok((PortStep::KeyOf(selector), rest));
    }
    if let Some(rest) = rest.strip_prefix('\'') {
        let (key, rest) = rest.split_once("']").ok_or("no `']` closes the key")?;
        return Ok((PortStep::Key(key.to_owned()), rest));
    }
    let (inside, rest) = rest.split_once(']').ok_or("no `]` closes the key")?;
    let step = match inside {
        "*" => PortStep::Any,
        "keys" => PortStep::Keys,
        number => PortStep::Index(number.parse().map_err(|_| {
            format!("`[{number}]` is not an index, `[*]`, `[keys]`, `['key']` or `[arg[..]]`")
        })?),
    };
    Ok((step, rest))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
}

impl fmt::Display for ArgSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One {
                position: Some(position),
                name: Some(name),
            } => {
                write!(f, "{position}, {name}")
            }
            Self::One {
                position: Some(position),
                name: None,
            } => write!(f, "{position}"),
            Self::One {
                position: None,
                name,
            } => f.write_str(name.as_deref().unwrap_or_default()),
            Self::From(first) => write!(f, "{first}.."),
            Self::All => f.write_str("*"),
            Self::Keywords => f.write_str("**"),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            PortRoot::Return => f.write_str("return")?,
            PortRoot::Receiver => f.write_str("receiver")?,
            PortRoot::Stored => f.write_str("stored")?,
            PortRoot::Arg(selector) => write!(f, "arg[{selector}]")?,
            PortRoot::Param(selector) => write!(f, "param[{selector}]")?,
        }
        for step in &self.path {
            match step {
                PortStep::Attr(name) => write!(f, ".{name}")?,
                PortStep::Index(index) => write!(f, "[{index}]")?,
                PortStep::Key(key) => write!(f, "['{key}']")?,
                PortStep::Any => f.write_str("[*]")?,
                PortStep::Keys => f.write_str("[keys]")?,
                PortStep::KeyOf(selector) => write!(f, "[arg[{selector}]]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_and_shown_the_same() {
        for text in [
            "return",
            "arg[**]",
            "receiver",
            "stored",
            "arg[0]",
            "arg[0, source]",
            "arg[source]",
            "arg[*]",
            "arg[1..]",
            "param[0, self]",
            "receiver[arg[0, section]][arg[1, option]]",
            "return[*][1]",
            "return['key'].name[keys]",
            "receiver[-1]",
        ] {
            assert_eq!(
                Port::parse(text).map(|p| p.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn a_broken_port_says_what_was_expected() {
        for text in [
            "",
            "argument[0]",
            "arg[0",
            "arg[0,1]",
            "arg[a,b]",
            "arg[-]",
            "return.",
            "return[",
            "return[x]",
            "return x",
            "receiver[arg[0]",
            "arg['x'",
            "return['x]",
        ] {
            assert!(Port::parse(text).is_err(), "{text}");
        }
        assert!(Port::parse(&"return[0]".repeat(1000)).is_err());
    }
}
