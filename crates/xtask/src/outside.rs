//! What tests need from registries: a validator of an outside format, and the example shops' own suites.
//!
//! Both live below `target/tools`, so that a clean clone fetches them once. Where a registry or its
//! client is absent the step is unmeasured, with the reason.

use std::path::Path;
use std::process::Command;

use crate::summary::Outcome;

/// The SARIF validator, of the format's own makers; pinned, so that its rules do not change under us.
const SARIF_TOOL: &str = "@microsoft/sarif-multitool@5.7.0";
const SARIF_PROGRAM: &str = "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool";

/// Fetches the SARIF validator that the report room's tests look for.
pub fn sarif_validator(root: &Path) -> Outcome {
    let tools = root.join("target/tools");
    let program = tools.join(SARIF_PROGRAM);
    if program.is_file() {
        return Outcome::Passed;
    }
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
        .arg(&tools)
        .arg(SARIF_TOOL)
        .output();
    match output {
        Err(error) => Outcome::Unmeasured(format!(
            "SARIF is not validated: npm cannot be started: {error}"
        )),
        Ok(output) if !output.status.success() => Outcome::Unmeasured(format!(
            "SARIF is not validated: npm could not fetch the validator: {}",
            last_line(&output.stderr)
        )),
        // The package sets this bit in a script, and scripts may be switched off.
        Ok(_) => match Command::new("chmod").arg("u+x").arg(&program).status() {
            Ok(status) if status.success() => Outcome::Passed,
            _ => Outcome::Unmeasured(
                "SARIF is not validated: the package holds no program for this system".to_owned(),
            ),
        },
    }
}

/// Runs the example shops' own pytest suites.
pub fn shop_suites(root: &Path) -> Outcome {
    let venv = root.join("target/tools/shop");
    let python = venv.join("bin/python");
    if !venv.join("ready").is_file() {
        let made = Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&venv)
            .output();
        match made {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                return Outcome::Failed(format!(
                    "cannot make a virtual environment: {}",
                    last_line(&output.stdout)
                ));
            }
            Err(error) => return Outcome::Failed(format!("cannot start python3: {error}")),
        }
        let fetched = Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "-r"])
            .arg(root.join("examples/storefront/requirements.txt"))
            .output();
        match fetched {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                return Outcome::Unmeasured(format!(
                    "the shops' own suites: their packages cannot be fetched: {}",
                    last_line(&output.stderr)
                ));
            }
            Err(error) => return Outcome::Failed(format!("cannot start pip: {error}")),
        }
        if let Err(error) = std::fs::write(venv.join("ready"), "") {
            return Outcome::Failed(format!("cannot write below target: {error}"));
        }
    }
    for shop in ["examples/storefront", "examples/storefront-fixed"] {
        let run = Command::new(&python)
            .args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"])
            .current_dir(root.join(shop))
            .status();
        match run {
            Ok(status) if status.success() => {}
            Ok(status) => return Outcome::Failed(format!("{shop}: {status}")),
            Err(error) => return Outcome::Failed(format!("cannot start pytest: {error}")),
        }
    }
    Outcome::Passed
}

fn last_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output)
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing")
        .to_owned()
}
