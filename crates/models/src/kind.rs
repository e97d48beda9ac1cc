//! Kinds: the labels through which frameworks and weaknesses meet, and nothing else.

use solvent_finding::Carrier;

/// What an attacker's value arrives in: one kind per [`Carrier`]. The list is closed because each
/// carrier needs code in the prover to be delivered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SourceKind {
    HttpQuery,
    HttpQueryName,
    HttpForm,
    HttpFormName,
    HttpJson,
    HttpPath,
    HttpHeader,
    HttpHeaderName,
    HttpCookie,
    HttpRawQuery,
    HttpRawPath,
    HttpRawBody,
    HttpFile,
    HttpFileName,
    Session,
    /// See [`Carrier::Predictable`].
    Predictable,
    /// See [`Carrier::ListedName`].
    ListedName,
}

impl SourceKind {
    /// What requests bring: what `*` stands for.
    pub const OF_REQUESTS: [Self; 15] = [
        Self::HttpQuery,
        Self::HttpQueryName,
        Self::HttpForm,
        Self::HttpFormName,
        Self::HttpJson,
        Self::HttpPath,
        Self::HttpHeader,
        Self::HttpHeaderName,
        Self::HttpCookie,
        Self::HttpRawQuery,
        Self::HttpRawPath,
        Self::HttpRawBody,
        Self::HttpFile,
        Self::HttpFileName,
        Self::Session,
    ];

    /// Every kind, those that no request brings last.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OF_REQUESTS
            .into_iter()
            .chain([Self::Predictable, Self::ListedName])
    }

    /// The word in model files.
    pub fn word(self) -> &'static str {
        match self {
            Self::HttpQuery => "http-query",
            Self::HttpQueryName => "http-query-name",
            Self::HttpForm => "http-form",
            Self::HttpFormName => "http-form-name",
            Self::HttpJson => "http-json",
            Self::HttpPath => "http-path",
            Self::HttpHeader => "http-header",
            Self::HttpHeaderName => "http-header-name",
            Self::HttpCookie => "http-cookie",
            Self::HttpRawQuery => "http-raw-query",
            Self::HttpRawPath => "http-raw-path",
            Self::HttpRawBody => "http-raw-body",
            Self::HttpFile => "http-file",
            Self::HttpFileName => "http-file-name",
            Self::Session => "session",
            Self::Predictable => "predictable",
            Self::ListedName => "listed-name",
        }
    }

    pub fn carrier(self) -> Carrier {
        match self {
            Self::HttpQuery => Carrier::Query,
            Self::HttpQueryName => Carrier::QueryName,
            Self::HttpForm => Carrier::Form,
            Self::HttpFormName => Carrier::FormName,
            Self::HttpJson => Carrier::Json,
            Self::HttpPath => Carrier::PathSegment,
            Self::HttpHeader => Carrier::Header,
            Self::HttpHeaderName => Carrier::HeaderName,
            Self::HttpCookie => Carrier::Cookie,
            Self::HttpRawQuery => Carrier::RawQuery,
            Self::HttpRawPath => Carrier::RawPath,
            Self::HttpRawBody => Carrier::RawBody,
            Self::HttpFile => Carrier::FileContent,
            Self::HttpFileName => Carrier::FileName,
            Self::Session => Carrier::Session,
            Self::Predictable => Carrier::Predictable,
            Self::ListedName => Carrier::ListedName,
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::all().find(|kind| kind.word() == word)
    }
}

/// A sink kind of one [`crate::ModelSet`], which names it: an index into the closed list in
/// `weaknesses/kinds.toml`, below 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Kind(pub(crate) u8);

impl Kind {
    /// Below 64.
    pub fn index(self) -> u32 {
        u32::from(self.0)
    }
}

/// A set of sink kinds, so that all weaknesses are searched in one pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct KindSet(pub u64);

impl KindSet {
    pub const EMPTY: Self = Self(0);
    /// Every kind, also those that no list names.
    pub const ALL: Self = Self(u64::MAX);

    pub fn of(kind: Kind) -> Self {
        Self(1 << kind.0)
    }

    pub fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind.0) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Kind> {
        (0..64_u8)
            .map(Kind)
            .filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<Kind> for KindSet {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Self {
        kinds
            .into_iter()
            .fold(Self::EMPTY, |set, kind| set.union(Self::of(kind)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_source_kind_has_its_own_word_and_carrier() {
        let words: BTreeSet<_> = SourceKind::all().map(|k| k.word()).collect();
        let carriers: BTreeSet<_> = SourceKind::all().map(|k| k.carrier()).collect();
        assert_eq!(words.len(), SourceKind::all().count());
        assert_eq!(carriers.len(), SourceKind::all().count());
        for kind in SourceKind::all() {
            assert_eq!(SourceKind::parse(kind.word()), Some(kind));
        }
    }

    #[test]
    fn a_kind_set_gives_back_what_was_put_in() {
        let set: KindSet = [Kind(0), Kind(63), Kind(5)].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Kind(0), Kind(5), Kind(63)]);
        assert!(!set.minus(KindSet::of(Kind(5))).contains(Kind(5)));
    }
}
