//! nginx: `location` and `proxy_pass`, upstreams, who is asked for a login and who is refused.

use std::collections::BTreeMap;

use solvent_base::FilePath;

use crate::gateway::{Gateway, Inner, Location, Outer};
use crate::network;
use crate::service::Setting;
use crate::tree::{Mark, Tree, below, joined, last, parent};

/// Blocks inside each other; nginx itself allows a handful.
const MAX_DEPTH: usize = 24;
/// Files that one configuration may include.
const MAX_FILES: usize = 64;

/// A directive: its words, its block, where it stands.
#[derive(Clone, Debug)]
struct Directive {
    words: Vec<String>,
    block: Vec<Directive>,
    place: Mark,
}

impl Directive {
    fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }
}

/// The gateway that an image is, if it is nginx; `sources` are files of the tree and where they lie in it.
pub(crate) fn of_image(
    name: &str,
    tree: &Tree,
    sources: &[(String, String)],
    settings: &BTreeMap<String, Setting>,
) -> Option<Gateway> {
    if !matches!(
        name,
        "nginx" | "openresty" | "nginx-unprivileged" | "nginx-proxy-manager"
    ) {
        return None;
    }
    let mut files: Vec<(&FilePath, &str)> = Vec::new();
    for (from, to) in sources {
        if !to.contains("nginx") && !to.ends_with(".conf") && !to.ends_with(".template") {
            continue;
        }
        for (path, text) in &tree.texts {
            if below(path.as_str(), from) && is_configuration(path.as_str()) {
                files.push((path, text));
            }
        }
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        // Its own configuration serves files and forwards nothing; one from elsewhere is not known.
        let mounted = sources.iter().any(|(_, to)| to.contains("/etc/nginx"));
        let unread = (mounted || name == "nginx-proxy-manager")
            .then(|| "its configuration is not in the tree".to_owned());
        return unread.map(|why| Gateway {
            locations: Vec::new(),
            unread: Some(why),
        });
    }
    // Templates get their variables from the environment: `${ORDERS_HOST}`; nginx's own are lower case.
    let filled: Vec<(&FilePath, String)> = files
        .into_iter()
        .map(|(path, text)| {
            let mut text = text.to_owned();
            for (name, setting) in settings {
                if let Some(value) = &setting.value {
                    text = text.replace(&format!("${{{name}}}"), value);
                }
            }
            (path, text)
        })
        .collect();
    let files: Vec<(&FilePath, &str)> = filled.iter().map(|(p, t)| (*p, t.as_str())).collect();
    Some(gateway(tree, &files))
}

pub(crate) fn is_configuration(path: &str) -> bool {
    let file = last(path);
    file.ends_with(".conf")
        || file.ends_with(".nginx")
        || file.ends_with(".conf.template")
        || file == "nginx.template"
}

fn gateway(tree: &Tree, files: &[(&FilePath, &str)]) -> Gateway {
    let mut directives = Vec::new();
    let mut unread = None;
    for (path, text) in files {
        match parse(text, path) {
            Some(list) => directives.extend(list),
            None => unread = Some(format!("`{path}` is not read whole")),
        }
    }
    let mut budget = MAX_FILES;
    let directives = included(tree, directives, &mut budget, 0);
    let mut upstreams: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut servers = Vec::new();
    gather(&directives, &mut upstreams, &mut servers, 0);
    let mut out = Gateway {
        locations: Vec::new(),
        unread,
    };
    for (site, server) in servers.iter().enumerate() {
        let around = Around::default().with(&server.block);
        locations(&server.block, &around, site, &upstreams, "", &mut out, 0);
    }
    out
}

/// Directives with those of included files in their place.
fn included(tree: &Tree, list: Vec<Directive>, budget: &mut usize, depth: usize) -> Vec<Directive> {
    let mut out = Vec::new();
    for mut directive in list {
        if directive.name() == "include" && *budget > 0 && depth < MAX_DEPTH {
            *budget -= 1;
            let name = last(directive.word(1)).to_owned();
            let folder = parent(directive.place.path.as_str()).to_owned();
            let relative = joined(&folder, directive.word(1));
            let found = tree.texts.iter().find(|(path, _)| {
                **path != directive.place.path
                    && (Some(path.as_str()) == relative.as_deref()
                        || (last(path.as_str()) == name
                            && is_configuration(path.as_str())
                            && below(path.as_str(), &folder)))
            });
            if let Some((path, text)) = found
                && let Some(list) = parse(text, path)
            {
                out.extend(included(tree, list, budget, depth + 1));
            }
            continue;
        }
        if depth < MAX_DEPTH {
            directive.block = included(tree, directive.block, budget, depth + 1);
        }
        out.push(directive);
    }
    out
}

fn gather<'d>(
    list: &'d [Directive],
    upstreams: &mut BTreeMap<String, Vec<String>>,
    servers: &mut Vec<&'d Directive>,
    depth: usize,
) {
    for directive in list {
        match directive.name() {
            "upstream" => {
                let hosts = directive.block.iter().filter(|d| d.name() == "server");
                let hosts = hosts.map(|d| d.word(1).to_owned()).collect();
                upstreams.insert(directive.word(1).to_owned(), hosts);
            }
            "server" => servers.push(directive),
            "http" | "stream" if depth < MAX_DEPTH => {
                gather(&directive.block, upstreams, servers, depth + 1);
            }
            _ => {}
        }
    }
}

/// What holds in a block and in the blocks inside.
#[derive(Clone, Default)]
struct Around {
    login: Option<String>,
    closed: Option<String>,
    variables: BTreeMap<String, String>,
}

impl Around {
    fn with(&self, block: &[Directive]) -> Self {
        let mut out = self.clone();
        let mut only = Vec::new();
        let mut denied = false;
        for directive in block {
            match directive.name() {
                "auth_basic" | "auth_request" | "auth_jwt" => {
                    let off = directive.word(1) == "off";
                    out.login = (!off).then(|| directive.name().to_owned());
                }
                "allow" => only.push(directive.word(1)),
                "deny" if directive.word(1) == "all" => denied = true,
                "internal" => out.closed = Some("`internal`: only for nginx itself".to_owned()),
                "return" if matches!(directive.word(1), "403" | "404" | "401" | "410" | "444") => {
                    out.closed = Some(format!("`return {}`", directive.word(1)));
                }
                "set" => {
                    let name = directive.word(1).to_owned();
                    out.variables.insert(name, directive.word(2).to_owned());
                }
                _ => {}
            }
        }
        if denied {
            let private = only.iter().all(|block| network::is_private(block));
            out.closed = private.then(|| match only.as_slice() {
                [] => "`deny all`".to_owned(),
                _ => format!("`allow {}; deny all`", only.join("; allow ")),
            });
        } else if !only.is_empty() {
            out.closed = None;
        }
        out
    }
}

fn locations(
    block: &[Directive],
    around: &Around,
    site: usize,
    upstreams: &BTreeMap<String, Vec<String>>,
    prefix: &str,
    out: &mut Gateway,
    depth: usize,
) {
    for directive in block {
        if directive.name() != "location" || depth > MAX_DEPTH {
            continue;
        }
        let outer = match (directive.word(1), directive.word(2)) {
            ("=", path) => Outer::Exact(path.to_owned()),
            ("^~", path) => Outer::Text(path.to_owned()),
            ("~" | "~*", expression) => match literal(expression) {
                Some(text) => Outer::Text(text),
                // An ending takes single files, and forwards what a prefix forwards anyway.
                None => Outer::Unread(format!("~ {expression}")),
            },
            (path, _) if path.starts_with('/') => Outer::Text(path.to_owned()),
            // `@name`: reached from other locations only.
            _ => continue,
        };
        let _ = prefix;
        let here = around.with(&directive.block);
        let mut targets: Vec<(String, Option<u16>, Inner)> = Vec::new();
        let rewritten = directive.block.iter().find(|d| d.name() == "rewrite");
        for pass in &directive.block {
            if !matches!(
                pass.name(),
                "proxy_pass" | "uwsgi_pass" | "fastcgi_pass" | "grpc_pass"
            ) {
                continue;
            }
            let target = filled(pass.word(1), &here.variables);
            let (host, port, path) = parts(&target);
            let mut inner = match path {
                Some(path) if !path.contains('$') => Inner::Instead(path),
                Some(_) => Inner::Unread,
                None => Inner::Same,
            };
            if let Some(rewrite) = rewritten {
                inner = rewrite_of(rewrite, &outer);
            }
            match upstreams.get(&host) {
                Some(hosts) => targets.extend(hosts.iter().map(|host| {
                    let (host, port, _) = parts(host);
                    (host, port, inner.clone())
                })),
                None => targets.push((host, port, inner)),
            }
        }
        let falls = directive.block.iter().find(|d| d.name() == "try_files");
        if let Some(named) = falls
            .and_then(|d| d.words.last())
            .filter(|w| w.starts_with('@'))
        {
            for at in block
                .iter()
                .filter(|d| d.name() == "location" && d.word(1) == named)
            {
                for pass in at.block.iter().filter(|d| d.name() == "proxy_pass") {
                    let (host, port, _) = parts(&filled(pass.word(1), &here.variables));
                    targets.push((host, port, Inner::Same));
                }
            }
        }
        if targets.is_empty() {
            targets.push((String::new(), None, Inner::Same));
        }
        for (host, port, inner) in targets {
            if host.contains('$') {
                out.unread = Some(format!(
                    "`{}` leads to `{host}`, which is not known",
                    outer.text()
                ));
            }
            out.locations.push(Location {
                site,
                outer: outer.clone(),
                host,
                port,
                inner,
                login: here.login.clone(),
                closed: here.closed.clone(),
                place: directive.place.clone(),
            });
        }
        locations(&directive.block, &here, site, upstreams, "", out, depth + 1);
    }
}

/// `rewrite ^/api/(.*)$ /$1 break;` takes a prefix off; anything else is not read.
fn rewrite_of(directive: &Directive, outer: &Outer) -> Inner {
    let prefix = directive.word(1).trim_start_matches('^');
    let to = directive.word(2);
    let head = prefix.split("(.*)").next().unwrap_or_default();
    match to.strip_suffix("$1") {
        Some(instead) if head.trim_end_matches('/') == outer.text().trim_end_matches('/') => {
            Inner::Instead(instead.to_owned())
        }
        _ => Inner::Unread,
    }
}

/// The text that an expression begins with, where it is nothing more: `^/api/`.
fn literal(expression: &str) -> Option<String> {
    let text = expression.strip_prefix('^')?;
    let text = text
        .strip_suffix("(.*)$")
        .or_else(|| text.strip_suffix(".*"))
        .unwrap_or(text);
    let plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || "/-_".contains(c));
    (plain && text.starts_with('/')).then(|| text.to_owned())
}

fn filled(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = text.to_owned();
    for (name, value) in variables {
        out = out.replace(name.as_str(), value);
    }
    out
}

/// Host, port, and the path where one is written: `http://orders:8000/v1/`.
fn parts(target: &str) -> (String, Option<u16>, Option<String>) {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    let at = rest.find('/');
    let authority = &rest[..at.unwrap_or(rest.len())];
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, None),
    };
    (
        host.to_ascii_lowercase(),
        port,
        at.map(|at| rest[at..].to_owned()),
    )
}

/// `None` when blocks do not close, or lie too deep.
fn parse(text: &str, path: &FilePath) -> Option<Vec<Directive>> {
    let mut open: Vec<Vec<Directive>> = vec![Vec::new()];
    let mut heads: Vec<(Vec<String>, u32)> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut line = 1u32;
    let mut begun = 1u32;
    let mut chars = text.chars().peekable();
    let mark = |line| Mark {
        path: path.clone(),
        line,
    };
    while let Some(c) = chars.next() {
        if word.is_empty() && words.is_empty() {
            begun = line;
        }
        match c {
            '\n' | ' ' | '\t' | '\r' => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                line += u32::from(c == '\n');
            }
            '#' if word.is_empty() => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            '"' | '\'' if word.is_empty() => {
                for inner in chars.by_ref() {
                    if inner == c {
                        break;
                    }
                    line += u32::from(inner == '\n');
                    word.push(inner);
                }
                words.push(std::mem::take(&mut word));
            }
            // `${VARIABLE}` of a template.
            '{' if word.ends_with('$') => {
                word.push(c);
                for inner in chars.by_ref() {
                    word.push(inner);
                    if inner == '}' {
                        break;
                    }
                }
            }
            // Of an expression: `[0-9]{2}`.
            '{' if !word.is_empty() && chars.peek().is_some_and(char::is_ascii_digit) => {
                word.push(c)
            }
            '}' if !word.is_empty() && word.contains('{') => word.push(c),
            ';' | '{' | '}' => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                let head = std::mem::take(&mut words);
                match c {
                    ';' => open.last_mut()?.push(Directive {
                        words: head,
                        block: Vec::new(),
                        place: mark(begun),
                    }),
                    '{' => {
                        if open.len() > MAX_DEPTH {
                            return None;
                        }
                        heads.push((head, begun));
                        open.push(Vec::new());
                    }
                    _ => {
                        let block = open.pop()?;
                        let (words, line) = heads.pop()?;
                        open.last_mut()?.push(Directive {
                            words,
                            block,
                            place: mark(line),
                        });
                    }
                }
            }
            c => word.push(c),
        }
    }
    if open.len() == 1 { open.pop() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Gateway {
        let path = FilePath::new("nginx.conf").unwrap_or_else(|| panic!("a path"));
        gateway(&Tree::default(), &[(&path, text)])
    }

    #[test]
    fn locations_lead_to_upstreams_and_take_prefixes_off() {
        let gateway = read(
            "upstream app { server orders:8000; }\nserver {\n  location /api/ {\n    auth_basic \"x\";\n    \
             proxy_pass http://app/;\n  }\n  location = /health { return 404; }\n}\n",
        );
        let first = &gateway.locations[0];
        assert_eq!((first.host.as_str(), first.port), ("orders", Some(8000)));
        assert_eq!(first.inner, Inner::Instead("/".to_owned()));
        assert_eq!(first.login.as_deref(), Some("auth_basic"));
        assert_eq!(first.place.line, 3);
        assert!(gateway.locations[1].closed.is_some());
    }

    #[test]
    fn only_private_addresses_close_a_location() {
        let closed = |rules: &str| {
            let gateway = read(&format!(
                "server {{ location / {{ {rules} proxy_pass http://app; }} }}"
            ));
            gateway.locations[0].closed.is_some()
        };
        assert!(closed("allow 10.0.0.0/8; deny all;"));
        assert!(closed("deny all;"));
        assert!(!closed("allow 203.0.113.7; deny all;"));
        assert!(!closed("deny 10.0.0.1;"));
    }

    #[test]
    fn what_is_not_closed_is_not_read() {
        assert!(read("server { location / {").unread.is_some());
        assert!(read(&"a {".repeat(1000)).unread.is_some());
    }
}
