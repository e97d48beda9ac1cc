//! Procfiles, and repositories without deployment files.

use std::collections::BTreeMap;

use solvent_base::FilePath;

use crate::expose::Reach;
use crate::service::{Code, Deployment, Door, Service, Sort};
use crate::start::{self, Around};
use crate::text::words;
use crate::tree::{Mark, Tree, last, parent};

pub(crate) fn is_procfile(path: &str) -> bool {
    last(path) == "Procfile"
}

/// The `web` process gets the requests, the others none: Heroku's dev center, "The Procfile".
pub(crate) fn read(tree: &Tree, out: &mut Deployment) {
    for (path, text) in tree
        .texts
        .iter()
        .filter(|(path, _)| is_procfile(path.as_str()))
    {
        for (line, text) in (1u32..).zip(text.lines()) {
            let Some((name, command)) = text.split_once(':') else {
                continue;
            };
            let name = name.trim();
            if name.is_empty() || name.starts_with('#') || name == "release" {
                continue;
            }
            let place = Mark {
                path: path.clone(),
                line,
            };
            let folder = parent(path.as_str());
            let (reach, why) = match name {
                "web" => (Reach::Public, "the `web` process gets the requests"),
                _ => (Reach::Internal, "only the `web` process gets requests"),
            };
            out.services.push(Service {
                name: name.to_owned(),
                deployment: path.to_string(),
                sort: Sort::Procfile,
                place: place.clone(),
                hosts: Vec::new(),
                networks: Vec::new(),
                code: Some(Code {
                    folders: vec![folder.to_owned()],
                    start: start::file(&words(command), &around(tree, folder)),
                    why: "beside the Procfile".to_owned(),
                }),
                image: None,
                store: None,
                settings: BTreeMap::new(),
                settings_open: true,
                ports: Vec::new(),
                doors: vec![Door {
                    reach,
                    why: why.to_owned(),
                    place,
                    port: None,
                }],
                needs: Vec::new(),
                asleep: None,
                gateway: None,
            });
        }
    }
}

fn around<'a>(tree: &'a Tree, folder: &'a str) -> Around<'a> {
    Around {
        tree,
        context: folder,
        image: None,
        mounts: &[],
        workdir: String::new(),
        setting: &|_| None,
    }
}

/// Without deployment files each package that can be started is a service of which nothing more is known;
/// a tree without any is one.
pub(crate) fn applications(tree: &Tree, out: &mut Deployment) {
    for (path, text) in &tree.texts {
        let folder = parent(path.as_str());
        let name = match last(path.as_str()) {
            "package.json" => {
                let Ok(package) = serde_json::from_str::<serde_json::Value>(text) else {
                    continue;
                };
                if package.pointer("/scripts/start").is_none() {
                    continue;
                }
                let name = package.pointer("/name").and_then(|n| n.as_str());
                name.unwrap_or(last(folder)).to_owned()
            }
            "manage.py" | "main.go" => last(folder).to_owned(),
            "pom.xml" => match module_name(text) {
                Some(name) => name,
                None => continue,
            },
            _ => continue,
        };
        push(out, name, folder, path);
    }
}

/// The artifact of a Maven module that is not only a parent of others.
fn module_name(text: &str) -> Option<String> {
    let document = roxmltree::Document::parse(text).ok()?;
    let root = document.root_element();
    let child = |name: &str| {
        root.children()
            .find(|n| n.has_tag_name(name) || n.tag_name().name() == name)
    };
    let packaging = child("packaging").and_then(|n| n.text()).unwrap_or("jar");
    if packaging.trim() == "pom" {
        return None;
    }
    child("artifactId")
        .and_then(|n| n.text())
        .map(|t| t.trim().to_owned())
}

fn push(out: &mut Deployment, name: String, folder: &str, path: &FilePath) {
    let place = Mark {
        path: path.clone(),
        line: 1,
    };
    out.services.push(Service {
        name: if name.is_empty() {
            "application".to_owned()
        } else {
            name
        },
        deployment: String::new(),
        sort: Sort::Application,
        place: place.clone(),
        hosts: Vec::new(),
        networks: Vec::new(),
        code: Some(Code {
            folders: vec![folder.to_owned()],
            // A start script is one of the ways to start a package.
            start: None,
            why: "its package".to_owned(),
        }),
        image: None,
        store: None,
        settings: BTreeMap::new(),
        settings_open: true,
        ports: Vec::new(),
        doors: vec![Door {
            reach: Reach::Unknown,
            why: "no deployment file says how it is reached".to_owned(),
            place,
            port: None,
        }],
        needs: Vec::new(),
        asleep: None,
        gateway: None,
    });
}
