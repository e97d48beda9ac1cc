//! What runs in pods: containers, their images, commands and settings.

use std::collections::BTreeMap;

use solvent_base::FilePath;

use super::labels;
use crate::docker;
use crate::service::{Code, Door, Service, Setting, Sort};
use crate::start::{self, Around};
use crate::store::{Store, image_name};
use crate::tree::{Mark, Tree, last, parent};
use crate::yaml::Node;

/// One container of a workload that stays running.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub name: String,
    pub namespace: Option<String>,
    pub labels: Vec<(String, String)>,
    pub place: Mark,
    /// Why the pod is reached at the machine's own address.
    pub host: Option<(Mark, String)>,
    image: String,
    command: Vec<String>,
    has_command: bool,
    ports: Vec<u16>,
    settings: Vec<(String, Value, Mark)>,
    /// Whole maps that are taken in.
    maps: Vec<String>,
    open: bool,
    asleep: bool,
}

#[derive(Clone, Debug)]
enum Value {
    Known(String),
    /// Key of a map.
    Of(String, String),
    Unknown,
}

/// What is known of images beside their names.
pub(super) struct Images<'a> {
    /// Code by the image that is built from it.
    pub built: &'a BTreeMap<String, Code>,
    /// The manifests run one image that is not everybody's.
    pub alone: bool,
}

impl Workload {
    pub(super) fn read(kind: &str, name: String, node: &Node, path: &FilePath) -> Vec<Self> {
        let pod: &[&str] = match kind {
            "Pod" => &[],
            "CronJob" => &["spec", "jobTemplate", "spec", "template"],
            _ => &["spec", "template"],
        };
        let Some(pod) = node.at(pod) else {
            return Vec::new();
        };
        let mark = |node: &Node| Mark {
            path: path.clone(),
            line: node.line,
        };
        let on_host = pod.at(&["spec", "hostNetwork"]).filter(|n| n.is_true());
        let containers = pod
            .at(&["spec", "containers"])
            .map(Node::items)
            .unwrap_or_default();
        let many = containers.len() > 1;
        let mut out = Vec::new();
        for container in containers {
            // A patch of another file's workload names no image.
            if container.text_at(&["image"]).is_none_or(str::is_empty) {
                continue;
            }
            let own = container.text_at(&["name"]).unwrap_or_default();
            let mut host =
                on_host.map(|n| (mark(n), "it is on the network of the machine".to_owned()));
            let mut ports = Vec::new();
            for port in container.get("ports").map(Node::items).unwrap_or_default() {
                ports.extend(
                    port.text_at(&["containerPort"])
                        .and_then(|p| p.parse::<u16>().ok()),
                );
                if let Some(at) = port.get("hostPort") {
                    let number = at.text().unwrap_or_default();
                    host = Some((
                        mark(at),
                        format!("port {number} of the machine leads to it"),
                    ));
                }
            }
            let mut settings = Vec::new();
            for setting in container.get("env").map(Node::items).unwrap_or_default() {
                let Some(name) = setting.text_at(&["name"]) else {
                    continue;
                };
                let map = setting.at(&["valueFrom", "configMapKeyRef"]);
                let value = match (setting.text_at(&["value"]), map) {
                    (Some(value), _) if !value.contains("$(") => Value::Known(value.to_owned()),
                    (None, Some(map)) => Value::Of(
                        map.text_at(&["name"]).unwrap_or_default().to_owned(),
                        map.text_at(&["key"]).unwrap_or_default().to_owned(),
                    ),
                    _ => Value::Unknown,
                };
                settings.push((name.to_owned(), value, mark(setting)));
            }
            let mut maps = Vec::new();
            let mut open = false;
            for from in container
                .get("envFrom")
                .map(Node::items)
                .unwrap_or_default()
            {
                match from.text_at(&["configMapRef", "name"]) {
                    Some(name) => maps.push(name.to_owned()),
                    None => open = true,
                }
            }
            let words = |key: &str| -> Option<Vec<String>> {
                let node = container.get(key)?;
                Some(node.texts().into_iter().map(str::to_owned).collect())
            };
            let has_command = words("command").is_some();
            let command = words("command")
                .into_iter()
                .chain(words("args"))
                .flatten()
                .collect();
            out.push(Self {
                name: if many && own != name {
                    format!("{name}/{own}")
                } else {
                    name.clone()
                },
                namespace: node.text_at(&["metadata", "namespace"]).map(str::to_owned),
                labels: labels(pod.at(&["metadata", "labels"])),
                place: mark(container),
                host,
                image: container.text_at(&["image"]).unwrap_or_default().to_owned(),
                command,
                has_command,
                ports,
                settings,
                maps,
                open,
                asleep: node.text_at(&["spec", "replicas"]) == Some("0"),
            });
        }
        out
    }

    pub(super) fn service(
        &self,
        tree: &Tree,
        deployment: &str,
        maps: &BTreeMap<String, BTreeMap<String, (String, Mark)>>,
        images: &Images<'_>,
        hosts: Vec<String>,
        doors: Vec<Door>,
    ) -> Service {
        let mut settings = BTreeMap::new();
        let mut open = self.open;
        let (code, image) = self.code(tree, images);
        let mut put = |name: &str, value: Option<String>, place: Mark| {
            settings.insert(name.to_owned(), Setting { value, place });
        };
        match &image {
            Some((path, image)) => {
                for (name, (value, line)) in &image.settings {
                    if let Some(path) = FilePath::new(path) {
                        let place = Mark { path, line: *line };
                        put(name, value.clone(), place);
                    }
                }
            }
            None => open = true,
        }
        for map in &self.maps {
            match maps.get(map) {
                Some(map) => {
                    for (name, (value, place)) in map {
                        put(name, Some(value.clone()), place.clone());
                    }
                }
                None => open = true,
            }
        }
        for (name, value, place) in &self.settings {
            let (value, place) = match value {
                Value::Known(text) => (Some(text.clone()), place.clone()),
                Value::Of(map, key) => match maps.get(map).and_then(|m| m.get(key)) {
                    Some((text, place)) => (Some(text.clone()), place.clone()),
                    None => (None, place.clone()),
                },
                Value::Unknown => (None, place.clone()),
            };
            put(name, value, place);
        }
        let mut ports = self.ports.clone();
        ports.sort_unstable();
        ports.dedup();
        Service {
            name: self.name.clone(),
            deployment: deployment.to_owned(),
            sort: Sort::Kubernetes,
            place: self.place.clone(),
            hosts,
            networks: Vec::new(),
            store: match code {
                Some(_) => None,
                None => Store::of_image(&self.image),
            },
            code,
            image: Some(self.image.clone()),
            settings,
            settings_open: open,
            ports,
            doors,
            needs: Vec::new(),
            asleep: self
                .asleep
                .then(|| ("it has no replicas".to_owned(), self.place.clone())),
            gateway: None,
        }
    }

    /// The Dockerfile whose folder is named like the image, and what it starts.
    fn code(
        &self,
        tree: &Tree,
        images: &Images<'_>,
    ) -> (Option<Code>, Option<(String, docker::Image)>) {
        if let Some(code) = images.built.get(image_name(&self.image)) {
            return (Some(code.clone()), None);
        }
        let name = image_name(&self.image).to_ascii_lowercase();
        let called = |file: &str| {
            let folder = parent(file);
            last(folder).to_ascii_lowercase() == name
                // `src/orders/docker/Dockerfile`, `orders/src/Dockerfile`
                || last(parent(folder)).to_ascii_lowercase() == name
                || last(file).to_ascii_lowercase() == format!("{name}.dockerfile")
                || last(file).to_ascii_lowercase() == format!("dockerfile.{name}")
        };
        let files: Vec<&FilePath> = tree
            .texts
            .keys()
            .filter(|p| is_dockerfile(p.as_str()))
            .collect();
        let mut fits: Vec<&str> = files
            .iter()
            .map(|p| p.as_str())
            .filter(|p| called(p))
            .collect();
        fits.sort_by_key(|path| last(parent(path)).to_ascii_lowercase() != name);
        // `shop_orders` and `shop-orders` are the image of the one folder `orders`.
        let mut tails: Vec<&str> = Vec::new();
        if fits.is_empty() {
            for file in &files {
                let folder = last(parent(file.as_str())).to_ascii_lowercase();
                let tail = name.strip_suffix(&folder).filter(|_| folder.len() > 2);
                if tail.is_some_and(|head| head.ends_with(['-', '_'])) {
                    tails.push(file.as_str());
                }
            }
        }
        if let [one] = tails.as_slice() {
            fits.push(one);
        }
        // One image of the tree's own, and one Dockerfile: they belong together.
        let only = match files.as_slice() {
            [one] if images.alone && self.own_image().is_some() => Some(one.as_str()),
            _ => None,
        };
        let Some(dockerfile) = fits.first().copied().or(only) else {
            return (None, None);
        };
        let image = docker::parse(tree.text(dockerfile).unwrap_or_default(), None);
        let folder = parent(dockerfile).to_owned();
        let around = Around {
            tree,
            context: &folder,
            image: Some(&image),
            mounts: &[],
            workdir: image.workdir.clone(),
            setting: &|_| None,
        };
        let of_image = image
            .command
            .as_ref()
            .filter(|_| !self.has_command && self.command.is_empty());
        let entrypoint = image.entrypoint.as_ref().filter(|_| !self.has_command);
        let whole: Vec<String> = entrypoint
            .into_iter()
            .flatten()
            .chain(&self.command)
            .chain(of_image.into_iter().flatten())
            .cloned()
            .collect();
        let code = Code {
            start: start::file(&whole, &around),
            why: format!("image `{name}` is taken for `{dockerfile}`"),
            folders: vec![folder],
        };
        (Some(code), Some((dockerfile.to_owned(), image)))
    }

    /// The image, unless it is one that everybody has: nobody's code here.
    pub(super) fn own_image(&self) -> Option<&str> {
        const LIBRARY: [&str; 14] = [
            "nginx",
            "traefik",
            "caddy",
            "busybox",
            "alpine",
            "python",
            "node",
            "golang",
            "curl",
            "envoy",
            "haproxy",
            "grafana",
            "prometheus",
            "jaeger",
        ];
        let known =
            LIBRARY.contains(&image_name(&self.image)) || Store::of_image(&self.image).is_some();
        (!known).then_some(self.image.as_str())
    }
}

pub(crate) fn is_dockerfile(path: &str) -> bool {
    let file = last(path);
    file == "Dockerfile"
        || file == "Containerfile"
        || file.starts_with("Dockerfile.")
        || file.to_ascii_lowercase().ends_with(".dockerfile")
}
