//! Services and what leads from one to another, as the graph shows them.

use std::collections::BTreeSet;

use solvent_deploy::expose;
use solvent_deploy::service::Service;
use solvent_finding::EntryPoint;
use solvent_protocol::graph::{ComponentView, ServiceCall, ServiceView};
use solvent_protocol::view::Unmeasured;

use crate::system::{Joined, place};

/// Services, and calls between them; `stands` is where each entry point stands in the graph.
pub fn drawn(
    joined: &Joined,
    entries: &[EntryPoint],
    stands: &[Option<u32>],
) -> (Vec<ServiceView>, Vec<ServiceCall>) {
    let all = &joined.deployment.services;
    let services: Vec<ServiceView> = all
        .iter()
        .enumerate()
        .map(|(id, service)| view(joined, entries, stands, id, service))
        .collect();
    let mut calls: Vec<ServiceCall> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut push = |call: ServiceCall| {
        let key = (
            call.from,
            call.to,
            call.how.clone(),
            call.what.clone(),
            call.entry,
        );
        let at = call.place.as_ref().map(|p| (p.path.clone(), p.line));
        if seen.insert((key, at)) {
            calls.push(call);
        }
    };
    for call in &joined.calls {
        let sent = &joined.sent[call.sent];
        push(ServiceCall {
            from: call.from as u32,
            to: call.to as u32,
            how: "http".to_owned(),
            what: format!("{} {}", sent.method.as_deref().unwrap_or("ANY"), call.path),
            entry: call.entry.and_then(|at| stands.get(at).copied().flatten()),
            place: Some((&sent.location).into()),
        });
    }
    for (id, service) in all.iter().enumerate() {
        let locations = service.gateway.iter().flat_map(|g| &g.locations);
        for location in locations.filter(|l| l.closed.is_none()) {
            if let Some(to) = expose::service_named(&joined.deployment, id, &location.host) {
                push(ServiceCall {
                    from: id as u32,
                    to: to as u32,
                    how: "forwards".to_owned(),
                    what: location.outer.text().to_owned(),
                    entry: None,
                    place: Some(place(&location.place)),
                });
            }
        }
        // A setting that names a store: `DATABASE_URL=postgresql://db/shop`, `REDIS_HOST=redis`.
        for (name, setting) in &service.settings {
            let Some(value) = &setting.value else {
                continue;
            };
            let host = match solvent_deploy::store_host(value) {
                Some(host) => host,
                None => value.to_ascii_lowercase(),
            };
            let to = expose::service_named(&joined.deployment, id, &host);
            if let Some(to) = to.filter(|to| all[*to].store.is_some()) {
                push(ServiceCall {
                    from: id as u32,
                    to: to as u32,
                    how: "store".to_owned(),
                    what: name.clone(),
                    entry: None,
                    place: Some(place(&setting.place)),
                });
            }
        }
    }
    let joined_up: BTreeSet<(u32, u32)> = calls.iter().map(|c| (c.from, c.to)).collect();
    for (id, service) in all.iter().enumerate() {
        for need in &service.needs {
            let to = expose::service_named(&joined.deployment, id, need);
            if let Some(to) = to.filter(|to| !joined_up.contains(&(id as u32, *to as u32))) {
                calls.push(ServiceCall {
                    from: id as u32,
                    to: to as u32,
                    how: "after".to_owned(),
                    what: String::new(),
                    entry: None,
                    place: Some(place(&service.place)),
                });
            }
        }
    }
    calls.sort_by(|a, b| {
        let key = |c: &ServiceCall| {
            let at = c.place.as_ref().map(|p| (p.path.clone(), p.line));
            (c.from, c.to, c.how.clone(), c.what.clone(), at)
        };
        key(a).cmp(&key(b))
    });
    (services, calls)
}

fn view(
    joined: &Joined,
    entries: &[EntryPoint],
    stands: &[Option<u32>],
    id: usize,
    service: &Service,
) -> ServiceView {
    let own = entries
        .iter()
        .zip(stands)
        .filter(|(entry, _)| {
            joined
                .bound
                .services_of(entry.location.path.as_str())
                .contains(&id)
        })
        .filter_map(|(_, at)| *at);
    let code = service.code.as_ref();
    let folders = code.iter().flat_map(|code| &code.folders);
    let mut exposure = joined.of(&expose::front(&joined.deployment, id));
    let mut callers: BTreeSet<&str> = BTreeSet::new();
    for call in joined
        .calls
        .iter()
        .filter(|call| call.to == id && call.from != id)
    {
        callers.insert(&joined.deployment.services[call.from].name);
    }
    exposure.callers = callers.into_iter().map(str::to_owned).collect();
    ServiceView {
        name: service.name.clone(),
        deployment: service.deployment.clone(),
        sort: service.sort.word().to_owned(),
        place: place(&service.place),
        code: folders
            .map(|f| {
                if f.is_empty() {
                    ".".to_owned()
                } else {
                    f.clone()
                }
            })
            .collect(),
        code_why: code.map(|c| c.why.clone()).unwrap_or_default(),
        start: code.and_then(|c| c.start.clone()),
        image: service.image.clone(),
        store: service.store.map(|s| s.word().to_owned()),
        gateway: service.gateway.is_some(),
        exposure,
        ports: service.ports.clone(),
        entry_points: own.collect(),
        settings: service.settings.keys().cloned().collect(),
        asleep: service.asleep.as_ref().map(|(why, _)| why.clone()),
    }
}

pub fn components(joined: &Joined) -> Vec<ComponentView> {
    joined
        .deployment
        .components
        .iter()
        .map(|c| ComponentView {
            ecosystem: c.ecosystem.word().to_owned(),
            name: c.name.clone(),
            version: c.version.clone(),
            usage: c.usage.word().to_owned(),
            place: place(&c.place),
        })
        .collect()
}

/// Deployment files that could not be read.
pub fn unmeasured(joined: &Joined) -> Vec<Unmeasured> {
    joined
        .deployment
        .problems
        .iter()
        .map(|problem| Unmeasured {
            what: problem.path.as_ref().map_or_else(
                || "part of the deployment".to_owned(),
                |p| format!("file {p}"),
            ),
            why: problem.message.clone(),
        })
        .collect()
}
