//! What `doctor` is told, on a machine that can and on one that cannot.

use std::process::Command;

use solvent_sandbox::{Launcher, SandboxError, Tier, probe};

use crate::support::*;

#[test]
fn a_machine_with_namespaces_is_native() {
    as_root_and_plain_user("probe::a_machine_with_namespaces_is_native", || {
        let report = probe(&Launcher { exe: launcher() });
        assert_eq!(report.tier, Tier::Native, "{report:?}");
        assert!(
            report.facts.iter().any(|fact| fact.name == "canary"),
            "{report:?}"
        );
        assert!(
            report
                .facts
                .iter()
                .any(|fact| fact.name == "observer" && fact.seen == "sees executions"),
            "{report:?}"
        );
        let by_root = report
            .facts
            .iter()
            .any(|fact| fact.name == "identity" && fact.seen.starts_with("root"));
        assert_eq!(by_root, is_root(), "{report:?}");
        for missing in &report.cannot {
            unmeasured(missing);
        }
    });
}

#[test]
fn a_machine_without_namespaces_says_which_switch_would_help() {
    const INSIDE: &str = "SLV_WITHOUT_NAMESPACES";
    if std::env::var_os(INSIDE).is_none() {
        // The limit on namespaces holds for one user namespace and what is below it, so a machine without them
        // can be had inside one.
        let status = Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "sh",
                "-c",
                "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"",
                "sh",
            ])
            .arg(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "probe::a_machine_without_namespaces_says_which_switch_would_help",
                "--nocapture",
            ])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&status.stderr).into_owned();
        if said.contains("unshare failed") {
            unmeasured(&format!("a machine without namespaces: {said}"));
            return;
        }
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(
            status.status.success() && text.contains("1 passed"),
            "{text}{said}"
        );
        return;
    }
    match sandbox().launch(&spec(&["true"])) {
        Err(error @ SandboxError::NoUserNamespaces { .. }) => {
            assert!(
                error
                    .to_string()
                    .starts_with("this machine refuses user namespaces"),
                "{error}"
            );
            assert!(
                error.next_step().contains("user.max_user_namespaces"),
                "{}",
                error.next_step()
            );
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
    let report = probe(&Launcher { exe: launcher() });
    assert_ne!(report.tier, Tier::Native);
    assert_eq!(
        report.cannot,
        ["anything: without user namespaces no attack is run"]
    );
    assert!(report.hints[0].contains("sysctl"), "{report:?}");
}

#[test]
fn a_program_without_the_hook_is_named() {
    let launcher = Launcher {
        exe: "/bin/true".into(),
    };
    match solvent_sandbox::NativeSandbox::new(launcher).launch(&spec(&["true"])) {
        Err(error @ SandboxError::Launcher { .. }) => {
            assert!(error.to_string().contains("reexec_hook"), "{error}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}
