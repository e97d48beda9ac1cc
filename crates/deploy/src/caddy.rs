//! Caddyfiles: `reverse_proxy`, `handle`, `handle_path`, `route`, who is asked for a login.

use std::collections::BTreeMap;

use crate::gateway::{Gateway, Inner, Location, Outer};
use crate::text::words;
use crate::tree::{Mark, Tree, below, last};

/// The gateway that an image is, if it is Caddy.
pub(crate) fn of_image(name: &str, tree: &Tree, sources: &[(String, String)]) -> Option<Gateway> {
    if !name.starts_with("caddy") {
        return None;
    }
    let file = sources.iter().find_map(|(from, _)| {
        tree.texts
            .iter()
            .find(|(path, _)| below(path.as_str(), from) && is_caddyfile(path.as_str()))
    });
    let Some((path, text)) = file else {
        return Some(Gateway {
            locations: Vec::new(),
            unread: Some("its Caddyfile is not in the tree".to_owned()),
        });
    };
    let mut reader = Reader {
        out: Gateway::default(),
        open: Vec::new(),
        matchers: BTreeMap::new(),
        site: 0,
        path: path.clone(),
    };
    for (line, text) in (1u32..).zip(text.lines()) {
        reader.line(line, text);
    }
    Some(reader.out)
}

pub(crate) fn is_caddyfile(path: &str) -> bool {
    last(path).contains("Caddyfile")
}

/// A block that is open, and what holds in it.
#[derive(Clone, Default)]
struct Block {
    prefix: Option<Outer>,
    strips: bool,
    login: Option<String>,
    closed: Option<String>,
    /// Its lines are no directives: the options of another one.
    quiet: bool,
    /// Locations from here on are inside it.
    first: usize,
}

struct Reader {
    out: Gateway,
    open: Vec<Block>,
    matchers: BTreeMap<String, Option<Outer>>,
    site: usize,
    path: solvent_base::FilePath,
}

impl Reader {
    fn line(&mut self, line: u32, text: &str) {
        let text = text.trim();
        if text.starts_with('#') || text.is_empty() {
            return;
        }
        let opens = text.ends_with('{');
        let words = words(text.trim_end_matches('{').trim());
        let first = words.first().map_or("", String::as_str);
        if first == "}" {
            self.open.pop();
            return;
        }
        let around = self.open.last().cloned().unwrap_or_default();
        let mut block = Block {
            first: self.out.locations.len(),
            ..around.clone()
        };
        if self.open.is_empty() {
            // A site, a snippet, or the options of the whole.
            self.site += 1;
            self.matchers.clear();
            block.quiet = words.is_empty();
        } else if !around.quiet {
            self.directive(line, &words, &around, &mut block);
        }
        if opens {
            self.open.push(block);
        }
    }

    fn directive(&mut self, line: u32, words: &[String], around: &Block, block: &mut Block) {
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        if word(0).starts_with('@') {
            let outer = (word(1) == "path").then(|| self.outer(word(2))).flatten();
            // Several paths, or a matcher that is more than a path, are not read.
            let outer = outer.filter(|_| words.len() == 3);
            self.matchers.insert(word(0).to_owned(), outer);
            block.quiet = true;
            return;
        }
        let matcher = word(1)
            .starts_with(['/', '@', '*'])
            .then(|| word(1).to_owned());
        let outer = match &matcher {
            Some(text) => self.outer(text),
            None => around.prefix.clone(),
        };
        match word(0) {
            "handle" | "handle_path" | "route" => {
                block.strips = around.strips || word(0) == "handle_path";
                block.prefix = match matcher {
                    Some(_) => outer.or_else(|| Some(Outer::Unread(word(1).to_owned()))),
                    None => around.prefix.clone(),
                };
            }
            "basicauth" | "basic_auth" | "forward_auth" | "authorize" => {
                let login = Some(word(0).to_owned());
                block.quiet = true;
                for location in &mut self.out.locations[around.first..] {
                    if location.site == self.site && covers(outer.as_ref(), &location.outer) {
                        location.login.clone_from(&login);
                    }
                }
                match (&matcher, self.open.last_mut()) {
                    (None, Some(open)) => open.login = login,
                    // What comes behind it is looked at when it is there.
                    (Some(_), Some(open)) if outer == open.prefix => open.login = login,
                    _ => {}
                }
            }
            "respond" | "abort" | "error" => {
                block.quiet = true;
                let status = words.iter().skip(1).find(|w| w.starts_with('4'));
                if word(0) != "abort" && status.is_none() {
                    return;
                }
                let outer = outer.unwrap_or_else(|| Outer::Text("/".to_owned()));
                let closed = Some(format!("`{}`", words.join(" ")));
                self.push(line, outer, String::new(), None, Inner::Same, None, closed);
            }
            "reverse_proxy" | "php_fastcgi" => {
                block.quiet = true;
                let outer = outer.unwrap_or_else(|| match matcher {
                    Some(_) => Outer::Unread(word(1).to_owned()),
                    None => Outer::Text("/".to_owned()),
                });
                let from = if word(1).starts_with(['/', '@', '*']) {
                    2
                } else {
                    1
                };
                let inner = match (around.strips, &outer) {
                    (true, Outer::Text(_)) => Inner::Instead("/".to_owned()),
                    (true, _) => Inner::Unread,
                    (false, _) => Inner::Same,
                };
                for target in words.iter().skip(from) {
                    let target = target.split_once("://").map_or(target.as_str(), |(_, r)| r);
                    let (host, port) = match target.rsplit_once(':') {
                        Some((host, port)) => (host, port.parse().ok()),
                        None => (target, None),
                    };
                    if host.contains(['{', '$']) {
                        self.out.unread = Some(format!("it leads to `{host}`, which is not known"));
                    }
                    let host = host.to_ascii_lowercase();
                    let login = around.login.clone();
                    self.push(
                        line,
                        outer.clone(),
                        host,
                        port,
                        inner.clone(),
                        login,
                        around.closed.clone(),
                    );
                }
            }
            "uri" if word(1) == "strip_prefix" => {
                if let Some(open) = self.open.last_mut() {
                    open.strips = true;
                }
            }
            "rewrite" => {
                let why = "it rewrites paths in a way that is not read".to_owned();
                self.out.unread = Some(why);
            }
            "import" => {
                let why = "it imports what is not read".to_owned();
                self.out.unread = Some(why);
            }
            _ => block.quiet = true,
        }
    }

    fn outer(&self, text: &str) -> Option<Outer> {
        if let Some(known) = self.matchers.get(text) {
            return known.clone();
        }
        if text.starts_with('@') {
            return None;
        }
        match text.strip_suffix('*') {
            Some(prefix) if !prefix.contains('*') => {
                let prefix = if prefix.is_empty() { "/" } else { prefix };
                Some(Outer::Text(prefix.to_owned()))
            }
            None if !text.contains('*') => Some(Outer::Exact(text.to_owned())),
            _ => Some(Outer::Unread(text.to_owned())),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a location")]
    fn push(
        &mut self,
        line: u32,
        outer: Outer,
        host: String,
        port: Option<u16>,
        inner: Inner,
        login: Option<String>,
        closed: Option<String>,
    ) {
        self.out.locations.push(Location {
            site: self.site,
            outer,
            host,
            port,
            inner,
            login,
            closed,
            place: Mark {
                path: self.path.clone(),
                line,
            },
        });
    }
}

/// Whether what one takes, the other takes too.
fn covers(wide: Option<&Outer>, narrow: &Outer) -> bool {
    match wide {
        None => true,
        Some(Outer::Text(prefix)) => narrow.text().starts_with(prefix.as_str()),
        Some(other) => other == narrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use solvent_base::FilePath;

    fn read(text: &str) -> Gateway {
        let mut tree = Tree::default();
        let path = FilePath::new("Caddyfile").unwrap_or_else(|| panic!("a path"));
        tree.texts.insert(path, text.to_owned());
        let sources = [("Caddyfile".to_owned(), "/etc/caddy/Caddyfile".to_owned())];
        of_image("caddy", &tree, &sources).unwrap_or_default()
    }

    #[test]
    fn paths_lead_to_upstreams() {
        let gateway = read(
            ":80 {\n  handle_path /api/* {\n    basic_auth {\n      ana hash\n    }\n    reverse_proxy orders:8000\n  }\n  \
             respond /internal/* 403\n  reverse_proxy web:3000\n}\n",
        );
        let api = &gateway.locations[0];
        assert_eq!(
            (api.host.as_str(), &api.inner),
            ("orders", &Inner::Instead("/".to_owned()))
        );
        assert_eq!(api.login.as_deref(), Some("basic_auth"));
        assert!(gateway.locations[1].closed.is_some());
        assert_eq!(gateway.locations[2].outer, Outer::Text("/".to_owned()));
        assert_eq!(gateway.locations[2].login, None);
    }
}
