//! What this machine offers, found by trying.

use std::time::{Duration, Instant};

use crate::instance::{Instance as _, NetEvent, RunState};
use crate::native::{Launcher, NativeInstance, NativeSandbox};
use crate::spec::{CANARY_DIR, Limits, Network, Sensors, Spec};

/// Longest trial run.
const TRIAL: Duration = Duration::from_secs(10);

/// How strong a sandbox this machine gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Nothing: no attack is run.
    None,
    /// Landlock and seccomp without namespaces: kernel support is there, no back end uses it yet.
    Landlock,
    /// User namespaces, as root or not: everything in this crate works.
    Native,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub name: &'static str,
    /// What was seen, in words.
    pub seen: String,
}

/// The answer of [`probe`], for `solvent doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierReport {
    pub tier: Tier,
    /// What cannot be proven here, in words; empty when everything can.
    pub cannot: Vec<String>,
    /// What would change that.
    pub hints: Vec<String>,
    pub facts: Vec<Fact>,
}

/// Starts a real sandbox and looks at what worked. Takes some tens of milliseconds.
pub fn probe(launcher: &Launcher) -> TierReport {
    let mut report = TierReport {
        tier: Tier::None,
        cannot: Vec::new(),
        hints: Vec::new(),
        facts: Vec::new(),
    };
    report.fact(
        "landlock",
        match landlock_abi() {
            0 => "not offered by the kernel".to_owned(),
            abi => format!("version {abi}"),
        },
    );
    match NativeSandbox::new(launcher.clone()).launch(&trial()) {
        Ok(instance) => {
            report.tier = Tier::Native;
            look(&mut report, instance);
        }
        Err(error) => {
            if landlock_abi() > 0 {
                report.tier = Tier::Landlock;
            }
            report.fact("sandbox", error.to_string());
            report
                .cannot
                .push("anything: without user namespaces no attack is run".to_owned());
            report.hints.push(error.next_step());
        }
    }
    report
}

impl TierReport {
    fn fact(&mut self, name: &'static str, seen: String) {
        self.facts.push(Fact { name, seen });
    }
}

/// Runs the canary as soon as it is there, then asks for a name, if the machine has a tool for that.
fn trial() -> Spec {
    let script =
        "until probe 2>/dev/null; do sleep 0.005; done; getent hosts probe.solvent.invalid";
    Spec {
        layers: Vec::new(),
        workdir: "/tmp".into(),
        argv: ["/bin/sh", "-c", script].map(Into::into).to_vec(),
        env: vec![("PATH".into(), format!("{CANARY_DIR}:/usr/bin:/bin").into())],
        limits: Limits {
            memory_bytes: 64 << 20,
            processes: 16,
            cpu_seconds: 5,
            disk_bytes: 4 << 20,
            open_files: 64,
            output_bytes: 4096,
            wall: TRIAL,
        },
        network: Network::Isolated,
        sensors: Sensors::Exec,
    }
}

fn look(report: &mut TierReport, mut instance: NativeInstance) {
    report.fact(
        "identity",
        if instance.started_by_root() {
            "root here, an unprivileged user of its own inside".to_owned()
        } else {
            "the user who runs this, without any right outside".to_owned()
        },
    );
    report.fact("memory", if instance.has_memory_group() {
        "counted and limited by a control group".to_owned()
    } else {
        "limited for each process, and watched for all together ten times a second (no control group)".to_owned()
    });
    for (name, why) in instance.facts().to_vec() {
        match name.as_str() {
            "catch-all" => {
                report.cannot.push(
                    "server-side requests to bare addresses (names are still seen)".to_owned(),
                );
                report.hints.push(format!(
                    "load the kernel's nf_tables and nft_redir modules ({why})"
                ));
            }
            "catch-all ipv6" | "ipv6" => {
                report
                    .cannot
                    .push("server-side requests over IPv6".to_owned());
                report
                    .hints
                    .push(format!("turn on IPv6 in the kernel ({why})"));
            }
            _ => {
                report.cannot.push(format!("file writes there: {why}"));
                report.hints.push("run as root".to_owned());
            }
        }
    }
    let planted = instance.plant_canary("probe");
    let until = Instant::now() + TRIAL;
    while planted.is_ok() && instance.state() == RunState::Running && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(2));
    }
    if instance.canary_events().is_empty() {
        report
            .cannot
            .push("execution of programs (command and code injection)".to_owned());
        report
            .hints
            .push("allow programs to run from a tmpfs inside user namespaces".to_owned());
    } else {
        report.fact("canary", "ran inside and was recognised".to_owned());
    }
    let asked = instance.net_events().iter().any(
        |event| matches!(event, NetEvent::Dns { name, .. } if name == "probe.solvent.invalid"),
    );
    report.fact(
        "names",
        if asked {
            "answered inside".to_owned()
        } else {
            "no question arrived from `getent`; it may be missing here".to_owned()
        },
    );
    if instance.exec_events().is_empty() {
        report.fact(
            "observer",
            "no execution was observed; explanations will be shorter".to_owned(),
        );
    } else {
        report.fact("observer", "sees executions".to_owned());
    }
}

/// Version of the kernel's Landlock interface; zero when it has none.
fn landlock_abi() -> u32 {
    crate::sys::process::landlock_version()
}
