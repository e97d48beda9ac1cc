//! Any deployment files are read, alike every time they are read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use solvent_base::FilePath;
use solvent_deploy::Tree;

const NAMES: [&str; 12] = [
    "compose.yaml",
    "k8s/a.yaml",
    "app/Dockerfile",
    "nginx.conf",
    "Caddyfile",
    "Procfile",
    ".env",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "requirements.txt",
    "pom.xml",
];

fuzz_target!(|bytes: &[u8]| {
    // The first byte of each part, which a zero byte ends, says which file it is.
    let mut tree = Tree::default();
    for part in bytes.split(|byte| *byte == 0) {
        let Some((first, text)) = part.split_first() else { continue };
        let name = NAMES[usize::from(*first) % NAMES.len()];
        let Some(path) = FilePath::new(name) else { continue };
        tree.names.insert(path.clone());
        tree.texts.insert(path, String::from_utf8_lossy(text).into_owned());
    }
    let (first, second) = (solvent_deploy::read(&tree), solvent_deploy::read(&tree));
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
});
