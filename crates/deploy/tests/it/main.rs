//! Deployment files as they are written, and what is made of them.

mod compose;
mod cross;
mod hostile;
mod lockfiles;

use solvent_base::FilePath;
use solvent_deploy::{Deployment, Service, Tree};

/// The deployment of a tree of these files.
pub fn read(files: &[(&str, &str)]) -> Deployment {
    let mut tree = Tree::default();
    for (path, text) in files {
        let path = FilePath::new(path).expect("a path below the root");
        tree.names.insert(path.clone());
        if solvent_deploy::wanted(&path) {
            tree.texts.insert(path, (*text).to_owned());
        }
    }
    solvent_deploy::read(&tree)
}

pub fn service<'d>(deployment: &'d Deployment, name: &str) -> &'d Service {
    deployment
        .services
        .iter()
        .find(|service| service.name == name)
        .unwrap_or_else(|| panic!("no service `{name}`"))
}
