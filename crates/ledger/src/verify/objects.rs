//! Keys and sealed objects of a copied folder.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use solvent_base::Digest;
use solvent_protocol::record::{Commitment, FaultKind};

use super::files::files;
use super::{Check, MAX_DEPTH, Walked};
use crate::disk::read_capped;
use crate::ledger::object_path;
use crate::note::{LogKey, MAX_NOTE_BYTES};
use crate::object::{self, MAX_OBJECT_BYTES, OVERHEAD, WRAPPED_BYTES};

/// How the sealed objects were found.
pub(super) struct Objects {
    pub(super) opened: u64,
    pub(super) unopened: u64,
    pub(super) erased: u64,
}

impl Check<'_> {
    pub(super) fn keys(&mut self) {
        // Both are absent from a copy made for an auditor.
        if let Ok(bytes) = read_capped(&self.folder.join("keys/log"), MAX_NOTE_BYTES) {
            let key = std::str::from_utf8(&bytes).ok().and_then(LogKey::parse);
            let written = key
                .as_ref()
                .map(|key| format!("{}\n", key.secret()).into_bytes());
            match key {
                None => self.fault(FaultKind::Key, "keys/log", "is not a signing key"),
                Some(key) if key.trusted().text() != self.key.text() => self.fault(
                    FaultKind::Key,
                    "keys/log",
                    "is not the private part of the trusted key",
                ),
                Some(_) if written.as_deref() != Some(&bytes) => {
                    self.fault(FaultKind::Key, "keys/log", "is not as it was written");
                }
                Some(_) => {}
            }
        }
        if let Ok(bytes) = read_capped(&self.folder.join("keys/log.pub"), MAX_NOTE_BYTES)
            && bytes != format!("{}\n", self.key.text()).as_bytes()
        {
            self.fault(FaultKind::Key, "keys/log.pub", "is not the trusted key");
        }
    }

    pub(super) fn objects(&mut self, walked: &Walked) -> Objects {
        let mut objects = Objects {
            opened: 0,
            unopened: 0,
            erased: 0,
        };
        let master = match read_capped(&self.folder.join("keys/master"), 32) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
                Ok(master) => Some(master),
                Err(_) => {
                    self.fault(FaultKind::Key, "keys/master", "is not a key of 32 bytes");
                    None
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.fault(
                    FaultKind::Key,
                    "keys/master",
                    format!("cannot be read: {error}"),
                );
                None
            }
        };
        let mut names: BTreeMap<Commitment, Option<u64>> = walked
            .committed
            .iter()
            .map(|(&name, &index)| (name, Some(index)))
            .collect();
        for name in self.object_names() {
            names.entry(name).or_insert(None);
        }
        for (name, index) in names {
            let place = object_path(Path::new(""), "objects", name)
                .display()
                .to_string();
            let of = index.map_or_else(
                || "no record names it".to_owned(),
                |index| format!("record {index} names it"),
            );
            let object = object_path(self.folder, "objects", name);
            let wrapped = object_path(self.folder, "keys/wrapped", name);
            if walked.erased.contains(&name) && !wrapped.exists() {
                objects.erased += 1;
                continue;
            }
            let object = match read_capped(&object, MAX_OBJECT_BYTES + OVERHEAD) {
                Ok(object) => object,
                Err(error) => {
                    self.fault(
                        FaultKind::Object,
                        place,
                        format!("cannot be read, {of}: {error}"),
                    );
                    continue;
                }
            };
            let Some(master) = &master else {
                objects.unopened += 1;
                continue;
            };
            match read_capped(&wrapped, WRAPPED_BYTES) {
                Err(_) => self.fault(
                    FaultKind::Object,
                    place,
                    format!("its key is gone and no record erases it, {of}"),
                ),
                Ok(wrapped) => match object::open(master, name, &wrapped, &object) {
                    Some(_) => objects.opened += 1,
                    None => self.fault(
                        FaultKind::Object,
                        place,
                        format!("is not what its name commits to, {of}"),
                    ),
                },
            }
        }
        objects
    }

    /// Objects that are there, whether or not a record names them.
    fn object_names(&mut self) -> Vec<Commitment> {
        let mut names = Vec::new();
        for file in files(&self.folder.join("objects"), "objects", MAX_DEPTH) {
            let name = file.name.rsplit('/').next().unwrap_or_default();
            let commitment = Digest::parse(name).map(Commitment).filter(|&commitment| {
                object_path(Path::new(""), "objects", commitment) == Path::new(&file.name)
            });
            match commitment {
                Some(commitment) if file.regular => names.push(commitment),
                _ => self.fault(FaultKind::Stray, file.name, "is no sealed object"),
            }
        }
        names
    }
}
