//! From the files of a tree to its deployment.

use solvent_base::{FilePath, Problem, ProblemKind};

use crate::service::Deployment;
use crate::tree::{Mark, Tree, last};
use crate::{caddy, component, compose, kubernetes, nginx, procfile};

/// The largest file that is read: generated manifests and lockfiles of large applications have a few MiB.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// Whether a file is one whose text [`read`] wants.
pub fn wanted(path: &FilePath) -> bool {
    let path = path.as_str();
    let file = last(path);
    matches!(path.rsplit('.').next(), Some("yaml" | "yml"))
        || kubernetes::is_dockerfile(path)
        || nginx::is_configuration(path)
        || caddy::is_caddyfile(path)
        || procfile::is_procfile(path)
        || component::is_lockfile(path)
        || file == ".env"
        || file.ends_with(".env")
        || file.starts_with(".env.")
        || matches!(file, "package.json" | "pom.xml" | "manage.py" | "main.go")
        || (file.ends_with(".sh") && !path.contains("/test"))
}

/// Services, how they are reached, and what the tree depends on. Never fails: what could not be read is among
/// the problems.
pub fn read(tree: &Tree) -> Deployment {
    let mut out = Deployment::default();
    compose::read(tree, &mut out);
    kubernetes::read(tree, &mut out);
    procfile::read(tree, &mut out);
    if out.services.is_empty() {
        procfile::applications(tree, &mut out);
    }
    platforms(tree, &mut out);
    component::read(tree, &mut out);
    out.services
        .sort_by(|a, b| (&a.deployment, &a.name).cmp(&(&b.deployment, &b.name)));
    out.unread.sort();
    out.unread.dedup();
    out.problems.sort();
    out.problems.dedup();
    out
}

/// Files of platforms that make services public and are not read: that they are there leaves exposure open.
const PLATFORMS: [&str; 12] = [
    "fly.toml",
    "render.yaml",
    "vercel.json",
    "netlify.toml",
    "serverless.yml",
    "serverless.yaml",
    "railway.json",
    "railway.toml",
    "app.yaml",
    "apprunner.yaml",
    "zeabur.json",
    "captain-definition",
];

fn platforms(tree: &Tree, out: &mut Deployment) {
    for path in &tree.names {
        let file = last(path.as_str());
        let patched = matches!(file, "kustomization.yaml" | "kustomization.yml")
            && tree.texts.get(path).is_some_and(|text| {
                ["LoadBalancer", "NodePort", "/spec/type"]
                    .iter()
                    .any(|word| text.contains(word))
            });
        // App Engine's file of that name says which runtime; others use the name too.
        let platform = match file {
            "app.yaml" => tree
                .texts
                .get(path)
                .is_some_and(|t| t.lines().any(|l| l.starts_with("runtime:"))),
            file => PLATFORMS.contains(&file),
        };
        if platform || patched {
            out.unread.push(Mark {
                path: path.clone(),
                line: 1,
            });
            out.problems.push(Problem {
                kind: ProblemKind::Unmodelled,
                path: Some(path.clone()),
                span: None,
                message: "is not read, so what it publishes is not known".to_owned(),
            });
        }
    }
}
