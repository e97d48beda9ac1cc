//! Runs a program and says what it cost.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What one run took, its descendants included where they were waited for.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall_seconds: f64,
    pub cpu_seconds: f64,
    /// Peak of the program itself, not of what it started.
    pub peak_mebibytes: f64,
}

/// Runs to the end, output collected.
pub fn measured(command: &mut Command) -> Result<(Output, Cost), String> {
    let cpu = children_cpu();
    let start = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {:?}: {error}", command.get_program()))?;
    let sampler = Sampler::start(&child);
    let output = child
        .wait_with_output()
        .map_err(|error| format!("cannot wait: {error}"))?;
    let wall_seconds = start.elapsed().as_secs_f64();
    let peak_mebibytes = sampler.peak();
    let cpu_seconds = children_cpu() - cpu;
    Ok((
        output,
        Cost {
            wall_seconds,
            cpu_seconds,
            peak_mebibytes,
        },
    ))
}

/// Seconds of processor time of all children that were waited for: fields 16 and 17 of
/// `/proc/self/stat`, in hundredths (proc(5); the tick is 100 Hz on every Linux that Rust supports).
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // The first field after the name is field 3.
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|n| n.parse::<u64>().ok())
        .sum();
    ticks as f64 / 100.0
}

/// Reads the high-water mark of a process's memory while it lives; the mark only ever rises, so the
/// last sample misses at most what was added in the last interval.
struct Sampler {
    thread: std::thread::JoinHandle<f64>,
}

impl Sampler {
    fn start(child: &Child) -> Self {
        let path = format!("/proc/{}/status", child.id());
        let thread = std::thread::spawn(move || {
            let mut peak = 0.0_f64;
            while let Some(kibibytes) = high_water(&path) {
                peak = peak.max(kibibytes / 1024.0);
                std::thread::sleep(Duration::from_millis(10));
            }
            peak
        });
        Self { thread }
    }

    fn peak(self) -> f64 {
        self.thread.join().unwrap_or_default()
    }
}

fn high_water(path: &str) -> Option<f64> {
    let status = fs::read_to_string(path).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_cost_of_a_program_come_back() {
        let (output, cost) = measured(Command::new("sh").args(["-c", "echo out; exit 3"]))
            .expect("a shell is there");
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.status.code(), Some(3));
        assert!(cost.wall_seconds > 0.0);
    }
}
