//! Runs hostile code inside a budget with no way out.
//!
//! It does not know about findings, requests or oracles: it starts a program, hands out connections to it
//! and reports what the program did. Read [`spec`] (what to run) and [`instance`] (what can be asked of a
//! running target) first; [`error`] says what went wrong and what to do, [`probe`] what this machine
//! offers. [`native`] is the back end: the supervisor's side of the conversation. It starts `launch` (a
//! re-executed, single-threaded process outside the namespaces that guards the sandbox's life), which
//! starts `inside` (process 1 of the sandbox: builds the root, starts the target, answers questions).
//!
//! Promises, named where they are kept:
//! - *no root inside*: the target has no capability and no user id that owns anything on the host;
//! - *no host writes*: every mount it sees is read-only or ends in a throw-away tmpfs, except
//!   [`Access::ReadWrite`] layers;
//! - *no network*: its network namespace has no interface but `lo`;
//! - *nothing left behind*: every process lives in one PID namespace that dies with the supervisor, and
//!   nothing is ever put on the host's disk.

#![cfg_attr(
    test,
    expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")
)]

pub mod error;
pub mod instance;
pub mod native;
pub mod probe;
pub mod spec;

mod cgroup;
mod inside;
mod launch;
mod order;
mod proxy;
mod sys;
mod wire;

pub use error::SandboxError;
pub use instance::{
    Ancestor, CanaryEvent, Change, ExecEvent, FileKind, Instance, KillReason, NetEvent, RunState,
    Sandbox, SensorEvent, Usage, WrittenPath,
};
pub use native::{Launcher, NativeInstance, NativeSandbox, reexec_hook};
pub use probe::{Fact, Tier, TierReport, probe};
pub use spec::{
    Access, CANARY_DIR, FETCH_PROXY_URL, FetchProxy, HostPort, Layer, Limits, Network, SENSOR_ENV,
    SENSOR_PATH, Sensors, Spec,
};
