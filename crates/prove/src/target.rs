//! A running target: started from the snapshot, answering, and asked one request at a time.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use solvent_finding::InconclusiveReason;
use solvent_sandbox::{
    Access, Instance, KillReason, Limits, Network, RunState, SENSOR_ENV, SENSOR_PATH, Sandbox,
    Sensors, Spec,
};

use crate::http::{self, Answer, HttpError, Request};
use crate::payload::PLANTED;
use crate::prepare::{
    APP, Prepared, SENSORS, TOOLS, VENV, environment, interpreter_layer, last_line_without, layer,
    workdir,
};
use crate::recipe::Start;

/// Port of targets that our launcher serves. Every sandbox has its own network, so it is always free.
const PORT: u16 = 8000;

/// An empty folder beside the application whose name begins as the application's own: a check of a path's
/// beginning that forgets the separator lets it in.
const NEIGHBOUR: &str = "/app-old";

/// Whether language sensors are loaded into the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Observe {
    Sensors,
    /// As the application runs on its own, to show that the sensors change nothing.
    Plain,
}

pub(crate) struct Running {
    pub instance: Box<dyn Instance>,
    address: (IpAddr, u16),
    /// From process start to the first good answer.
    pub start: Duration,
    pub limits: Vec<String>,
    pub requests: u64,
    /// Canaries that did not run, oldest first: a program in the background may still ask for one.
    pub canaries: VecDeque<String>,
    /// Values of its recipe that must not be repeated.
    secrets: Vec<String>,
}

/// Starts the target and waits for a good answer, not for the port.
pub(crate) fn start(
    prepared: &Prepared,
    sandbox: &dyn Sandbox,
    observe: Observe,
) -> Result<Running, InconclusiveReason> {
    let recipe = &prepared.recipe;
    let mut layers = vec![
        layer(&prepared.places.app, APP, Access::Overlay),
        layer(&prepared.places.venv, VENV, Access::ReadOnly),
        layer(&prepared.places.tools, TOOLS, Access::ReadOnly),
        layer(
            &prepared.places.tools.join("planted"),
            PLANTED,
            Access::Overlay,
        ),
        layer(
            &prepared.places.tools.join("planted"),
            NEIGHBOUR,
            Access::Overlay,
        ),
    ];
    layers.extend(interpreter_layer(&prepared.interpreter));
    let mut env = environment(recipe);
    if observe == Observe::Sensors {
        let path = match recipe.env.get("PYTHONPATH") {
            Some(own) => format!("{SENSORS}:{own}"),
            None => SENSORS.to_owned(),
        };
        env.retain(|(name, _)| name != "PYTHONPATH");
        env.push(("PYTHONPATH".into(), path.into()));
        env.push((SENSOR_ENV.into(), SENSOR_PATH.into()));
    }
    let timeout = Duration::from_secs(recipe.timeout_seconds);
    let spec = Spec {
        layers,
        workdir: workdir(recipe),
        argv: argv(&recipe.start),
        env,
        limits: Limits {
            wall: Duration::from_secs(4 * 3600),
            cpu_seconds: 4 * 3600,
            ..Limits::application()
        },
        network: Network::Isolated,
        sensors: Sensors::Effects,
    };
    let began = Instant::now();
    let instance = sandbox.start(&spec).map_err(|error| {
        InconclusiveReason::NoSandbox(format!("{error}; {}", error.next_step()))
    })?;
    let mut running = Running {
        instance,
        address: (IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
        start: Duration::ZERO,
        limits: Vec::new(),
        requests: 0,
        canaries: VecDeque::new(),
        secrets: recipe.secrets(),
    };
    running.wait_ready(&recipe.ready, recipe.port, began + timeout)?;
    running.start = began.elapsed();
    Ok(running)
}

fn argv(start: &Start) -> Vec<OsString> {
    let mut argv: Vec<String> = vec![
        format!("{VENV}/bin/python"),
        format!("{TOOLS}/launcher.py"),
        PORT.to_string(),
    ];
    match start {
        Start::App {
            module,
            variable,
            factory,
        } => {
            let mode = if *factory { "factory" } else { "app" };
            argv.extend([mode.to_owned(), module.clone(), variable.clone()]);
        }
        Start::Script(path) => argv.extend(["script".to_owned(), path.clone()]),
        Start::Module(name) => argv.extend(["module".to_owned(), name.clone()]),
        Start::Console { module, function } => {
            argv.extend(["console".to_owned(), module.clone(), function.clone()]);
        }
        Start::Command(command) => argv = command.clone(),
    }
    argv.into_iter().map(OsString::from).collect()
}

impl Running {
    fn wait_ready(
        &mut self,
        ready: &str,
        port: Option<u16>,
        deadline: Instant,
    ) -> Result<(), InconclusiveReason> {
        let mut bad: Option<(u16, u32)> = None;
        let mut pause = Duration::from_millis(10);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(InconclusiveReason::StartFailed(format!(
                    "no good answer in time{}; the end of its output: {}; raise `timeout` in `[target.start]`, or name a \
                     path that answers with `ready`",
                    bad.map_or_else(String::new, |(status, _)| format!(
                        " (last status {status})"
                    )),
                    self.said()
                )));
            }
            let mut listening = self
                .instance
                .wait_listening(left.min(Duration::from_millis(500)));
            self.check_alive()?;
            // The port that the recipe names, then ours, then the rest.
            listening.sort_by_key(|(_, p)| (Some(*p) != port, *p != PORT, *p));
            for (address, port) in listening {
                self.address = (loopback(address), port);
                let wait = deadline
                    .saturating_duration_since(Instant::now())
                    .min(Duration::from_secs(10));
                let request = Request {
                    method: "GET".into(),
                    target: ready.as_bytes().to_vec(),
                    headers: vec![
                        (b"Host".to_vec(), self.host().into_bytes()),
                        (b"Connection".to_vec(), b"close".to_vec()),
                    ],
                    body: Vec::new(),
                };
                let Ok(answer) = self.send(&request, wait) else {
                    continue;
                };
                if answer.status < 500 {
                    return Ok(());
                }
                let times = match bad {
                    Some((status, times)) if status == answer.status => times + 1,
                    _ => 1,
                };
                bad = Some((answer.status, times));
                // An application may answer its front page with an error for good and still serve others.
                if times >= 10 {
                    self.limits
                        .push(format!("`{ready}` answers with status {}", answer.status));
                    return Ok(());
                }
            }
            std::thread::sleep(pause);
            pause = (pause * 3 / 2).min(Duration::from_millis(300));
        }
    }

    fn check_alive(&mut self) -> Result<(), InconclusiveReason> {
        match self.instance.state() {
            RunState::Running => Ok(()),
            // A program may leave its server behind; what listens, lives.
            RunState::Exited { code: Some(0), .. } if !self.instance.listening().is_empty() => {
                Ok(())
            }
            RunState::Exited { code, signal } => {
                let how = match (code, signal) {
                    (Some(code), _) => format!("with code {code}"),
                    (None, Some(signal)) => format!("by signal {signal}"),
                    (None, None) => "for no known reason".to_owned(),
                };
                Err(InconclusiveReason::StartFailed(format!(
                    "the application ended {how} before it answered: {}; correct `[target.start]`",
                    self.said()
                )))
            }
            RunState::Killed { reason } => Err(InconclusiveReason::StartFailed(format!(
                "the application was killed before it answered: {}; {}",
                limit(reason),
                self.said()
            ))),
        }
    }

    fn said(&mut self) -> String {
        last_line_without(
            &String::from_utf8_lossy(&self.instance.output()),
            &self.secrets,
        )
    }

    /// Why the target is gone, or `None` while it lives.
    pub fn death(&mut self) -> Option<String> {
        match self.instance.state() {
            RunState::Running => None,
            RunState::Exited { code: Some(0), .. } if !self.instance.listening().is_empty() => None,
            RunState::Exited { code, signal } => {
                Some(format!("it ended (code {code:?}, signal {signal:?})"))
            }
            RunState::Killed { reason } => Some(limit(reason).to_owned()),
        }
    }

    /// As [`Self::death`], after a request failed: a process that stopped listening is given a moment to be
    /// seen ending.
    pub fn death_after_failure(&mut self) -> Option<String> {
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            let death = self.death();
            if death.is_some()
                || !self.instance.listening().is_empty()
                || Instant::now() >= deadline
            {
                return death;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `127.0.0.1:8000`
    pub fn host(&self) -> String {
        match self.address.0 {
            IpAddr::V4(address) => format!("{address}:{}", self.address.1),
            IpAddr::V6(address) => format!("[{address}]:{}", self.address.1),
        }
    }

    /// One request on a connection of its own.
    pub fn send(&mut self, request: &Request, timeout: Duration) -> Result<Answer, HttpError> {
        self.requests += 1;
        let (address, port) = self.address;
        let connected = self.instance.connect_to(address, port, timeout);
        let mut stream =
            connected.map_err(|error| HttpError::Io(std::io::Error::other(error.to_string())))?;
        let _ = stream.set_nodelay(true);
        http::exchange(&mut stream, request, timeout)
    }
}

fn limit(reason: KillReason) -> &'static str {
    match reason {
        KillReason::Memory => "it used more memory than its limit",
        KillReason::Wall => "it ran longer than its limit",
        KillReason::Cpu => "it used more CPU time than its limit",
        KillReason::Disk => "its output folder grew over its limit",
        KillReason::SandboxGone => "its sandbox ended",
    }
}

/// A listener on every address is reached on the loopback one.
fn loopback(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(a) if a.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(a) if a.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        other => other,
    }
}
