//! What the tests need from the machine, and how it gets there: Debian's packages as root, one line to
//! type otherwise.

use std::process::{Command, Stdio};

/// Whether missing packages may be installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Install {
    IfRoot,
    Never,
}

impl Install {
    /// `no_install` as the command line has it.
    pub fn from_flag(no_install: bool) -> Self {
        if no_install {
            Self::Never
        } else {
            Self::IfRoot
        }
    }
}

/// A thing that tests run, how to see that it is there, and the package that brings it.
struct Need {
    what: &'static str,
    probe: &'static [&'static str],
    package: &'static str,
}

/// Rust itself is there, or this would not run; with it came a linker and a C compiler.
const NEEDS: [Need; 4] = [
    Need {
        what: "git",
        probe: &["git", "--version"],
        package: "git",
    },
    Need {
        what: "Python 3",
        probe: &["python3", "--version"],
        package: "python3",
    },
    Need {
        what: "Python's virtual environments",
        probe: &["python3", "-c", "import venv, ensurepip"],
        package: "python3-venv",
    },
    Need {
        what: "certificates for package registries",
        probe: &["test", "-s", "/etc/ssl/certs/ca-certificates.crt"],
        package: "ca-certificates",
    },
];

/// The browser that looks at the pages; large, so that without it its test is unmeasured and the others run.
const BROWSER: [Need; 1] = [Need {
    what: "a browser to look at the pages with",
    probe: &["chromium", "--version"],
    package: "chromium",
}];

/// What no test can do without. `Ok` lists what was installed; `Err` says what to type.
pub fn prepare(install: Install) -> Result<Vec<&'static str>, String> {
    bring(install, &NEEDS)
}

/// The same for the browser.
pub fn browser(install: Install) -> Result<Vec<&'static str>, String> {
    bring(install, &BROWSER)
}

fn bring(install: Install, needs: &[Need]) -> Result<Vec<&'static str>, String> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !works(need.probe)).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let packages: Vec<&'static str> = missing.iter().map(|need| need.package).collect();
    let names: Vec<&str> = missing.iter().map(|need| need.what).collect();
    let advice = advice(&names, &packages);
    if install == Install::Never || !is_root() || !works(&["apt-get", "--version"]) {
        return Err(advice);
    }
    for arguments in [
        vec!["update", "--quiet"],
        [
            &["install", "--yes", "--quiet", "--no-install-recommends"],
            packages.as_slice(),
        ]
        .concat(),
    ] {
        let status = Command::new("apt-get")
            .args(&arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null())
            .status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!(
                "`apt-get {}` failed; {advice}",
                arguments.join(" ")
            ));
        }
    }
    match missing.iter().find(|need| !works(need.probe)) {
        Some(need) => Err(format!(
            "{} is still missing after installing; {advice}",
            need.what
        )),
        None => Ok(packages),
    }
}

fn advice(what: &[&str], packages: &[&str]) -> String {
    format!(
        "missing: {}; type: sudo apt-get install --yes {}",
        what.join(", "),
        packages.join(" ")
    )
}

fn works(argv: &[&str]) -> bool {
    Command::new(argv[0])
        .args(&argv[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_is_one_line_to_type() {
        let text = advice(
            &["git", "Python's virtual environments"],
            &["git", "python3-venv"],
        );
        assert!(
            text.ends_with("type: sudo apt-get install --yes git python3-venv"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_program_that_is_not_there_does_not_work() {
        assert!(works(&["true"]));
        assert!(!works(&["false"]));
        assert!(!works(&["no-such-program-anywhere"]));
    }
}
