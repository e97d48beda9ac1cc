//! Deployment files are written by anybody: none of them stops a scan.

use proptest::prelude::*;

use crate::read;

const NAMES: [&str; 14] = [
    "compose.yaml",
    "k8s/a.yaml",
    "Dockerfile",
    "nginx.conf",
    "Caddyfile",
    "Procfile",
    ".env",
    "package.json",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "go.mod",
    "requirements.txt",
    "pom.xml",
];

const WORDS: [&str; 40] = [
    "services:",
    "\n",
    "  ",
    "- ",
    "a",
    "image: nginx",
    "build: .",
    "ports:",
    "\"80:80\"",
    "${",
    "}",
    "{{",
    "&a",
    "*a",
    "<<: ",
    "apiVersion: v1\n",
    "kind: Ingress\n",
    "kind: Service\n",
    "spec:",
    "location / {",
    "proxy_pass http://a;",
    "\"",
    "'",
    ":",
    "[",
    "]",
    "extends:",
    "include:",
    "labels:",
    "traefik.http.routers.a.rule=PathPrefix(`/`)",
    "FROM a",
    "COPY . .",
    "CMD ",
    "reverse_proxy a:1",
    "@m path /a",
    "web: ",
    "\u{0}",
    "é",
    "..",
    "/",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_and_read_alike(words in prop::collection::vec((0..NAMES.len(), 0..WORDS.len()), 0..120)) {
        let mut files: Vec<(&str, String)> = NAMES.iter().map(|name| (*name, String::new())).collect();
        for (file, word) in words {
            files[file].1.push_str(WORDS[word]);
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let (first, second) = (read(&files), read(&files));
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
    }
}

#[test]
fn large_and_deep_files_end() {
    let deep = format!("services: {}", "[".repeat(200_000));
    let wide = format!("services:\n{}", "  a: {image: x}\n".repeat(50_000));
    let blocks = "a {".repeat(100_000);
    let deployment = read(&[
        ("compose.yaml", &deep),
        ("b/compose.yaml", &wide),
        ("nginx.conf", &blocks),
    ]);
    assert!(!deployment.problems.is_empty());
}
