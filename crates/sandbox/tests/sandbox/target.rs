//! Starting, connecting, planting, canaries.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use solvent_sandbox::{Instance as _, RunState};

use crate::support::*;

const TIME: Duration = Duration::from_secs(20);

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
    as_root_and_plain_user("target::a_web_server_is_reached_and_its_canary_reported", || {
        let mut instance = start(&spec(&["python3", "-c", SHELL_SERVER, "127.0.0.1", "8080"]));
        let listening = instance.wait_listening(TIME);
        assert_eq!(listening, [(Ipv4Addr::LOCALHOST.into(), 8080)], "{}", String::from_utf8_lossy(&instance.output()));
        instance.plant_file(Path::new("/tmp/secret.txt"), b"planted", 0o644).unwrap();
        let answer = request(&mut instance.connect(8080, TIME).unwrap(), "/cat%20/tmp/secret.txt");
        assert!(answer.ends_with("planted"), "{answer}");
        let path = instance.plant_canary("c0ffee").unwrap();
        assert_eq!(path, Path::new("/slv/c0ffee"));
        request(&mut instance.connect(8080, TIME).unwrap(), "/true;c0ffee%20x");
        let events = instance.canary_events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0].name, "c0ffee");
        assert_eq!(events[0].argv, ["c0ffee", "x"]);
        assert!(events[0].ancestors.iter().any(|a| a.comm == "python3"), "{events:?}");
        assert_eq!(instance.state(), RunState::Running);
        assert_eq!(instance.writes().unwrap(), []);
        instance.stop().unwrap();
    });
}
