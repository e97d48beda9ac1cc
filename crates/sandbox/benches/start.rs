//! What a sandbox costs: cold start, one connection, one canary round.
//!
//! `cargo bench -p solvent-sandbox` prints milliseconds and microseconds; `solvent-sandbox`'s budget is a
//! cold start under 50 ms and an attempt's overhead under 10 ms, beside the target's own start.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use solvent_sandbox::{
    CANARY_DIR, Launcher, Limits, NativeSandbox, Network, Sandbox as _, Sensors, Spec, reexec_hook,
};

const TIME: Duration = Duration::from_secs(20);

/// Accepts for ever and answers a fixed line.
const SERVER: &str = "
import socket
s = socket.create_server(('127.0.0.1', 8080), backlog=128)
while True:
    c, _ = s.accept(); c.recv(100); c.sendall(b'ok'); c.close()
";

fn main() {
    reexec_hook();
    let sandbox = NativeSandbox::new(Launcher::current());
    let spec = |argv: &[&str], sensors| Spec {
        layers: Vec::new(),
        workdir: "/tmp".into(),
        argv: argv.iter().map(|text| (*text).into()).collect(),
        env: vec![("PATH".into(), format!("{CANARY_DIR}:/usr/bin:/bin").into())],
        limits: Limits::application(),
        network: Network::Isolated,
        sensors,
    };
    let line = |name: &str, unit: &str, scale: f64, mut times: Vec<Duration>| {
        times.sort_unstable();
        let at =
            |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * scale;
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "{name:32} median {:8.1} {unit}   least {:8.1}   p95 {:8.1}",
            at(0.5),
            at(0.0),
            at(0.95)
        )
        .ok();
    };
    let measure = |rounds: usize, round: &mut dyn FnMut()| -> Vec<Duration> {
        (0..rounds)
            .map(|_| {
                let from = Instant::now();
                round();
                from.elapsed()
            })
            .collect()
    };
    let mut stops = Vec::new();
    let starts = (0..40)
        .map(|_| {
            let from = Instant::now();
            let instance = sandbox
                .start(&spec(&["/bin/sleep", "1000"], Sensors::Effects))
                .expect("a sandbox");
            let started = from.elapsed();
            let from = Instant::now();
            instance.stop().expect("an end");
            stops.push(from.elapsed());
            started
        })
        .collect();
    line("cold start until program runs", "ms", 1e3, starts);
    line("stop until everything is gone", "ms", 1e3, stops);
    let python = measure(10, &mut || {
        let mut instance = sandbox
            .start(&spec(&["python3", "-c", SERVER], Sensors::Effects))
            .expect("a sandbox");
        assert!(
            !instance.wait_listening(TIME).is_empty(),
            "the server did not start"
        );
    });
    line("python server, start to stop", "ms", 1e3, python);
    for (name, sensors) in [
        ("effects", Sensors::Effects),
        ("exec observed", Sensors::Exec),
    ] {
        let mut instance = sandbox
            .start(&spec(&["python3", "-c", SERVER], sensors))
            .expect("a sandbox");
        assert!(
            !instance.wait_listening(TIME).is_empty(),
            "the server did not start"
        );
        let connects = measure(500, &mut || {
            drop(instance.connect(8080, TIME).expect("a connection"))
        });
        line(&format!("connect ({name})"), "us", 1e6, connects);
        let exchanges = measure(500, &mut || {
            let mut stream = instance.connect(8080, TIME).expect("a connection");
            stream.write_all(b"x").expect("a request");
            stream.read_to_end(&mut Vec::new()).expect("an answer");
        });
        line(
            &format!("connect, ask, answer ({name})"),
            "us",
            1e6,
            exchanges,
        );
        let mut number = 0;
        let attempts = measure(200, &mut || {
            number += 1;
            let name = format!("c{number}");
            instance.plant_canary(&name).expect("a canary");
            instance
                .plant_file("/tmp/secret".as_ref(), name.as_bytes(), 0o644)
                .expect("a file");
            drop(instance.canary_events());
            drop(instance.net_events());
            drop(instance.sensor_events());
            instance
                .remove_file("/tmp/secret".as_ref())
                .expect("a file");
            instance.remove_canary(&name).expect("a canary");
        });
        line(
            &format!("one attempt's overhead ({name})"),
            "us",
            1e6,
            attempts,
        );
        let writes = measure(50, &mut || drop(instance.writes().expect("a list")));
        line(&format!("list of writes ({name})"), "us", 1e6, writes);
    }
}
