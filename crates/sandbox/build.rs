//! Builds the canary program with the same compiler, without any library.

use std::env;
use std::path::PathBuf;
use std::process::{Command, exit};

fn main() {
    let source = "src/canary/main.rs";
    println!("cargo::rerun-if-changed={source}");
    println!("cargo::rerun-if-changed=build.rs");
    let var = |name: &str| {
        env::var(name).unwrap_or_else(|_| {
            println!("cargo::error=cargo did not set `{name}`");
            exit(1)
        })
    };
    if var("CARGO_CFG_TARGET_OS") != "linux" {
        println!("cargo::error=the sandbox is written for Linux");
        exit(1);
    }
    let out = PathBuf::from(var("OUT_DIR")).join("solvent-canary");
    let mut rustc = Command::new(var("RUSTC"));
    rustc
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "bin",
            "--crate-name",
            "solvent_canary",
        ])
        .args(["--target", &var("TARGET")])
        .args([
            "-C",
            "panic=abort",
            "-C",
            "opt-level=s",
            "-C",
            "debuginfo=0",
            "-C",
            "strip=symbols",
        ])
        .args([
            "-C",
            "relocation-model=static",
            "-C",
            "target-feature=+crt-static",
        ])
        .args([
            "-C",
            "link-arg=-nostartfiles",
            "-C",
            "link-arg=-nostdlib",
            "-C",
            "link-arg=-static",
        ])
        .args([
            "-C",
            "link-arg=-Wl,--build-id=none,-z,noexecstack",
            "-C",
            "codegen-units=1",
        ]);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.args(["-C", &format!("linker={linker}")]);
    }
    let status = rustc.arg("-o").arg(&out).arg(source).status();
    if !status.is_ok_and(|status| status.success()) {
        println!(
            "cargo::error=could not build the canary program (a C linker such as `gcc` is needed)"
        );
        exit(1);
    }
}
