//! One service of a compose file: as written, and what it means.

use std::collections::BTreeMap;

use solvent_base::FilePath;

use super::File;
use crate::docker::{self, Image};
use crate::expose::Reach;
use crate::gateway::Gateway;
use crate::network;
use crate::service::{Code, Deployment, Door, Service, Setting, Sort};
use crate::start::{self, Around};
use crate::store::{Store, image_name};
use crate::text::{env_lines, interpolated, words};
use crate::traefik;
use crate::tree::{Mark, Tree, joined};
use crate::yaml::{Node, Value};

type Known = BTreeMap<String, String>;

/// A port as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Published {
    /// `Err`: the variable that decides and is not known.
    address: Result<String, String>,
    inside: Option<u16>,
    outside: String,
    mark: Mark,
}

#[derive(Clone, Debug)]
pub(crate) struct Raw {
    mark: Mark,
    image: Option<String>,
    /// Context and Dockerfile, relative to the root.
    build: Option<Build>,
    command: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    ports: Vec<Published>,
    expose: Vec<u16>,
    networks: Option<Vec<String>>,
    aliases: Vec<String>,
    network_mode: Option<String>,
    settings: BTreeMap<String, Setting>,
    env_files: Vec<String>,
    pub(super) needs: Vec<String>,
    profiles: Vec<String>,
    profile_mark: Option<Mark>,
    labels: BTreeMap<String, (String, Mark)>,
    /// From the tree to the container.
    mounts: Vec<(String, String)>,
    configs: Vec<(String, String)>,
    workdir: Option<String>,
    /// Whole lists and maps that an override throws away.
    reset: Vec<&'static str>,
    scale_zero: bool,
}

#[derive(Clone, Debug)]
struct Build {
    context: String,
    dockerfile: String,
    target: Option<String>,
}

impl Raw {
    /// Whether it could be started without another file.
    pub(super) fn is_whole(&self) -> bool {
        self.image.is_some() || self.build.is_some()
    }

    pub(super) fn read(node: &Node, mark: &Mark, folder: &str, known: &Known) -> Self {
        let at = |node: &Node| Mark {
            path: mark.path.clone(),
            line: node.line,
        };
        let filled = |text: &str| interpolated(text, known);
        let text = |key: &str| node.text_at(&[key]).and_then(|t| filled(t).ok());
        let mut raw = Self {
            mark: mark.clone(),
            image: text("image"),
            build: node.get("build").and_then(|b| build(b, folder, known)),
            command: node.get("command").and_then(|c| command(c, known)),
            entrypoint: node.get("entrypoint").and_then(|c| command(c, known)),
            ports: Vec::new(),
            expose: Vec::new(),
            networks: None,
            aliases: Vec::new(),
            network_mode: text("network_mode").or_else(|| text("net")),
            settings: BTreeMap::new(),
            env_files: Vec::new(),
            needs: Vec::new(),
            profiles: Vec::new(),
            profile_mark: None,
            labels: BTreeMap::new(),
            mounts: Vec::new(),
            configs: Vec::new(),
            workdir: text("working_dir"),
            reset: Vec::new(),
            scale_zero: text("scale").as_deref() == Some("0")
                || node.text_at(&["deploy", "replicas"]) == Some("0"),
        };
        for key in [
            "ports",
            "environment",
            "profiles",
            "labels",
            "command",
            "networks",
        ] {
            let tag = node.get(key).and_then(|n| n.tag.as_deref());
            if matches!(tag, Some("reset" | "override")) {
                raw.reset.push(key);
            }
        }
        for port in node.get("ports").map(Node::items).unwrap_or_default() {
            raw.ports.push(published(port, at(port), known));
        }
        for port in node.get("expose").map(Node::texts).unwrap_or_default() {
            let port = filled(port).ok();
            raw.expose
                .extend(port.and_then(|p| p.split(['/', '-']).next()?.parse::<u16>().ok()));
        }
        if let Some(networks) = node.get("networks") {
            let mut names: Vec<String> = networks.texts().into_iter().map(str::to_owned).collect();
            for (name, entry) in networks.entries() {
                names.push(name.clone());
                let aliases = entry.get("aliases").map(Node::texts).unwrap_or_default();
                raw.aliases
                    .extend(aliases.into_iter().map(str::to_ascii_lowercase));
            }
            raw.networks = Some(names);
        }
        raw.aliases
            .extend(text("container_name").map(|n| n.to_ascii_lowercase()));
        raw.aliases
            .extend(text("hostname").map(|n| n.to_ascii_lowercase()));
        for (name, value, line) in pairs(node.get("environment")) {
            let value = match value {
                Some(value) => filled(&value).ok(),
                // Taken from whoever starts it.
                None => known.get(&name).cloned(),
            };
            let place = Mark {
                path: mark.path.clone(),
                line,
            };
            raw.settings.insert(name, Setting { value, place });
        }
        if let Some(files) = node.get("env_file") {
            let mut names = files.texts();
            names.extend(files.items().iter().filter_map(|f| f.text_at(&["path"])));
            for name in names {
                let path = filled(name).ok().and_then(|n| joined(folder, &n));
                raw.env_files.push(path.unwrap_or_default());
            }
        }
        if let Some(needs) = node.get("depends_on").or_else(|| node.get("links")) {
            raw.needs
                .extend(needs.texts().iter().map(|n| (*n).to_owned()));
            raw.needs
                .extend(needs.entries().iter().map(|(name, _)| name.clone()));
        }
        if let Some(profiles) = node.get("profiles") {
            raw.profiles = profiles.texts().into_iter().map(str::to_owned).collect();
            raw.profile_mark = Some(at(profiles));
        }
        let deployed = node.at(&["deploy", "labels"]);
        for labels in [node.get("labels"), deployed] {
            for (name, value, line) in pairs(labels) {
                let value = value.and_then(|v| filled(&v).ok()).unwrap_or_default();
                let place = Mark {
                    path: mark.path.clone(),
                    line,
                };
                raw.labels.insert(name.to_ascii_lowercase(), (value, place));
            }
        }
        for volume in node.get("volumes").map(Node::items).unwrap_or_default() {
            let pair = match volume.text() {
                Some(text) => filled(text).ok().and_then(|text| {
                    let (from, to) = text.split_once(':')?;
                    let to = to.split(':').next().unwrap_or(to).to_owned();
                    Some((from.to_owned(), to))
                }),
                None => volume
                    .text_at(&["source"])
                    .zip(volume.text_at(&["target"]))
                    .map(|(a, b)| (a.to_owned(), b.to_owned())),
            };
            if let Some((from, to)) = pair
                && (from.starts_with('.') || from.contains('/'))
                && let Some(from) = joined(folder, &from)
            {
                raw.mounts.push((from, to.trim_end_matches('/').to_owned()));
            }
        }
        for config in node.get("configs").map(Node::items).unwrap_or_default() {
            let source = config.text_at(&["source"]).or(config.text());
            let target = config.text_at(&["target"]).unwrap_or_default();
            if let Some(source) = source {
                raw.configs.push((source.to_owned(), target.to_owned()));
            }
        }
        raw
    }

    /// What another file says of the same service goes over what is here.
    pub(super) fn over(&mut self, other: Self) {
        for key in &other.reset {
            match *key {
                "ports" => self.ports.clear(),
                "environment" => self.settings.clear(),
                "profiles" => self.profiles.clear(),
                "labels" => self.labels.clear(),
                "command" => self.command = None,
                _ => self.networks = None,
            }
        }
        self.image = other.image.or(self.image.take());
        self.build = other.build.or(self.build.take());
        self.command = other.command.or(self.command.take());
        self.entrypoint = other.entrypoint.or(self.entrypoint.take());
        for port in other.ports {
            if !self.ports.contains(&port) {
                self.ports.push(port);
            }
        }
        self.expose.extend(other.expose);
        if let Some(networks) = other.networks {
            let have = self.networks.get_or_insert_default();
            have.extend(networks);
        }
        self.aliases.extend(other.aliases);
        self.network_mode = other.network_mode.or(self.network_mode.take());
        self.settings.extend(other.settings);
        self.env_files.extend(other.env_files);
        self.needs.extend(other.needs);
        if !other.profiles.is_empty() {
            self.profiles.extend(other.profiles);
            self.profile_mark = other.profile_mark;
        }
        self.labels.extend(other.labels);
        self.mounts.extend(other.mounts);
        self.configs.extend(other.configs);
        self.workdir = other.workdir.or(self.workdir.take());
        self.scale_zero |= other.scale_zero;
    }
}

fn build(node: &Node, folder: &str, known: &Known) -> Option<Build> {
    let context = node
        .text()
        .or_else(|| node.text_at(&["context"]))
        .unwrap_or(".");
    let context = joined(folder, &interpolated(context, known).ok()?)?;
    let dockerfile = node.text_at(&["dockerfile"]).unwrap_or("Dockerfile");
    let dockerfile = joined(&context, &interpolated(dockerfile, known).ok()?)?;
    Some(Build {
        context,
        dockerfile,
        target: node.text_at(&["target"]).map(str::to_owned),
    })
}

fn command(node: &Node, known: &Known) -> Option<Vec<String>> {
    let fill = |text: &str| interpolated(text, known).unwrap_or_else(|_| text.to_owned());
    match &node.value {
        Value::Null => None,
        Value::Text(text) => Some(words(&fill(text))),
        _ => Some(node.texts().into_iter().map(fill).collect()),
    }
}

/// Entries of a map, or of a list of `NAME=value`.
fn pairs(node: Option<&Node>) -> Vec<(String, Option<String>, u32)> {
    let Some(node) = node else { return Vec::new() };
    let mut out: Vec<(String, Option<String>, u32)> = node
        .entries()
        .iter()
        .map(|(name, value)| (name.clone(), value.text().map(str::to_owned), value.line))
        .collect();
    for item in node.items() {
        let Some(text) = item.text() else { continue };
        out.push(match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned()), item.line),
            None => (text.to_owned(), None, item.line),
        });
    }
    out
}

/// `127.0.0.1:8080:80/tcp`, or the long form.
fn published(node: &Node, mark: Mark, known: &Known) -> Published {
    let port = |text: &str| text.split(['/', '-']).next()?.parse::<u16>().ok();
    if node.text().is_none() {
        let get = |key: &str| node.text_at(&[key]).map(|t| interpolated(t, known));
        let address = get("host_ip").unwrap_or_else(|| Ok(String::new()));
        return Published {
            address,
            inside: get("target").and_then(Result::ok).and_then(|t| port(&t)),
            outside: get("published").and_then(Result::ok).unwrap_or_default(),
            mark,
        };
    }
    let written = node.text().unwrap_or_default();
    let parts = split_port(written);
    let fill = |text: &&str| interpolated(text, known);
    let (address, outside, inside) = match parts.as_slice() {
        [inside] => match fill(inside) {
            // A variable may hold more than a port.
            Ok(text) if text.contains(':') => {
                let node = Node {
                    line: node.line,
                    value: Value::Text(text),
                    tag: None,
                };
                return published(&node, mark, &Known::new());
            }
            Ok(text) => (Ok(String::new()), String::new(), Ok(text)),
            Err(name) => (Err(name.clone()), String::new(), Err(name)),
        },
        [outside, inside] => match fill(outside) {
            // `${BIND}:80`, where the variable is an address and a port.
            Ok(text) if text.contains(':') => {
                let (address, port) = text.rsplit_once(':').unwrap_or_default();
                (Ok(address.to_owned()), port.to_owned(), fill(inside))
            }
            Ok(text) => (Ok(String::new()), text, fill(inside)),
            Err(name) => (Err(name), String::new(), fill(inside)),
        },
        [address, outside, inside] => (
            fill(address),
            fill(outside).unwrap_or_default(),
            fill(inside),
        ),
        _ => (Err(written.to_owned()), String::new(), Err(String::new())),
    };
    Published {
        address,
        inside: inside.ok().and_then(|text| port(&text)),
        outside,
        mark,
    }
}

/// Splits at colons outside of `${..}` and `[..]`.
fn split_port(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut depth, mut start) = (0u32, 0);
    for (i, c) in text.char_indices() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                out.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(&text[start..]);
    out
}

/// Turns what was read into services of the deployment.
pub(super) fn finish(tree: &Tree, deployment: &str, file: File, out: &mut Deployment) {
    let first = out.services.len();
    let turned_on: Vec<String> = file
        .known
        .get("COMPOSE_PROFILES")
        .map(|list| list.split(',').map(|p| p.trim().to_owned()).collect())
        .unwrap_or_default();
    let mut routers: Vec<traefik::Labels> = Vec::new();
    for (name, raw) in &file.services {
        let mut hosts = vec![name.to_ascii_lowercase()];
        hosts.extend(raw.aliases.iter().cloned());
        hosts.dedup();
        let image = raw.build.as_ref().map(|build| {
            let text = tree.text(&build.dockerfile).unwrap_or_default();
            docker::parse(text, build.target.as_deref())
        });
        let (settings, settings_open) = settings(tree, raw, image.as_ref());
        let store = match &image {
            // Built on a store's image, to bring data or a configuration along.
            Some(image) => Store::of_image(&image.base),
            None => raw.image.as_deref().and_then(Store::of_image),
        };
        let asleep = asleep(raw, &turned_on);
        let mut service = Service {
            name: name.clone(),
            deployment: deployment.to_owned(),
            sort: Sort::Compose,
            place: raw.mark.clone(),
            hosts,
            networks: raw.networks.clone().unwrap_or_default(),
            code: code(tree, raw, image.as_ref(), &settings),
            image: raw.image.clone(),
            store,
            settings,
            settings_open,
            ports: ports(raw, image.as_ref()),
            doors: doors(raw, &file),
            needs: raw.needs.clone(),
            asleep,
            gateway: None,
        };
        service.gateway = gateway(tree, &file, raw, image.as_ref(), &service.settings);
        routers.push(traefik::Labels {
            service: name.to_ascii_lowercase(),
            labels: raw.labels.clone(),
            ports: service.ports.clone(),
        });
        out.services.push(service);
    }
    // Traefik gets its routes from the labels of the others.
    for service in &mut out.services[first..] {
        let image = service.image.as_deref().map(image_name);
        if image == Some("traefik") {
            let by_default = file
                .services
                .get(&service.name)
                .and_then(|raw| raw.command.as_ref())
                .is_none_or(|words| {
                    !words
                        .iter()
                        .any(|w| w.to_ascii_lowercase().ends_with("exposedbydefault=false"))
                });
            service.gateway = Some(traefik::gateway(&routers, by_default));
        }
    }
}

/// Profiles that nothing turns on.
fn asleep(raw: &Raw, turned_on: &[String]) -> Option<(String, Mark)> {
    if raw.scale_zero {
        return Some(("it has no replicas".to_owned(), raw.mark.clone()));
    }
    let wanted = raw
        .profiles
        .iter()
        .any(|p| turned_on.iter().any(|on| on == p || on == "*"));
    if raw.profiles.is_empty() || wanted {
        return None;
    }
    let words = raw.profiles.join("`, `");
    let mark = raw.profile_mark.clone().unwrap_or_else(|| raw.mark.clone());
    Some((format!("only with the profile `{words}`"), mark))
}

fn ports(raw: &Raw, image: Option<&Image>) -> Vec<u16> {
    let mut out: Vec<u16> = raw.ports.iter().filter_map(|p| p.inside).collect();
    out.extend(&raw.expose);
    out.extend(image.map(|i| i.ports.clone()).unwrap_or_default());
    out.sort_unstable();
    out.dedup();
    out
}

fn doors(raw: &Raw, file: &File) -> Vec<Door> {
    let mut out = Vec::new();
    let door = |reach, why: String, place: &Mark, port| Door {
        reach,
        why,
        place: place.clone(),
        port,
    };
    match raw.network_mode.as_deref() {
        Some("host") => {
            let why = "it is on the network of the machine".to_owned();
            out.push(door(Reach::Public, why, &raw.mark, None));
        }
        Some(mode) if mode.starts_with("service:") || mode.starts_with("container:") => {
            let why = format!("it shares the network of `{mode}`");
            out.push(door(Reach::Unknown, why, &raw.mark, None));
        }
        _ => {}
    }
    for port in &raw.ports {
        let outside = match port.outside.as_str() {
            "" => port
                .inside
                .map_or_else(|| "a port".to_owned(), |p| format!("port {p}")),
            outside => format!("port {outside}"),
        };
        let (reach, why) = match &port.address {
            Err(name) => (
                Reach::Unknown,
                format!("{outside} is published where `{name}` says, which is not known"),
            ),
            Ok(address) if network::is_loopback(address) => (
                Reach::Internal,
                format!("{outside} is published on {address} only, the machine itself"),
            ),
            Ok(_) => (Reach::Public, format!("{outside} is published")),
        };
        out.push(door(reach, why, &port.mark, port.inside));
    }
    for network in raw.networks.iter().flatten() {
        if file.outside_networks.contains(network) {
            let why = format!("other deployments share its network `{network}`");
            out.push(door(Reach::Unknown, why, &raw.mark, None));
        }
    }
    // Programs that carry requests in from elsewhere without a port of their own.
    let tunnel = raw.image.as_deref().map(image_name);
    if matches!(tunnel, Some("cloudflared" | "ngrok" | "tailscale")) {
        let why = "it carries requests in through a tunnel".to_owned();
        out.push(door(Reach::Public, why, &raw.mark, None));
    }
    if out.is_empty() {
        let why = "no port is published".to_owned();
        out.push(door(Reach::Internal, why, &raw.mark, None));
    }
    out
}

/// The environment: the image's, then files, then what stands in the compose file.
fn settings(tree: &Tree, raw: &Raw, image: Option<&Image>) -> (BTreeMap<String, Setting>, bool) {
    let mut out = BTreeMap::new();
    // An image from elsewhere sets what it likes.
    let mut open = image.is_none();
    if let (Some(image), Some(build)) = (image, &raw.build)
        && let Some(path) = FilePath::new(&build.dockerfile)
    {
        for (name, (value, line)) in &image.settings {
            let place = Mark {
                path: path.clone(),
                line: *line,
            };
            let value = value.clone();
            out.insert(name.clone(), Setting { value, place });
        }
    }
    for file in &raw.env_files {
        match (tree.text(file), FilePath::new(file)) {
            (Some(text), Some(path)) => {
                for (name, value, line) in env_lines(text) {
                    let place = Mark {
                        path: path.clone(),
                        line,
                    };
                    let value = Some(value);
                    out.insert(name, Setting { value, place });
                }
            }
            _ => open = true,
        }
    }
    for (name, setting) in &raw.settings {
        out.insert(name.clone(), setting.clone());
    }
    (out, open)
}

fn code(
    tree: &Tree,
    raw: &Raw,
    image: Option<&Image>,
    settings: &BTreeMap<String, Setting>,
) -> Option<Code> {
    let mount = raw.mounts.iter().find(|(from, to)| {
        let runs_there = raw
            .workdir
            .as_deref()
            .is_some_and(|w| crate::tree::below(w, to));
        (runs_there || raw.command.is_some()) && tree.has_folder(from) && !tree.has(from)
    });
    let (context, why) = match (&raw.build, mount) {
        (Some(build), _) => (build.context.clone(), "build context".to_owned()),
        // An interpreter's image with the code mounted into it.
        (None, Some((from, _))) if raw.image.as_deref().and_then(Store::of_image).is_none() => {
            (from.clone(), "mounted folder".to_owned())
        }
        _ => return None,
    };
    let workdir = raw
        .workdir
        .clone()
        .or_else(|| image.map(|i| i.workdir.clone()))
        .unwrap_or_else(|| "/".to_owned());
    let around = Around {
        tree,
        context: &context,
        image,
        mounts: &raw.mounts,
        workdir,
        setting: &|name| settings.get(name).and_then(|s| s.value.clone()),
    };
    let entrypoint = raw
        .entrypoint
        .as_ref()
        .or(image.and_then(|i| i.entrypoint.as_ref()));
    // An entry point of its own drops the command of the image.
    let of_image = image
        .and_then(|i| i.command.as_ref())
        .filter(|_| raw.entrypoint.is_none());
    let command = raw.command.as_ref().or(of_image);
    let whole: Vec<String> = entrypoint
        .into_iter()
        .chain(command)
        .flatten()
        .cloned()
        .collect();
    let start = start::file(&whole, &around)
        // Entry scripts that end in `exec "$@"` run the command.
        .or_else(|| start::file(command?, &around));
    Some(Code {
        folders: narrowed(&context, image, start.as_deref()),
        start,
        why,
    })
}

/// The folders of the build context that the image copies, where it does not copy all of it.
fn narrowed(context: &str, image: Option<&Image>, start: Option<&str>) -> Vec<String> {
    let whole = vec![context.to_owned()];
    let Some(image) = image else { return whole };
    let mut folders: Vec<String> = Vec::new();
    for (from, _) in &image.copies {
        if from.is_empty() || from.contains(['*', '$', '?']) {
            return whole;
        }
        folders.extend(joined(context, from));
    }
    folders.sort();
    folders.dedup();
    let holds = |start: &str| {
        folders
            .iter()
            .any(|folder| crate::tree::below(start, folder))
    };
    if folders.is_empty() || !start.is_none_or(holds) {
        return whole;
    }
    folders
}

/// nginx and Caddy: by their image, or the image that theirs is built on.
fn gateway(
    tree: &Tree,
    file: &File,
    raw: &Raw,
    image: Option<&Image>,
    settings: &BTreeMap<String, Setting>,
) -> Option<Gateway> {
    let name = match image {
        Some(image) => image_name(&image.base).to_owned(),
        None => image_name(raw.image.as_deref()?).to_owned(),
    };
    // Where each file of the container comes from.
    let mut sources: Vec<(String, String)> = raw
        .mounts
        .iter()
        .map(|(from, to)| (from.clone(), to.clone()))
        .collect();
    for (source, target) in &raw.configs {
        if let Some(path) = file.configs.get(source) {
            sources.push((path.clone(), target.clone()));
        }
    }
    if let (Some(image), Some(build)) = (image, &raw.build) {
        for (from, to) in &image.copies {
            if let Some(from) = joined(&build.context, from) {
                sources.push((from, to.clone()));
            }
        }
    }
    crate::nginx::of_image(&name, tree, &sources, settings)
        .or_else(|| crate::caddy::of_image(&name, tree, &sources))
        .or_else(|| {
            // Gateways whose configuration is not read may lead anywhere.
            const OTHERS: [&str; 12] = [
                "haproxy",
                "envoy",
                "kong",
                "apisix",
                "krakend",
                "httpd",
                "tyk-gateway",
                "varnish",
                "oauth2-proxy",
                "nginx-proxy",
                "cloudflared",
                "ngrok",
            ];
            OTHERS.contains(&name.as_str()).then(|| Gateway {
                locations: Vec::new(),
                unread: Some(format!("what `{name}` forwards is not read")),
            })
        })
}
