//! Budgets: what happens to a target that wants more.

use std::time::{Duration, Instant};

use solvent_sandbox::{Access, Instance as _, KillReason, RunState};

use crate::support::*;

#[test]
fn a_fork_bomb_stops_at_its_limit_and_dies_with_the_sandbox() {
    as_root_and_plain_user(
        "limits::a_fork_bomb_stops_at_its_limit_and_dies_with_the_sandbox",
        || {
            let script = r#"
import os, sys, time
made = 0
while True:
    try:
        if os.fork() == 0: time.sleep(1000)
        made += 1
    except OSError as e:
        print('stopped at', made, e.errno); sys.stdout.flush(); time.sleep(1000)
"#;
            let mut spec = spec(&["python3", "-c", script]);
            spec.limits.processes = 20;
            let mut instance = start(&spec);
            let until = Instant::now() + Duration::from_secs(30);
            let mut output = String::new();
            while !output.contains('\n') && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
                output = String::from_utf8_lossy(&instance.output()).into_owned();
            }
            assert_eq!(output, "stopped at 19 11\n");
            instance.stop().unwrap();
        },
    );
}

#[test]
fn forking_without_end_does_not_stop_the_answers() {
    as_root_and_plain_user(
        "limits::forking_without_end_does_not_stop_the_answers",
        || {
            let script = "import os\nwhile True:\n try: os.fork()\n except OSError: pass";
            let mut spec = spec(&["python3", "-c", script]);
            spec.limits.processes = 12;
            let mut instance = start(&spec);
            assert_eq!(instance.state(), RunState::Running);
            assert_eq!(instance.listening(), []);
            instance.stop().unwrap();
        },
    );
}

#[test]
fn a_full_disk_is_the_targets_problem_only() {
    as_root_and_plain_user("limits::a_full_disk_is_the_targets_problem_only", || {
        let mut spec = spec(&[
            "sh",
            "-c",
            "for i in 1 2 3 4 5 6 7 8; do head -c 4000000 /dev/zero > /tmp/f$i; head -c 4000000 /dev/zero > /dev/shm/g$i; done; df -k /tmp | tail -1 | awk '{print $2}'; while :; do mkdir -p /tmp/d/$i; i=x$i; [ ${#i} -gt 9000 ] && break; done; sleep 1000",
        ]);
        spec.limits.disk_bytes = 16 << 20;
        let mut instance = start(&spec);
        let until = Instant::now() + Duration::from_secs(30);
        while !instance.output().contains(&b'\n')
            || !String::from_utf8_lossy(&instance.output()).contains("16384\n")
        {
            assert!(
                Instant::now() < until,
                "{}",
                String::from_utf8_lossy(&instance.output())
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(String::from_utf8_lossy(&instance.output()).contains("No space left on device"));
        // Canaries and sensors have their own room.
        instance.plant_canary("still").unwrap();
        let total: u64 = instance
            .writes()
            .unwrap()
            .iter()
            .map(|write| write.size)
            .sum();
        assert!(total <= 16 << 20, "{total}");
        instance.stop().unwrap();
    });
}

#[test]
fn a_memory_hog_is_killed_and_named() {
    as_root_and_plain_user("limits::a_memory_hog_is_killed_and_named", || {
        // In one process and over many: each below the limit, together above it.
        for script in [
            "x = []\nwhile True: x.append(bytearray(8 << 20))",
            "import os, time\nfor i in range(16):\n if os.fork() == 0:\n  x = bytearray(24 << 20); time.sleep(1000)\nos.wait(); time.sleep(1000)",
        ] {
            let mut spec = spec(&["python3", "-c", script]);
            spec.limits.memory_bytes = 128 << 20;
            spec.limits.disk_bytes = 4 << 20;
            let mut instance = start(&spec);
            let until = Instant::now() + Duration::from_secs(60);
            let mut survived = true;
            while survived && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
                // A process limit shows as MemoryError where no control group counts; a group's or the
                // watch's as a kill, of which the program itself need not be the victim.
                let text = String::from_utf8_lossy(&instance.output()).into_owned();
                survived = match instance.state() {
                    RunState::Killed { reason } => {
                        assert_eq!(reason, KillReason::Memory);
                        false
                    }
                    RunState::Exited { code, .. } => {
                        assert_eq!(code, Some(1), "{text}");
                        assert!(text.contains("MemoryError"), "{text}");
                        false
                    }
                    RunState::Running => instance.memory_kills() == 0,
                };
            }
            assert!(!survived, "nothing stopped it");
            let peak = instance.usage().peak_memory.unwrap();
            assert!(peak < 400 << 20, "{peak}");
        }
    });
}

#[test]
fn processor_time_of_the_tree_is_limited() {
    as_root_and_plain_user("limits::processor_time_of_the_tree_is_limited", || {
        // Two busy processes, neither of which passes the limit alone before both together do.
        let mut spec = spec(&[
            "sh",
            "-c",
            "(while :; do :; done) & (while :; do :; done) & wait",
        ]);
        spec.limits.cpu_seconds = 1;
        let mut instance = start(&spec);
        let (state, _) = finish(&mut instance);
        assert_eq!(
            state,
            RunState::Killed {
                reason: KillReason::Cpu
            }
        );
        assert!(
            instance.usage().cpu >= Duration::from_millis(900),
            "{:?}",
            instance.usage()
        );
        let usage = instance.stop().unwrap();
        assert!(usage.cpu < Duration::from_secs(10), "{usage:?}");
    });
}

#[test]
fn time_is_limited_even_for_who_ignores_signals() {
    as_root_and_plain_user(
        "limits::time_is_limited_even_for_who_ignores_signals",
        || {
            let mut spec = spec(&[
                "sh",
                "-c",
                "trap '' TERM INT HUP; (trap '' TERM; sleep 1000) & while :; do sleep 1000; done",
            ]);
            spec.limits.wall = Duration::from_millis(200);
            let mut instance = start(&spec);
            let (state, _) = finish(&mut instance);
            assert_eq!(
                state,
                RunState::Killed {
                    reason: KillReason::Wall
                }
            );
            // What is left can still be asked.
            assert!(instance.writes().unwrap().is_empty());
            instance.stop().unwrap();
        },
    );
}

#[test]
fn open_files_are_limited() {
    as_root_and_plain_user("limits::open_files_are_limited", || {
        let mut spec = spec(&[
            "python3",
            "-c",
            "f = []\ntry:\n while True: f.append(open('/dev/null'))\nexcept OSError as e: print(len(f), e.errno)",
        ]);
        spec.limits.open_files = 64;
        let (_, output) = finish(&mut start(&spec));
        assert_eq!(output, "61 24\n");
    });
}

#[test]
fn an_output_folder_cannot_grow_over_the_budget() {
    as_root_and_plain_user(
        "limits::an_output_folder_cannot_grow_over_the_budget",
        || {
            // Large files, and a flood of empty ones.
            for script in [
                "i=0; while :; do head -c 1000000 /dev/zero > /out/f$i; i=$((i+1)); done",
                "import itertools\nfor i in itertools.count(): open('/out/%d' % i, 'w').close()",
            ] {
                let out = tempfile::tempdir().unwrap();
                let shell = ["sh", "-c", script];
                let python = ["python3", "-c", script];
                let mut spec = spec(if script.starts_with("import") {
                    &python
                } else {
                    &shell
                });
                spec.layers
                    .push(layer(out.path(), "/out", Access::ReadWrite));
                spec.limits.disk_bytes = 8 << 20;
                let mut instance = start(&spec);
                let (state, output) = finish(&mut instance);
                assert_eq!(
                    state,
                    RunState::Killed {
                        reason: KillReason::Disk
                    },
                    "{output}"
                );
            }
        },
    );
}
