//! Services: what runs, from which files, with which settings, and how requests get in.

use std::collections::BTreeMap;

use solvent_base::Problem;

use crate::gateway::Gateway;
use crate::store::Store;
use crate::tree::Mark;

/// Everything that the deployment files of a tree say.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// By deployment, then name.
    pub services: Vec<Service>,
    pub components: Vec<crate::component::Component>,
    /// Deployment files that are templates: what they publish is not known.
    pub unread: Vec<Mark>,
    /// What could not be read; nothing is internal because of what stood there.
    pub problems: Vec<Problem>,
}

/// One service of one deployment.
#[derive(Clone, Debug)]
pub struct Service {
    pub name: String,
    /// What describes it: the compose file, the folder of manifests, the Procfile.
    pub deployment: String,
    pub sort: Sort,
    pub place: Mark,
    /// Names that other services call it by; lower case.
    pub hosts: Vec<String>,
    /// Networks it is on, where the deployment names them.
    pub networks: Vec<String>,
    pub code: Option<Code>,
    pub image: Option<String>,
    pub store: Option<Store>,
    pub settings: BTreeMap<String, Setting>,
    /// Settings may come from where they could not be read.
    pub settings_open: bool,
    /// Ports of the container that are known, smallest first.
    pub ports: Vec<u16>,
    pub doors: Vec<Door>,
    /// Names of services that it is started after.
    pub needs: Vec<String>,
    /// Why it is not started with the others: `only with the profile debug`.
    pub asleep: Option<(String, Mark)>,
    /// Where it hands requests on to.
    pub gateway: Option<Gateway>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sort {
    Compose,
    Kubernetes,
    Procfile,
    /// A package with a start of its own, without deployment files.
    Application,
}

impl Sort {
    pub fn word(self) -> &'static str {
        match self {
            Self::Compose => "compose",
            Self::Kubernetes => "kubernetes",
            Self::Procfile => "procfile",
            Self::Application => "application",
        }
    }
}

/// The files that a service runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    /// Folders and files, relative to the root; empty for the root.
    pub folders: Vec<String>,
    /// The file that is started, where the command tells.
    pub start: Option<String>,
    /// Why this folder: `build context`.
    pub why: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// `None`: it is set, to what is not known.
    pub value: Option<String>,
    pub place: Mark,
}

/// One way in from outside of the deployment, or the reason why there is none or it is not known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Door {
    pub reach: crate::expose::Reach,
    /// `port 8080 is published`
    pub why: String,
    pub place: Mark,
    /// Port of the container that the door leads to, if it is known.
    pub port: Option<u16>,
}
