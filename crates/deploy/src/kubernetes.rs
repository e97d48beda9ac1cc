//! Kubernetes manifests: workloads, services, ingresses, routes of gateways, network policies.

mod workload;

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::{FilePath, Problem, ProblemKind};

use crate::expose::Reach;
use crate::gateway::{Gateway, Inner, Location, Outer};
use crate::network;
use crate::service::{Code, Deployment, Door, Service, Sort};
use crate::store::image_name;
use crate::tree::{Mark, Tree, joined, parent};
use crate::yaml::{self, Node};

pub(crate) use workload::{Workload, is_dockerfile};

/// Whether a text may be a manifest, or a list of them: both keys at the beginning of a line.
pub(crate) fn is_manifest(text: &str) -> bool {
    let has = |key: &str| text.lines().any(|line| line.starts_with(key));
    has("apiVersion:") && has("kind:")
}

/// A `Service`: a name for pods, and whether it is seen from outside.
#[derive(Clone, Debug)]
struct Front {
    name: String,
    selector: Vec<(String, String)>,
    ports: Vec<(Option<String>, Option<u16>, Option<u16>)>,
    reach: Reach,
    why: String,
    place: Mark,
}

/// An `Ingress` or an `HTTPRoute`.
#[derive(Clone, Debug)]
struct Way {
    name: String,
    place: Mark,
    gateway: Gateway,
}

/// A `NetworkPolicy` about who may come in.
#[derive(Clone, Debug)]
struct Policy {
    name: String,
    selector: Vec<(String, String)>,
    /// Whether somebody outside of the cluster may.
    outside: bool,
    place: Mark,
}

#[derive(Default)]
struct Found {
    workloads: Vec<Workload>,
    fronts: Vec<Front>,
    /// Services of other folders or none, by name, that are made public.
    patches: Vec<Front>,
    ways: Vec<Way>,
    policies: Vec<Policy>,
    /// `ConfigMap`s by name.
    maps: BTreeMap<String, BTreeMap<String, (String, Mark)>>,
    unread: Option<String>,
}

/// Reads manifests, each top folder of them a deployment of its own.
pub(crate) fn read(tree: &Tree, out: &mut Deployment) {
    // What compose files build under which name.
    let mut built: BTreeMap<String, Code> = out
        .services
        .iter()
        .filter_map(|s| Some((image_name(s.image.as_deref()?).to_owned(), s.code.clone()?)))
        .collect();
    skaffold(tree, &mut built);
    let mut groups: BTreeMap<String, Found> = BTreeMap::new();
    for (path, text) in &tree.texts {
        let is_yaml = matches!(path.extension(), Some("yaml" | "yml"));
        if !is_yaml || !is_manifest(text) || crate::compose::is_compose(path.as_str()) {
            continue;
        }
        let filled = match text.contains("{{") {
            true => crate::helm::filled(tree, path.as_str(), text),
            false => Some(text.clone()),
        };
        let Some(text) = filled else {
            crate::helm::note(tree, path, out);
            continue;
        };
        let (documents, problem) = yaml::parse(&text);
        let found = groups.entry(group(path.as_str())).or_default();
        if let Some(why) = problem {
            out.problems.push(Problem {
                kind: ProblemKind::Syntax,
                path: Some(path.clone()),
                span: None,
                message: why,
            });
            found.unread = Some(format!("`{path}` is not read whole"));
        }
        for document in &documents {
            manifest(path, document, found);
        }
    }
    // What an overlay changes in a service that another folder holds.
    let patches: Vec<Front> = groups
        .values()
        .flat_map(|found| &found.fronts)
        .filter(|front| front.selector.is_empty() && front.reach == Reach::Public)
        .cloned()
        .collect();
    for (name, mut found) in groups {
        if !found.workloads.is_empty() {
            found.patches.clone_from(&patches);
            finish(tree, &name, found, &built, out);
        }
    }
}

/// What Skaffold builds from which folder, where no Dockerfile says: `build.artifacts` of its configuration.
fn skaffold(tree: &Tree, built: &mut BTreeMap<String, Code>) {
    for (path, text) in &tree.texts {
        if !crate::tree::last(path.as_str()).starts_with("skaffold") {
            continue;
        }
        for document in yaml::parse(text).0 {
            let artifacts = document.at(&["build", "artifacts"]).map(Node::items);
            for artifact in artifacts.unwrap_or_default() {
                let Some(image) = artifact.text_at(&["image"]) else {
                    continue;
                };
                let context = artifact.text_at(&["context"]).unwrap_or(".");
                let project = artifact.text_at(&["jib", "project"]).unwrap_or(".");
                let folder =
                    joined(parent(path.as_str()), context).and_then(|c| joined(&c, project));
                let Some(folder) = folder.filter(|f| !tree.has(&format!("{f}/Dockerfile"))) else {
                    continue;
                };
                built.entry(image_name(image).to_owned()).or_insert(Code {
                    folders: vec![folder],
                    start: None,
                    why: format!("`{path}` builds the image from it"),
                });
            }
        }
    }
}

/// Folders that only sort manifests by kind or by service belong together.
fn group(path: &str) -> String {
    let mut folder = parent(path);
    let mut best = folder;
    while !folder.is_empty() {
        let name = folder.rsplit('/').next().unwrap_or_default();
        if matches!(
            name,
            "k8s"
                | "kubernetes"
                | "kubernetes-manifests"
                | "manifests"
                | "deploy"
                | "deployment"
                | "deployments"
                | "kube"
                | "kustomize"
                | "base"
        ) {
            best = folder;
        }
        folder = parent(folder);
    }
    best.to_owned()
}

fn manifest(path: &FilePath, node: &Node, found: &mut Found) {
    let mark = |node: &Node| Mark {
        path: path.clone(),
        line: node.line,
    };
    let name = node
        .text_at(&["metadata", "name"])
        .unwrap_or_default()
        .to_owned();
    match node.text_at(&["kind"]).unwrap_or_default() {
        "List" => {
            for item in node.get("items").map(Node::items).unwrap_or_default() {
                // A list holds no lists: one level.
                if item.text_at(&["kind"]) != Some("List") {
                    manifest(path, item, found);
                }
            }
        }
        kind @ ("Deployment" | "StatefulSet" | "DaemonSet" | "Pod" | "Job" | "CronJob"
        | "ReplicaSet" | "Rollout") => {
            found
                .workloads
                .extend(Workload::read(kind, name, node, path));
        }
        "Service"
            if node
                .text_at(&["apiVersion"])
                .is_some_and(|v| v.contains("knative")) =>
        {
            found.unread = Some(format!("service `{name}` of Knative is not read"));
        }
        "Service" => found.fronts.push(front(name, node, mark(node), path)),
        "Ingress" => found.ways.push(ingress(name, node, mark(node), path)),
        "HTTPRoute" | "GRPCRoute" | "VirtualService" | "IngressRoute" | "Route" | "HTTPProxy"
        | "Mapping" | "TCPRoute" | "TLSRoute" | "UDPRoute" | "TargetGroupBinding"
        | "ApisixRoute" | "TCPIngress" | "TransportServer" | "VirtualServer" => {
            let kind = node.text_at(&["kind"]).unwrap_or_default();
            let gateways = node
                .at(&["spec", "gateways"])
                .map(Node::texts)
                .unwrap_or_default();
            if kind == "HTTPRoute" {
                found.ways.push(http_route(name, node, mark(node), path));
            } else if kind == "VirtualService" && gateways.iter().all(|g| *g == "mesh") {
                // Between services only: it sorts requests that are inside already.
            } else {
                found.unread = Some(format!("`{kind}` `{name}` is not read"));
            }
        }
        "NetworkPolicy" => found.policies.extend(policy(name, node, mark(node))),
        "ConfigMap" => {
            let mut map = BTreeMap::new();
            for (key, value) in node.get("data").map(Node::entries).unwrap_or_default() {
                if let Some(text) = value.text() {
                    map.insert(key.clone(), (text.to_owned(), mark(value)));
                }
            }
            found.maps.insert(name, map);
        }
        _ => {}
    }
}

pub(crate) fn labels(node: Option<&Node>) -> Vec<(String, String)> {
    node.map(Node::entries)
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.text()?.to_owned())))
        .collect()
}

fn annotations(node: &Node) -> Vec<(String, String)> {
    labels(node.at(&["metadata", "annotations"]))
}

fn port(node: &Node, key: &str) -> Option<u16> {
    node.text_at(&[key])?.parse().ok()
}

fn front(name: String, node: &Node, mark: Mark, path: &FilePath) -> Front {
    let kind = node.at(&["spec", "type"]);
    let place = kind.map_or(mark, |kind| Mark {
        path: path.clone(),
        line: kind.line,
    });
    let word = kind.and_then(Node::text).unwrap_or("ClusterIP");
    let inside = annotations(node).into_iter().find(|(key, value)| {
        let key = key.to_ascii_lowercase();
        let value = value.to_ascii_lowercase();
        (key.contains("load-balancer-internal") || key.contains("internal-load-balancer"))
            && value != "false"
            || (key.contains("load-balancer-type") || key.contains("load-balancer-scheme"))
                && value == "internal"
    });
    let ranges = node
        .at(&["spec", "loadBalancerSourceRanges"])
        .map(Node::texts)
        .unwrap_or_default();
    let private = !ranges.is_empty() && ranges.iter().all(|r| network::is_private(r));
    let external = node
        .at(&["spec", "externalIPs"])
        .is_some_and(|ips| !ips.items().is_empty());
    let (reach, why) = match (word, inside) {
        ("LoadBalancer", Some((key, _))) => (
            Reach::Internal,
            format!("`{name}` is balanced inside only: `{key}`"),
        ),
        ("LoadBalancer", None) if private => (
            Reach::Internal,
            format!("`{name}` takes requests from {} only", ranges.join(", ")),
        ),
        ("LoadBalancer" | "NodePort", _) => (Reach::Public, format!("`{name}` is a {word}")),
        _ if external => (Reach::Public, format!("`{name}` has external addresses")),
        _ => (
            Reach::Internal,
            format!("`{name}` is a {word}, inside the cluster"),
        ),
    };
    let ports = node
        .at(&["spec", "ports"])
        .map(Node::items)
        .unwrap_or_default();
    Front {
        selector: labels(node.at(&["spec", "selector"])),
        ports: ports
            .iter()
            .map(|p| {
                let named = p.text_at(&["name"]).map(str::to_owned);
                (
                    named,
                    port(p, "port"),
                    port(p, "targetPort").or(port(p, "port")),
                )
            })
            .collect(),
        name,
        reach,
        why,
        place,
    }
}

fn ingress(name: String, node: &Node, mark: Mark, path: &FilePath) -> Way {
    let notes = annotations(node);
    let note = |part: &str| {
        notes
            .iter()
            .find(|(key, _)| key.rsplit('/').next() == Some(part))
            .map(|(_, value)| value.as_str())
    };
    let login = ["auth-url", "auth-signin", "auth-type", "auth-tls-secret"]
        .iter()
        .find(|key| note(key).is_some())
        .map(|key| (*key).to_owned());
    let ranges = note("whitelist-source-range").or(note("allowlist-source-range"));
    let closed = ranges
        .filter(|list| {
            list.split(',')
                .all(|block| network::is_private(block.trim()))
        })
        .map(|list| format!("only for {list}"));
    let inside = notes.iter().any(|(key, value)| {
        (key.ends_with("/scheme") && value == "internal")
            || (key.ends_with("ingress.class") && value.contains("internal"))
    }) || node
        .text_at(&["spec", "ingressClassName"])
        .is_some_and(|c| c.contains("internal"));
    let closed = closed.or_else(|| inside.then(|| "its balancer is internal".to_owned()));
    let rewrite = note("rewrite-target");
    let expressions = note("use-regex") == Some("true");
    let mut locations = Vec::new();
    let mut add = |site: usize, outer: Outer, backend: Option<&Node>, line: u32| {
        let host = backend
            .and_then(|b| {
                b.text_at(&["service", "name"])
                    .or(b.text_at(&["serviceName"]))
            })
            .unwrap_or_default()
            .to_ascii_lowercase();
        let inner = match rewrite {
            None => Inner::Same,
            Some(to) => rewritten(&outer, to),
        };
        let outer = match outer {
            // `/api(/|$)(.*)`
            Outer::Segments(text) if text.contains(['(', '$', '*', '[']) => {
                let head = text.split('(').next().unwrap_or_default().to_owned();
                match rewrite.is_some() || expressions {
                    true if head.starts_with('/') => Outer::Segments(head),
                    _ => Outer::Unread(text),
                }
            }
            other => other,
        };
        locations.push(Location {
            site,
            outer,
            host,
            port: None,
            inner,
            login: login.clone(),
            closed: closed.clone(),
            place: Mark {
                path: path.clone(),
                line,
            },
        });
    };
    let rules = node
        .at(&["spec", "rules"])
        .map(Node::items)
        .unwrap_or_default();
    let mut hosts: Vec<&str> = Vec::new();
    for rule in rules {
        let host = rule.text_at(&["host"]).unwrap_or_default();
        let site = hosts.iter().position(|h| *h == host).unwrap_or(hosts.len());
        if site == hosts.len() {
            hosts.push(host);
        }
        for path in rule
            .at(&["http", "paths"])
            .map(Node::items)
            .unwrap_or_default()
        {
            let text = path.text_at(&["path"]).unwrap_or("/").to_owned();
            let outer = match path.text_at(&["pathType"]) {
                Some("Exact") => Outer::Exact(text),
                _ => Outer::Segments(text.trim_end_matches('*').to_owned()),
            };
            add(site, outer, path.get("backend"), path.line);
        }
    }
    let fallback = node
        .at(&["spec", "defaultBackend"])
        .or(node.at(&["spec", "backend"]));
    if let Some(backend) = fallback {
        add(
            hosts.len(),
            Outer::Segments("/".to_owned()),
            Some(backend),
            backend.line,
        );
    }
    Way {
        name,
        place: mark,
        gateway: Gateway {
            locations,
            unread: None,
        },
    }
}

/// `/$2` behind `/api(/|$)(.*)` takes the prefix off; `/` sends all to one path.
fn rewritten(outer: &Outer, to: &str) -> Inner {
    match (outer, to) {
        (Outer::Segments(path), "/$2") if path.ends_with("(/|$)(.*)") => {
            Inner::Instead("/".to_owned())
        }
        (Outer::Segments(path), "/$1") if path.ends_with("/(.*)") => Inner::Instead("/".to_owned()),
        _ => Inner::Unread,
    }
}

fn http_route(name: String, node: &Node, mark: Mark, path: &FilePath) -> Way {
    let mut locations = Vec::new();
    for rule in node
        .at(&["spec", "rules"])
        .map(Node::items)
        .unwrap_or_default()
    {
        let mut inner: Option<Inner> = None;
        for filter in rule.get("filters").map(Node::items).unwrap_or_default() {
            if filter.text_at(&["type"]) == Some("URLRewrite") {
                let prefix = filter.text_at(&["urlRewrite", "path", "replacePrefixMatch"]);
                inner = Some(match prefix {
                    Some(to) => Inner::Instead(to.to_owned()),
                    None => Inner::Unread,
                });
            }
        }
        let matches = rule.get("matches").map(Node::items).unwrap_or_default();
        let mut outers: Vec<(Outer, u32)> = Vec::new();
        for one in matches {
            let value = one.text_at(&["path", "value"]).unwrap_or("/").to_owned();
            let outer = match one.text_at(&["path", "type"]).unwrap_or("PathPrefix") {
                "Exact" => Outer::Exact(value),
                "RegularExpression" => Outer::Unread(value),
                _ => Outer::Segments(value),
            };
            outers.push((outer, one.line));
        }
        if outers.is_empty() {
            outers.push((Outer::Segments("/".to_owned()), rule.line));
        }
        for backend in rule.get("backendRefs").map(Node::items).unwrap_or_default() {
            for (outer, line) in &outers {
                locations.push(Location {
                    site: 0,
                    outer: outer.clone(),
                    host: backend
                        .text_at(&["name"])
                        .unwrap_or_default()
                        .to_ascii_lowercase(),
                    port: port(backend, "port"),
                    inner: inner.clone().unwrap_or(Inner::Same),
                    login: None,
                    closed: None,
                    place: Mark {
                        path: path.clone(),
                        line: *line,
                    },
                });
            }
        }
    }
    Way {
        name,
        place: mark,
        gateway: Gateway {
            locations,
            unread: None,
        },
    }
}

/// `None` when it says nothing about who comes in.
fn policy(name: String, node: &Node, place: Mark) -> Option<Policy> {
    let types = node
        .at(&["spec", "policyTypes"])
        .map(Node::texts)
        .unwrap_or_default();
    let rules = node.at(&["spec", "ingress"]);
    if !types.is_empty() && !types.contains(&"Ingress") {
        return None;
    }
    // Selectors by expression are not read: such a policy is not taken to close anything.
    let selector = node.at(&["spec", "podSelector"]);
    if selector.is_some_and(|s| s.get("matchExpressions").is_some()) {
        return None;
    }
    let mut outside = false;
    for rule in rules.map(Node::items).unwrap_or_default() {
        let from = rule.get("from").map(Node::items).unwrap_or_default();
        outside |= from.is_empty();
        for peer in from {
            let block = peer.text_at(&["ipBlock", "cidr"]);
            outside |= block.is_some_and(|block| !network::is_private(block));
            // The namespace of an ingress controller lets in what it forwards; that is the ingress's matter.
        }
    }
    Some(Policy {
        name,
        selector: labels(selector.and_then(|s| s.get("matchLabels"))),
        outside,
        place,
    })
}

fn selects(selector: &[(String, String)], labels: &[(String, String)]) -> bool {
    selector.iter().all(|pair| labels.contains(pair))
}

fn finish(
    tree: &Tree,
    deployment: &str,
    found: Found,
    built: &BTreeMap<String, Code>,
    out: &mut Deployment,
) {
    let label = match deployment {
        "" => "kubernetes".to_owned(),
        folder => folder.to_owned(),
    };
    let own: BTreeSet<&str> = found
        .workloads
        .iter()
        .filter_map(Workload::own_image)
        .collect();
    let images = workload::Images {
        built,
        alone: own.len() == 1,
    };
    for workload in &found.workloads {
        let mut fronts: Vec<&Front> = found
            .fronts
            .iter()
            .filter(|f| !f.selector.is_empty() && selects(&f.selector, &workload.labels))
            .collect();
        let own_names: Vec<String> = fronts.iter().map(|f| f.name.clone()).collect();
        fronts.extend(found.patches.iter().filter(|p| own_names.contains(&p.name)));
        let policies: Vec<&Policy> = found
            .policies
            .iter()
            .filter(|p| selects(&p.selector, &workload.labels))
            .collect();
        // Policies add up: what one lets in comes in.
        let closed = policies
            .first()
            .filter(|_| policies.iter().all(|p| !p.outside));
        let mut doors: Vec<Door> = Vec::new();
        for front in &fronts {
            let (reach, why, place) = match closed {
                Some(policy) if front.reach == Reach::Public => (
                    Reach::Internal,
                    format!(
                        "network policy `{}` lets nobody from outside in",
                        policy.name
                    ),
                    &policy.place,
                ),
                _ => (front.reach, front.why.clone(), &front.place),
            };
            doors.push(Door {
                reach,
                why,
                place: place.clone(),
                port: front.ports.first().and_then(|(_, _, target)| *target),
            });
        }
        if let Some((place, why)) = &workload.host {
            doors.push(Door {
                reach: Reach::Public,
                why: why.clone(),
                place: place.clone(),
                port: None,
            });
        }
        if let Some(why) = &found.unread {
            doors.push(Door {
                reach: Reach::Unknown,
                why: why.clone(),
                place: workload.place.clone(),
                port: None,
            });
        }
        if doors.is_empty() {
            doors.push(Door {
                reach: Reach::Internal,
                why: "no service leads to it".to_owned(),
                place: workload.place.clone(),
                port: None,
            });
        }
        let mut hosts: Vec<String> = Vec::new();
        for front in &fronts {
            let name = front.name.to_ascii_lowercase();
            let space = workload.namespace.as_deref().unwrap_or("default");
            for host in [
                name.clone(),
                format!("{name}.{space}"),
                format!("{name}.{space}.svc"),
                format!("{name}.{space}.svc.cluster.local"),
            ] {
                hosts.push(host);
            }
        }
        out.services
            .push(workload.service(tree, &label, &found.maps, &images, hosts, doors));
    }
    let names: BTreeSet<&str> = found.workloads.iter().map(|w| w.name.as_str()).collect();
    for way in found.ways {
        let name = match names.contains(way.name.as_str()) {
            true => format!("ingress {}", way.name),
            false => way.name.clone(),
        };
        out.services.push(Service {
            name,
            deployment: label.clone(),
            sort: Sort::Kubernetes,
            place: way.place.clone(),
            hosts: Vec::new(),
            networks: Vec::new(),
            code: None,
            image: None,
            store: None,
            settings: BTreeMap::new(),
            settings_open: true,
            ports: Vec::new(),
            doors: vec![Door {
                reach: Reach::Public,
                why: "an ingress takes requests from outside".to_owned(),
                place: way.place,
                port: None,
            }],
            needs: Vec::new(),
            asleep: None,
            gateway: Some(way.gateway),
        });
    }
}
