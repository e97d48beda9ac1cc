//! Starting, connecting, planting, canaries, sensors, the network inside.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use solvent_sandbox::{
    Access, Change, FileKind, Instance as _, NetEvent, RunState, SandboxError, Sensors,
};

use crate::support::*;

const TIME: Duration = Duration::from_secs(20);

const SIGSEGV: i32 = 11;

/// A web server that runs its query as a shell command.
const SHELL_SERVER: &str = r#"
import http.server, subprocess, sys, urllib.parse
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        q = urllib.parse.unquote(self.path[1:])
        out = subprocess.run(q, shell=True, capture_output=True).stdout
        self.send_response(200); self.end_headers(); self.wfile.write(out)
    def log_message(self, *a): pass
http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), H).serve_forever()
"#;

#[test]
fn a_web_server_is_reached_and_its_canary_reported() {
    as_root_and_plain_user(
        "target::a_web_server_is_reached_and_its_canary_reported",
        || {
            let mut instance = start(&spec(&["python3", "-c", SHELL_SERVER, "127.0.0.1", "8080"]));
            let listening = instance.wait_listening(TIME);
            assert_eq!(
                listening,
                [(Ipv4Addr::LOCALHOST.into(), 8080)],
                "{}",
                String::from_utf8_lossy(&instance.output())
            );
            instance
                .plant_file(Path::new("/tmp/secret.txt"), b"planted", 0o644)
                .unwrap();
            let answer = request(
                &mut instance.connect(8080, TIME).unwrap(),
                "/cat%20/tmp/secret.txt",
            );
            assert!(answer.ends_with("planted"), "{answer}");
            let path = instance.plant_canary("c0ffee").unwrap();
            assert_eq!(path, Path::new("/slv/c0ffee"));
            request(
                &mut instance.connect(8080, TIME).unwrap(),
                "/true;c0ffee%20x",
            );
            let events = instance.canary_events();
            assert_eq!(events.len(), 1, "{events:?}");
            assert_eq!(events[0].name, "c0ffee");
            assert_eq!(events[0].argv, ["c0ffee", "x"]);
            assert!(
                events[0].ancestors.iter().any(|a| a.comm == "python3"),
                "{events:?}"
            );
            assert_eq!(instance.state(), RunState::Running);
            assert_eq!(instance.writes().unwrap(), []);
            instance.remove_canary("c0ffee").unwrap();
            instance.remove_file(Path::new("/tmp/secret.txt")).unwrap();
            request(&mut instance.connect(8080, TIME).unwrap(), "/c0ffee");
            assert_eq!(instance.canary_events(), []);
            instance.stop().unwrap();
        },
    );
}

#[test]
fn a_canary_runs_by_absolute_path_without_any_environment() {
    as_root_and_plain_user(
        "target::a_canary_runs_by_absolute_path_without_any_environment",
        || {
            let mut spec = spec(&["python3", "-c", SHELL_SERVER, "127.0.0.1", "8080"]);
            spec.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
            let mut instance = start(&spec);
            assert_ne!(instance.wait_listening(TIME), []);
            let path = instance.plant_canary("abc").unwrap();
            let query = format!(
                "/exec%20env%20-i%20{}%200<%26-%201>%26-%202>%26-",
                path.display()
            );
            request(&mut instance.connect(8080, TIME).unwrap(), &query);
            let events = instance.canary_events();
            assert_eq!(
                events.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(),
                ["abc"]
            );
        },
    );
}

#[test]
fn nobody_can_forge_or_list_canaries() {
    as_root_and_plain_user("target::nobody_can_forge_or_list_canaries", || {
        let mut instance = start(&spec(&["python3", "-c", SHELL_SERVER, "127.0.0.1", "8080"]));
        assert_ne!(instance.wait_listening(TIME), []);
        instance.plant_canary("hidden").unwrap();
        let script = "import os,socket;s=socket.socket(socket.AF_UNIX);s.connect('/slv/.s');print('connected')\n\
                      try: s.send(b'hidden')\nexcept OSError: pass\nfor f in (lambda:os.listdir('/slv'),lambda:os.chmod('/slv',0o777),lambda:open('/slv/x','w'),lambda:os.unlink('/slv/hidden')):\n try: print('DID',f())\n except OSError as e: print('no')";
        instance
            .plant_file(Path::new("/tmp/forge.py"), script.as_bytes(), 0o644)
            .unwrap();
        let answer = request(
            &mut instance.connect(8080, TIME).unwrap(),
            "/python3%20/tmp/forge.py%202>%261",
        );
        assert!(answer.ends_with("connected\nno\nno\nno\nno\n"), "{answer}");
        assert_eq!(instance.canary_events(), []);
        // A copy of the canary under another name is not the canary.
        request(
            &mut instance.connect(8080, TIME).unwrap(),
            "/cp%20/slv/hidden%20/tmp/hidden;/tmp/hidden",
        );
        assert_eq!(instance.canary_events(), []);
        request(
            &mut instance.connect(8080, TIME).unwrap(),
            "/sh%20-c%20hidden",
        );
        assert_eq!(instance.canary_events().len(), 1);
    });
}

#[test]
fn a_target_bound_to_another_loopback_address_is_reached_there() {
    as_root_and_plain_user(
        "target::a_target_bound_to_another_loopback_address_is_reached_there",
        || {
            let mut instance = start(&spec(&["python3", "-c", SHELL_SERVER, "127.0.1.1", "80"]));
            let address: IpAddr = "127.0.1.1".parse().unwrap();
            assert_eq!(instance.wait_listening(TIME), [(address, 80)]);
            match instance.connect(80, TIME) {
                Err(SandboxError::Refused { to }) => assert_eq!(to.port(), 80),
                other => panic!("expected a refusal, got {other:?}"),
            }
            let answer = request(
                &mut instance.connect_to(address, 80, TIME).unwrap(),
                "/id%20-u",
            );
            assert!(answer.ends_with("\n1000\n"), "{answer}");
        },
    );
}

#[test]
fn many_sandboxes_use_the_same_port_at_once() {
    as_root_and_plain_user("target::many_sandboxes_use_the_same_port_at_once", || {
        let mut all: Vec<_> = (0..6)
            .map(|i| {
                let mut spec = spec(&["python3", "-c", SHELL_SERVER, "0.0.0.0", "8080"]);
                spec.env.push(("WHO".into(), format!("number-{i}").into()));
                start(&spec)
            })
            .collect();
        for (i, instance) in all.iter_mut().enumerate() {
            assert_ne!(instance.wait_listening(TIME), []);
            let answer = request(&mut instance.connect(8080, TIME).unwrap(), "/echo%20$WHO");
            assert!(answer.ends_with(&format!("number-{i}\n")), "{answer}");
        }
    });
}

#[test]
fn every_name_and_address_is_answered_inside_and_recorded() {
    as_root_and_plain_user(
        "target::every_name_and_address_is_answered_inside_and_recorded",
        || {
            let script = r#"
import urllib.request, socket
print(urllib.request.urlopen('http://Token123.example/x', timeout=10).read())
print(urllib.request.urlopen('http://169.254.169.254:8123/latest/', timeout=10).read())
s = socket.create_connection(('2001:db8::7', 9999), 10); s.send(b'six'); s.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b'\x12\x34\1\0\0\1\0\0\0\0\0\0\5other\4test\0\0\1\0\1', ('8.8.8.8', 53)); u.settimeout(10)
print(len(u.recv(512)))
import ssl
try: ssl.create_default_context().wrap_socket(socket.create_connection(('secure.example', 443), 10), server_hostname='secure.example')
except OSError as e: print('no tls')
"#;
            let mut instance = start(&spec(&["python3", "-c", script]));
            let (state, output) = finish(&mut instance);
            let missing: Vec<_> = instance
                .facts()
                .iter()
                .filter(|(name, _)| name.starts_with("catch-all") || name == "ipv6")
                .collect();
            if !missing.is_empty() {
                unmeasured(&format!("catch-all: {missing:?}"));
                return;
            }
            assert_eq!(
                state,
                RunState::Exited {
                    code: Some(0),
                    signal: None
                },
                "{output}"
            );
            let events = instance.net_events();
            assert!(
                events.contains(&NetEvent::Dns {
                    name: "token123.example".into(),
                    kind: 1
                }),
                "{events:?}"
            );
            assert!(
                events.contains(&NetEvent::Dns {
                    name: "other.test".into(),
                    kind: 1
                }),
                "{events:?}"
            );
            let arrived = |name: Option<&str>, to: Option<&str>, start: &str| {
                events.iter().any(|event| match event {
                    NetEvent::Connection {
                        to: got,
                        name: got_name,
                        head,
                    } => {
                        name.is_none_or(|name| got_name.as_deref() == Some(name))
                            && to.is_none_or(|to| got.to_string() == to)
                            && head.starts_with(start.as_bytes())
                    }
                    _ => false,
                })
            };
            assert!(
                arrived(Some("token123.example"), None, "GET /x HTTP/1.1"),
                "{events:?}"
            );
            assert!(
                arrived(None, Some("169.254.169.254:8123"), "GET /latest/"),
                "{events:?}"
            );
            assert!(
                arrived(None, Some("[2001:db8::7]:9999"), "six"),
                "{events:?}"
            );
            let hello = events.iter().any(|event| match event {
                NetEvent::Connection { name, head, .. } => {
                    name.as_deref() == Some("secure.example")
                        && head.windows(14).any(|part| part == b"secure.example")
                }
                _ => false,
            });
            assert!(hello, "{events:?}");
        },
    );
}

#[test]
fn connections_to_the_targets_own_loopback_reach_the_target() {
    as_root_and_plain_user(
        "target::connections_to_the_targets_own_loopback_reach_the_target",
        || {
            let mut instance = start(&spec(&["python3", "-c", SHELL_SERVER, "127.0.0.1", "8080"]));
            assert_ne!(instance.wait_listening(TIME), []);
            let query = "/python3%20-c%20%22import%20socket;socket.create_connection(('localhost',8080),5);print('self')%22";
            let answer = request(&mut instance.connect(8080, TIME).unwrap(), query);
            assert!(answer.ends_with("self\n"), "{answer}");
            let events = instance.net_events();
            assert!(
                !events
                    .iter()
                    .any(|event| matches!(event, NetEvent::Connection { .. })),
                "{events:?}"
            );
        },
    );
}

#[test]
fn writes_list_exactly_what_the_target_changed() {
    as_root_and_plain_user(
        "target::writes_list_exactly_what_the_target_changed",
        || {
            let app = tempfile::tempdir().unwrap();
            for (name, text) in [
                ("kept.txt", "kept"),
                ("changed.txt", "old"),
                ("gone.txt", "gone"),
                ("touched.txt", "same"),
            ] {
                fs::write(app.path().join(name), text).unwrap();
            }
            fs::create_dir(app.path().join("sub")).unwrap();
            fs::write(app.path().join("sub/deep.txt"), "deep").unwrap();
            let script = "echo new > changed.txt; rm gone.txt; echo made > made.txt; mkdir -p d/e; echo t > d/e/t; \
                      ln -s /etc/passwd link; python3 -c \"open('touched.txt','r+').close()\"; echo more >> sub/deep.txt; echo tmp > /tmp/t";
            let mut spec = spec(&["sh", "-c", script]);
            spec.layers
                .push(layer(app.path(), "/srv/app", Access::Overlay));
            spec.workdir = "/srv/app".into();
            let mut instance = start(&spec);
            let (state, output) = finish(&mut instance);
            assert_eq!(
                state,
                RunState::Exited {
                    code: Some(0),
                    signal: None
                },
                "{output}"
            );
            instance
                .plant_file(Path::new("/srv/app/planted.txt"), b"ours", 0o644)
                .unwrap();
            let writes = instance.writes().unwrap();
            let list: Vec<_> = writes
                .iter()
                .map(|w| (w.inside.to_str().unwrap().to_owned(), w.change, w.kind))
                .collect();
            let expected = [
                ("/srv/app/changed.txt", Change::Changed, FileKind::File),
                ("/srv/app/d", Change::Created, FileKind::Directory),
                ("/srv/app/d/e", Change::Created, FileKind::Directory),
                ("/srv/app/d/e/t", Change::Created, FileKind::File),
                ("/srv/app/gone.txt", Change::Deleted, FileKind::File),
                ("/srv/app/link", Change::Created, FileKind::Symlink),
                ("/srv/app/made.txt", Change::Created, FileKind::File),
                ("/srv/app/sub/deep.txt", Change::Changed, FileKind::File),
                ("/tmp/t", Change::Created, FileKind::File),
            ]
            .map(|(path, change, kind)| (path.to_owned(), change, kind));
            assert_eq!(list, expected);
            assert_eq!(
                instance
                    .read_upper(Path::new("/srv/app/changed.txt"), 100)
                    .unwrap(),
                b"new\n"
            );
            assert_eq!(
                instance
                    .read_upper(Path::new("/srv/app/kept.txt"), 100)
                    .unwrap(),
                b"kept"
            );
            assert_eq!(
                fs::read_to_string(app.path().join("changed.txt")).unwrap(),
                "old"
            );
            assert!(app.path().join("gone.txt").exists());
            assert!(!app.path().join("made.txt").exists());
        },
    );
}

#[test]
fn a_planted_file_that_the_target_changed_is_a_write() {
    as_root_and_plain_user(
        "target::a_planted_file_that_the_target_changed_is_a_write",
        || {
            let mut instance = start(&spec(&["python3", "-c", SHELL_SERVER, "127.0.0.1", "8080"]));
            assert_ne!(instance.wait_listening(TIME), []);
            instance
                .plant_file(Path::new("/home/x/y/planted"), b"ours", 0o666)
                .unwrap();
            assert_eq!(instance.writes().unwrap(), []);
            request(
                &mut instance.connect(8080, TIME).unwrap(),
                "/echo%20theirs>/home/x/y/planted",
            );
            let writes = instance.writes().unwrap();
            assert_eq!(writes.len(), 1, "{writes:?}");
            assert_eq!(writes[0].inside, Path::new("/home/x/y/planted"));
            assert_eq!(writes[0].size, 7);
        },
    );
}

#[test]
fn layers_nest_and_keep_their_access() {
    as_root_and_plain_user("target::layers_nest_and_keep_their_access", || {
        let (app, tool, out) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        fs::write(app.path().join("a"), "app").unwrap();
        fs::write(tool.path().join("t"), "tool").unwrap();
        // As strict as `mkdtemp` makes them; root's own must be usable all the same.
        fs::set_permissions(app.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let script = "cat /job/app/a /job/app/venv/t; echo; echo x > /job/app/venv/t && echo BAD; echo y > /job/app/a && \
                      echo ok; echo z > /job/app/out/z && echo ok; chmod 4755 /job/app/out/z && echo BAD; ls -ld /job/app/out/z | cut -c1-10";
        let mut spec = spec(&["sh", "-c", script]);
        spec.layers = vec![
            layer(out.path(), "/job/app/out", Access::ReadWrite),
            layer(app.path(), "/job/app", Access::Overlay),
            layer(tool.path(), "/job/app/venv", Access::ReadOnly),
        ];
        let mut instance = start(&spec);
        let (_, output) = finish(&mut instance);
        let lines: Vec<&str> = output.lines().filter(|line| !line.contains(": ")).collect();
        assert_eq!(lines, ["apptool", "ok", "ok", "-rw-r--r--"], "{output}");
        assert_eq!(fs::read_to_string(app.path().join("a")).unwrap(), "app");
        assert_eq!(fs::read_to_string(out.path().join("z")).unwrap(), "z\n");
        // What was written outside belongs to whoever runs this.
        let (ours, theirs) = (
            fs::metadata(out.path()).unwrap(),
            fs::metadata(out.path().join("z")).unwrap(),
        );
        assert_eq!(
            std::os::unix::fs::MetadataExt::uid(&ours),
            std::os::unix::fs::MetadataExt::uid(&theirs)
        );
    });
}

#[test]
fn sensor_lines_arrive_whole_and_once() {
    as_root_and_plain_user("target::sensor_lines_arrive_whole_and_once", || {
        let mut instance = start(&spec(&["python3", "-c", SHELL_SERVER, "127.0.0.1", "8080"]));
        assert_ne!(instance.wait_listening(TIME), []);
        request(
            &mut instance.connect(8080, TIME).unwrap(),
            "/echo%20one>>/slv/sensor;printf%20tw>>/slv/sensor",
        );
        let lines = |instance: &mut solvent_sandbox::NativeInstance| {
            instance
                .sensor_events()
                .into_iter()
                .map(|e| String::from_utf8(e.line).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(&mut instance), ["one"]);
        request(
            &mut instance.connect(8080, TIME).unwrap(),
            "/echo%20o>>/slv/sensor",
        );
        assert_eq!(lines(&mut instance), ["two"]);
        assert_eq!(lines(&mut instance), Vec::<String>::new());
    });
}

#[test]
fn executions_are_observed_on_request() {
    as_root_and_plain_user("target::executions_are_observed_on_request", || {
        let mut spec = spec(&["sh", "-c", "/bin/echo one two; env -i /bin/true"]);
        spec.sensors = Sensors::Exec;
        let mut instance = start(&spec);
        let (state, output) = finish(&mut instance);
        assert_eq!(
            state,
            RunState::Exited {
                code: Some(0),
                signal: None
            },
            "{output}"
        );
        let seen: Vec<_> = instance
            .exec_events()
            .into_iter()
            .map(|e| (e.path, e.argv))
            .collect();
        let has = |path: &str, argv: &[&str]| seen.iter().any(|(p, a)| p == path && a == argv);
        assert!(has("/bin/echo", &["/bin/echo", "one", "two"]), "{seen:?}");
        assert!(has("/bin/true", &["/bin/true"]), "{seen:?}");
        assert_eq!(instance.exec_events(), []);
    });
}

#[test]
fn a_program_that_is_not_there_is_named() {
    as_root_and_plain_user("target::a_program_that_is_not_there_is_named", || {
        let failed = |spec| match sandbox().launch(&spec) {
            Ok(_) => panic!("started"),
            Err(error) => (error.to_string(), error.next_step()),
        };
        let (what, next) = failed(spec(&["no-such-program"]));
        assert!(
            what.starts_with(
                "could not execute `no-such-program` inside the sandbox: No such file"
            ),
            "{what}"
        );
        assert!(next.contains("no-such-program"), "{next}");
        let mut odd = spec(&["true"]);
        odd.workdir = "/nowhere".into();
        let (what, _) = failed(odd);
        assert!(what.contains("working directory /nowhere"), "{what}");
        let mut odd = spec(&["true"]);
        odd.layers
            .push(layer(Path::new("/no/such/layer"), "/app", Access::Overlay));
        let (what, _) = failed(odd);
        assert!(what.contains("/no/such/layer"), "{what}");
        let mut odd = spec(&["true"]);
        odd.layers
            .push(layer(Path::new("/usr"), "/app/../etc", Access::ReadOnly));
        assert!(failed(odd).0.contains("without `..`"));
    });
}

#[test]
fn an_exit_and_a_signal_are_told_apart() {
    as_root_and_plain_user("target::an_exit_and_a_signal_are_told_apart", || {
        let (state, output) = shell("echo out; echo err >&2; exit 3");
        assert_eq!(
            (state, output.as_str()),
            (
                RunState::Exited {
                    code: Some(3),
                    signal: None
                },
                "out\nerr\n"
            )
        );
        let (state, _) = shell("kill -SEGV $$");
        assert_eq!(
            state,
            RunState::Exited {
                code: None,
                signal: Some(SIGSEGV)
            }
        );
    });
}

#[test]
fn output_is_kept_from_its_end() {
    as_root_and_plain_user("target::output_is_kept_from_its_end", || {
        let mut spec = spec(&["python3", "-c", "for i in range(100000): print('line', i)"]);
        spec.limits.output_bytes = 1000;
        let mut instance = start(&spec);
        let (_, output) = finish(&mut instance);
        assert_eq!(output.len(), 1000);
        assert!(output.ends_with("line 99999\n"), "{output}");
    });
}
