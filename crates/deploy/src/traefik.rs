//! Traefik's routes, which stand in the labels of the services that it leads to.

use std::collections::BTreeMap;

use crate::gateway::{Gateway, Inner, Location, Outer};
use crate::network;
use crate::tree::Mark;

/// The labels of one service, names in lower case.
pub(crate) struct Labels {
    pub service: String,
    pub labels: BTreeMap<String, (String, Mark)>,
    pub ports: Vec<u16>,
}

/// What the labels make a Traefik forward. Services without a rule of their own are reached by their name as a
/// host, if the provider takes services that do not ask for it.
pub(crate) fn gateway(all: &[Labels], by_default: bool) -> Gateway {
    let mut out = Gateway::default();
    // Middlewares are known to all routers.
    let mut middlewares: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for one in all {
        for (name, (value, _)) in &one.labels {
            if let Some(rest) = name.strip_prefix("traefik.http.middlewares.")
                && let Some((middleware, key)) = rest.split_once('.')
            {
                middlewares
                    .entry(middleware)
                    .or_default()
                    .push((key, value));
            }
        }
    }
    let mut hosts: Vec<String> = Vec::new();
    for one in all {
        let enabled = match one.labels.get("traefik.enable") {
            Some((value, _)) => value == "true",
            None => by_default,
        };
        if !enabled {
            continue;
        }
        let mut routers: BTreeMap<&str, BTreeMap<&str, (&str, &Mark)>> = BTreeMap::new();
        for (name, (value, mark)) in &one.labels {
            if let Some(rest) = name.strip_prefix("traefik.http.routers.")
                && let Some((router, key)) = rest.split_once('.')
            {
                routers
                    .entry(router)
                    .or_default()
                    .insert(key, (value, mark));
            }
        }
        if routers.is_empty() && (one.labels.contains_key("traefik.enable")) {
            // The default rule is the service's name as the host.
            if let Some((_, mark)) = one.labels.get("traefik.enable") {
                out.locations.push(Location {
                    site: site(&mut hosts, &format!("Host(`{}`)", one.service)),
                    outer: Outer::Text("/".to_owned()),
                    host: one.service.clone(),
                    port: one.ports.first().copied(),
                    inner: Inner::Same,
                    login: None,
                    closed: None,
                    place: mark.clone(),
                });
            }
            continue;
        }
        for router in routers.values() {
            let Some((rule, mark)) = router.get("rule") else {
                continue;
            };
            let (mut login, mut inner, mut closed) = (None, Inner::Same, None);
            let outers = outers(rule);
            let names = router.get("middlewares").map_or("", |(names, _)| names);
            for name in names
                .split(',')
                .map(|n| n.trim().split('@').next().unwrap_or_default())
            {
                let Some(keys) = middlewares.get(name.to_ascii_lowercase().as_str()) else {
                    // One from another provider: it may ask for a login, which is not taken for granted.
                    continue;
                };
                for (key, value) in keys {
                    let sort = key.split('.').next().unwrap_or_default();
                    match sort {
                        "basicauth" | "digestauth" | "forwardauth" => login = Some(sort.to_owned()),
                        "stripprefix" => inner = Inner::Instead("/".to_owned()),
                        "stripprefixregex" | "replacepath" | "replacepathregex" | "addprefix" => {
                            inner = Inner::Unread;
                        }
                        "ipallowlist" | "ipwhitelist" if key.ends_with("sourcerange") => {
                            let private = value.split(',').all(|b| network::is_private(b.trim()));
                            closed = private.then(|| format!("only for {value}"));
                        }
                        _ => {}
                    }
                }
            }
            for outer in outers {
                out.locations.push(Location {
                    site: site(&mut hosts, rule),
                    outer,
                    host: one.service.clone(),
                    port: one.ports.first().copied(),
                    inner: inner.clone(),
                    login: login.clone(),
                    closed: closed.clone(),
                    place: (*mark).clone(),
                });
            }
        }
    }
    out
}

/// Rules for the same hosts exclude each other; one that asks for more than a host and a path excludes none.
fn site(hosts: &mut Vec<String>, rule: &str) -> usize {
    let mut rest = rule.to_owned();
    let mut host = String::new();
    for (word, is_host) in [("PathPrefix(", false), ("Path(", false), ("Host(", true)] {
        while let Some(at) = rest.find(word)
            && let Some(end) = rest[at..].find(')')
        {
            if is_host {
                host.push_str(&rest[at..at + end]);
            }
            rest.replace_range(at..=at + end, "");
        }
    }
    if rest.contains('(') {
        host = format!("{rule} {}", hosts.len());
    }
    match hosts.iter().position(|known| *known == host) {
        Some(at) => at,
        None => {
            hosts.push(host);
            hosts.len() - 1
        }
    }
}

/// The paths of a rule: ``Host(`a`) && PathPrefix(`/api`, `/v2`)``.
fn outers(rule: &str) -> Vec<Outer> {
    if rule.contains('!') || rule.contains("Regexp") {
        return vec![Outer::Unread(rule.to_owned())];
    }
    let mut out = Vec::new();
    let mut without_path = false;
    for alternative in rule.split("||") {
        let before = out.len();
        for (word, exact) in [("PathPrefix(", false), ("Path(", true)] {
            let Some(at) = alternative.find(word) else {
                continue;
            };
            let inside = &alternative[at + word.len()..];
            let inside = inside.split(')').next().unwrap_or_default();
            for text in inside.split(',') {
                let text = text.trim().trim_matches(['`', '"', '\'']).to_owned();
                out.push(match (exact, text.contains('{')) {
                    (_, true) => Outer::Unread(text),
                    (true, _) => Outer::Exact(text),
                    (false, _) => Outer::Text(text),
                });
            }
        }
        without_path |= out.len() == before;
    }
    if without_path {
        out.push(Outer::Text("/".to_owned()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_give_their_paths() {
        let text = |t: &str| Outer::Text(t.to_owned());
        assert_eq!(outers("Host(`a.b`)"), [text("/")]);
        assert_eq!(outers("Host(`a.b`) && PathPrefix(`/api`)"), [text("/api")]);
        assert_eq!(
            outers("PathPrefix(`/a`, `/b`) || Path(`/c`)"),
            [text("/a"), text("/b"), Outer::Exact("/c".to_owned())]
        );
        assert!(matches!(outers("!PathPrefix(`/a`)")[0], Outer::Unread(_)));
    }
}
