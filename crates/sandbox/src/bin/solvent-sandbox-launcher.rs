//! A launcher and nothing else, for programs whose own `main` cannot begin with the hook (tests).

fn main() {
    solvent_sandbox::reexec_hook();
    eprintln!("this program is started by the sandbox, not by hand");
    std::process::exit(2);
}
