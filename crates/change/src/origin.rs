//! Who or what wrote a change, as far as its marks say.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How strong a mark is, strongest first. A mark is a claim that anyone who can push can make or leave
/// out: evidence, not proof.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Grade {
    /// A note on the commit names the very lines.
    LineNote,
    /// The tool's own account is author or committer.
    AgentAuthor,
    /// A trailer names the tool's session.
    SessionTrailer,
    /// A trailer names the tool as co-author or helper.
    CoAuthor,
    /// The tool's sentence stands in the message.
    Message,
}

impl Grade {
    /// `line note`, `agent author`, and so on.
    pub fn words(self) -> &'static str {
        match self {
            Self::LineNote => "line note",
            Self::AgentAuthor => "agent author",
            Self::SessionTrailer => "session trailer",
            Self::CoAuthor => "co-author trailer",
            Self::Message => "message",
        }
    }
}

/// One mark of a coding tool.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mark {
    pub grade: Grade,
    /// Its id in `signals/ai-tools.toml`; a name that a line note uses and no row lists stands as it is.
    pub tool: Arc<str>,
    /// What matched, in words that name no person.
    pub how: String,
    pub model: Option<String>,
    /// As the mark gives it: an id or an address.
    pub session: Option<String>,
}

/// Who or what a change or line is attributed to. There is no variant for "a person, since nothing
/// else was found": tools can be used without a mark, and hooks exist that strip marks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// An AI coding tool, by its strongest mark.
    Detected(Mark),
    /// A program that is no coding agent, by name.
    Bot(Arc<str>),
    /// A line note says that a person typed it.
    Person,
    Unknown,
}

impl Origin {
    pub fn is_detected(&self) -> bool {
        matches!(self, Self::Detected(_))
    }
}

/// How many of something are of which origin.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// By tool and grade.
    pub detected: BTreeMap<(Arc<str>, Grade), u64>,
    pub bots: BTreeMap<Arc<str>, u64>,
    /// Line notes say that a person typed them.
    pub person: u64,
    /// No mark, and young enough to have one.
    pub unknown: u64,
    /// No mark, and older than any tool that leaves one. Unknown as well: only apart.
    pub older: u64,
    /// Could not be looked at; reasons stand beside the tally.
    pub unmeasured: u64,
}

/// Lowest and highest share that the marks allow.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Range {
    /// Detected.
    pub low: u64,
    /// Detected and unknown, whatever their age.
    pub high: u64,
    /// All that was measured. Zero means that there is no share.
    pub of: u64,
}

impl Tally {
    pub fn add(&mut self, origin: &Origin, count: u64) {
        match origin {
            Origin::Detected(mark) => {
                *self
                    .detected
                    .entry((mark.tool.clone(), mark.grade))
                    .or_default() += count;
            }
            Origin::Bot(name) => *self.bots.entry(name.clone()).or_default() += count,
            Origin::Person => self.person += count,
            Origin::Unknown => self.unknown += count,
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.detected {
            *self.detected.entry(key.clone()).or_default() += count;
        }
        for (name, count) in &other.bots {
            *self.bots.entry(name.clone()).or_default() += count;
        }
        self.person += other.person;
        self.unknown += other.unknown;
        self.older += other.older;
        self.unmeasured += other.unmeasured;
    }

    pub fn detected(&self) -> u64 {
        self.detected.values().sum()
    }

    pub fn bots(&self) -> u64 {
        self.bots.values().sum()
    }

    /// All that was looked at, which leaves out the unmeasured.
    pub fn measured(&self) -> u64 {
        self.detected() + self.bots() + self.person + self.unknown + self.older
    }

    pub fn range(&self) -> Range {
        let low = self.detected();
        Range {
            low,
            high: low + self.unknown + self.older,
            of: self.measured(),
        }
    }

    /// Detected by tool, over all grades.
    pub fn tools(&self) -> BTreeMap<Arc<str>, u64> {
        let mut tools = BTreeMap::new();
        for ((tool, _), count) in &self.detected {
            *tools.entry(tool.clone()).or_default() += count;
        }
        tools
    }
}
