//! Who can reach a route: from outside, only from inside, or not known.

use crate::bind::Bound;
use crate::gateway::{Answer, Location};
use crate::route::Pattern;
use crate::service::{Deployment, Service};
use crate::tree::Mark;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reach {
    /// From outside of the deployment.
    Public,
    /// Not known: no deployment file says, or one could not be read.
    Unknown,
    /// Only from inside: other services, or the machine itself.
    Internal,
}

impl Reach {
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unknown => "unknown",
            Self::Internal => "internal",
        }
    }
}

/// Who can reach one entry point, and why that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exposed {
    pub reach: Reach,
    /// `port 8080 is published`, without a full stop.
    pub why: String,
    pub place: Option<Mark>,
    /// What asks for a login on every way in, before the program does: `auth_basic`.
    pub login: Vec<String>,
    /// Services that the entry point belongs to.
    pub services: Vec<usize>,
}

/// The exposure of a route whose handler stands in one of these files.
pub fn exposed(deployment: &Deployment, bound: &Bound, file: &str, route: &Pattern) -> Exposed {
    let services = bound.services_of(file);
    if services.is_empty() {
        let why = if deployment.services.is_empty() {
            "no deployment file says how it is reached"
        } else {
            "no service of the deployment files is seen to start it"
        };
        return Exposed {
            reach: Reach::Unknown,
            why: why.to_owned(),
            place: None,
            login: Vec::new(),
            services,
        };
    }
    let mut ways: Vec<Way> = Vec::new();
    for id in &services {
        ways.extend(of_service(deployment, *id, route));
    }
    // The worst counts; of equals the one without a login, then the first.
    ways.sort_by_key(|way| (way.reach, way.login.is_some()));
    let best = ways.first().cloned();
    let Some(best) = best else {
        return Exposed {
            reach: Reach::Unknown,
            why: "the deployment files do not say how it is reached".to_owned(),
            place: None,
            login: Vec::new(),
            services,
        };
    };
    // A template that is not read may publish what everything else keeps inside.
    if best.reach == Reach::Internal
        && let Some(mark) = deployment.unread.first()
    {
        return Exposed {
            reach: Reach::Unknown,
            why: format!("{}, and a file that is not read may publish it", best.why),
            place: Some(mark.clone()),
            login: Vec::new(),
            services,
        };
    }
    // A way that is not known may be one without a login.
    let unknown = ways.iter().any(|way| way.reach == Reach::Unknown);
    let login = match best.reach {
        Reach::Public if unknown => Vec::new(),
        Reach::Public => best.login.into_iter().collect(),
        _ => Vec::new(),
    };
    Exposed {
        reach: best.reach,
        why: best.why,
        place: best.place,
        login,
        services,
    }
}

#[derive(Clone, Debug)]
struct Way {
    reach: Reach,
    why: String,
    place: Option<Mark>,
    login: Option<String>,
}

/// Whether the service answers from outside at all, whatever the path; with the reason.
pub fn front(deployment: &Deployment, id: usize) -> Exposed {
    let any = Pattern::anything();
    let mut ways = of_service(deployment, id, &any);
    ways.sort_by_key(|way| (way.reach, way.login.is_some()));
    match ways.into_iter().next() {
        Some(way) => Exposed {
            reach: way.reach,
            why: way.why,
            place: way.place,
            login: way.login.into_iter().collect(),
            services: vec![id],
        },
        None => Exposed {
            reach: Reach::Unknown,
            why: "the deployment files do not say how it is reached".to_owned(),
            place: None,
            login: Vec::new(),
            services: vec![id],
        },
    }
}

fn of_service(deployment: &Deployment, id: usize, route: &Pattern) -> Vec<Way> {
    let Some(service) = deployment.services.get(id) else {
        return Vec::new();
    };
    if let Some((why, place)) = &service.asleep {
        return vec![Way {
            reach: Reach::Internal,
            why: format!("service `{}` is not started: {why}", service.name),
            place: Some(place.clone()),
            login: None,
        }];
    }
    let mut ways: Vec<Way> = service
        .doors
        .iter()
        .map(|door| Way {
            reach: door.reach,
            why: format!("service `{}`: {}", service.name, door.why),
            place: Some(door.place.clone()),
            login: None,
        })
        .collect();
    let mut refused: Option<Way> = None;
    for (at, gate) in deployment.services.iter().enumerate() {
        if at == id || gate.asleep.is_some() || !same_deployment(gate, service) {
            continue;
        }
        let Some(gateway) = &gate.gateway else {
            continue;
        };
        let reach = gate
            .doors
            .iter()
            .map(|door| door.reach)
            .min()
            .unwrap_or(Reach::Unknown);
        if reach == Reach::Internal {
            continue;
        }
        if let Some(why) = &gateway.unread
            && share_network(gate, service)
        {
            ways.push(Way {
                reach: Reach::Unknown,
                why: format!("gateway `{}`: {why}", gate.name),
                place: Some(gate.place.clone()),
                login: None,
            });
        }
        let leads = |location: &Location| service_named(deployment, at, &location.host) == Some(id);
        for answer in gateway.ways_to(&leads, route) {
            match answer {
                Answer::Open { location, why } => ways.push(Way {
                    reach,
                    why: format!("gateway `{}`: {why}", gate.name),
                    place: Some(location.place.clone()),
                    login: location.login.clone(),
                }),
                Answer::Unknown { location, why } => ways.push(Way {
                    reach: Reach::Unknown,
                    why: format!("gateway `{}`: {why}", gate.name),
                    place: Some(location.place.clone()),
                    login: None,
                }),
                Answer::Closed { location, why } => {
                    refused = Some(Way {
                        reach: Reach::Internal,
                        why: format!("gateway `{}`: {why}", gate.name),
                        place: Some(location.place.clone()),
                        login: None,
                    });
                }
            }
        }
    }
    // Why a gateway does not lead here says more than that no port is published.
    match refused {
        Some(way) => [vec![way], ways].concat(),
        None => ways,
    }
}

fn same_deployment(a: &Service, b: &Service) -> bool {
    a.deployment == b.deployment
}

fn share_network(a: &Service, b: &Service) -> bool {
    a.networks.is_empty()
        || b.networks.is_empty()
        || a.networks.iter().any(|n| b.networks.contains(n))
}

/// The service of the same deployment as `from` that answers to a host name.
pub fn service_named(deployment: &Deployment, from: usize, host: &str) -> Option<usize> {
    let host = host.to_ascii_lowercase();
    let asking = deployment.services.get(from)?;
    deployment
        .services
        .iter()
        .position(|service| same_deployment(service, asking) && service.hosts.contains(&host))
}
