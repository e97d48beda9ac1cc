//! Services, their exposure and their settings, read from deployment files.
//!
//! It does not know about calls between functions, flows or proofs: it reads what stands beside the code
//! (compose files, Dockerfiles, Kubernetes manifests, gateways' configurations, lockfiles), says which
//! service runs which files and how requests get to it, and joins that with entry points, requests that
//! programs send, and findings. Read [`service`] (the nouns), [`read`], then [`bind`] (files to services),
//! [`expose`] (who can reach a route), [`cross`] (flows from one service into another). What cannot be
//! read is a problem, and never makes anything internal.

pub mod bind;
mod caddy;
pub mod component;
mod compose;
pub mod cross;
mod docker;
pub mod expose;
mod gateway;
mod helm;
mod kubernetes;
mod network;
mod nginx;
mod procfile;
mod read;
pub mod route;
pub mod service;
mod start;
pub mod store;
mod text;
mod traefik;
pub mod tree;
pub mod yaml;

pub use bind::Bound;
pub use expose::{Exposed, Reach};
pub use read::{MAX_FILE_BYTES, read, wanted};
pub use service::{Deployment, Service};
pub use tree::{Mark, Tree};

/// The host of a data store that a URL leads to.
pub fn store_host(url: &str) -> Option<String> {
    store::Store::of_url(url).map(|(_, host)| host)
}
