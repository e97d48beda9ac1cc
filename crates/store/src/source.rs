//! Where records come from.

use std::fmt;
use std::ops::Range;

use solvent_ledger::{History, Ledger, LedgerError};
use solvent_protocol::record::{Commitment, Record};

/// A readable ledger.
pub trait Source {
    /// Tells one ledger from another: the name of its log.
    fn origin(&self) -> String;

    /// Number of records.
    fn size(&self) -> u64;

    /// Calls `each` with the records of the range, in order.
    fn records(
        &self,
        range: Range<u64>,
        each: &mut dyn FnMut(Record) -> Result<(), SourceError>,
    ) -> Result<(), SourceError>;

    /// The content of a sealed object, or in words why there is none. A missing object is a gap, not
    /// an error.
    fn object(&self, name: Commitment) -> Result<Result<Vec<u8>, String>, SourceError>;
}

/// Why the source stopped; in its own words.
#[derive(Debug)]
pub struct SourceError(pub Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<LedgerError> for SourceError {
    fn from(error: LedgerError) -> Self {
        Self(Box::new(error))
    }
}

impl Source for History {
    fn origin(&self) -> String {
        self.trusted_key().origin().to_owned()
    }

    fn size(&self) -> u64 {
        Self::size(self)
    }

    fn records(
        &self,
        range: Range<u64>,
        each: &mut dyn FnMut(Record) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        for record in self.entries(range) {
            each(record?)?;
        }
        Ok(())
    }

    fn object(&self, name: Commitment) -> Result<Result<Vec<u8>, String>, SourceError> {
        match self.get_object(name) {
            Ok(content) => Ok(Ok(content)),
            Err(
                error @ (LedgerError::NoObject(_)
                | LedgerError::NoObjectKey(_)
                | LedgerError::BrokenObject(_)),
            ) => Ok(Err(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}

impl Source for Ledger {
    fn origin(&self) -> String {
        self.history().origin()
    }

    fn size(&self) -> u64 {
        Self::size(self)
    }

    fn records(
        &self,
        range: Range<u64>,
        each: &mut dyn FnMut(Record) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        self.history().records(range, each)
    }

    fn object(&self, name: Commitment) -> Result<Result<Vec<u8>, String>, SourceError> {
        self.history().object(name)
    }
}

/// The first records of another source: the ledger as it was then. Objects that were erased since are
/// missing from it, which shows as gaps.
pub struct Until<'a> {
    pub source: &'a dyn Source,
    /// Number of records; more than there are is all of them.
    pub size: u64,
}

impl Source for Until<'_> {
    fn origin(&self) -> String {
        self.source.origin()
    }

    fn size(&self) -> u64 {
        self.size.min(self.source.size())
    }

    fn records(
        &self,
        range: Range<u64>,
        each: &mut dyn FnMut(Record) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let end = range.end.min(self.size());
        self.source.records(range.start..end, each)
    }

    fn object(&self, name: Commitment) -> Result<Result<Vec<u8>, String>, SourceError> {
        self.source.object(name)
    }
}

/// No ledger: nothing was ever recorded.
pub struct Nothing;

impl Source for Nothing {
    fn origin(&self) -> String {
        String::new()
    }

    fn size(&self) -> u64 {
        0
    }

    fn records(
        &self,
        _: Range<u64>,
        _: &mut dyn FnMut(Record) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        Ok(())
    }

    fn object(&self, name: Commitment) -> Result<Result<Vec<u8>, String>, SourceError> {
        Ok(Err(LedgerError::NoObject(name).to_string()))
    }
}
