//! The preparation step's only wire to the outside: an allow-list proxy.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use solvent_sandbox::{
    Access, FETCH_PROXY_URL, FetchProxy, HostPort, Instance as _, NetEvent, Network, RunState,
};

use crate::support::*;

/// An HTTP server outside that answers every request with its own head.
fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|got| got == 1) {
                head.push(byte[0]);
            }
            let big = head.starts_with(b"GET /big");
            let body = if big { vec![b'x'; 3 << 20] } else { head };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&body);
        }
    });
    port
}

fn fetch(allow: &[u16]) -> Network {
    Network::Fetch(FetchProxy {
        allow: allow
            .iter()
            .map(|port| HostPort {
                host: "127.0.0.1".into(),
                port: *port,
            })
            .collect(),
        max_bytes: 1 << 20,
        max_time: Duration::from_secs(60),
    })
}

#[test]
fn only_listed_hosts_are_fetched_from() {
    as_root_and_plain_user("fetch::only_listed_hosts_are_fetched_from", || {
        let (good, bad) = (echo_server(), echo_server());
        let out = tempfile::tempdir().unwrap();
        let script = format!(
            r#"
import socket, urllib.request
r = urllib.request.Request('http://127.0.0.1:{good}/page?q', headers={{'Authorization': 'Basic secret', 'X-Kept': 'yes'}})
open('/out/page', 'wb').write(urllib.request.urlopen(r, timeout=20).read())
def tunnel(port):
    s = socket.create_connection(('127.0.0.1', 3128), 20)
    s.sendall(b'CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n' % port)
    first = s.recv(4096).split(b'\r\n')[0]
    if b'200' in first:
        s.sendall(b'GET /tunnelled HTTP/1.0\r\n\r\n'); print(b'tunnelled' in b''.join(iter(lambda: s.recv(4096), b'')))
    return first
print(tunnel({good})); print(tunnel({bad}))
try: urllib.request.urlopen('http://127.0.0.1:{bad}/', timeout=20)
except urllib.error.HTTPError as e: print(e.code)
try: socket.create_connection(('127.0.0.1', {good}), 5); print('DIRECT')
except OSError: print('no direct way')
try: socket.getaddrinfo('pypi.org', 443); print('RESOLVED')
except OSError: print('no names')
try: print(len(urllib.request.urlopen('http://127.0.0.1:{good}/big', timeout=20).read()))
except Exception as e: print('capped', type(e).__name__)
"#
        );
        let mut spec = spec(&["python3", "-c", &script]);
        spec.env.push(("http_proxy".into(), FETCH_PROXY_URL.into()));
        spec.network = fetch(&[good]);
        spec.layers
            .push(layer(out.path(), "/out", Access::ReadWrite));
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
        assert_eq!(
            output,
            "True\nb'HTTP/1.1 200 Connection established'\nb'HTTP/1.1 403 Forbidden'\n403\nno direct way\nno names\ncapped IncompleteRead\n"
        );
        let page = std::fs::read_to_string(out.path().join("page")).unwrap();
        assert!(page.starts_with("GET /page?q HTTP/1.1\r\n"), "{page}");
        assert!(
            page.contains("X-Kept: yes") || page.contains("X-kept: yes"),
            "{page}"
        );
        assert!(!page.to_lowercase().contains("authorization"), "{page}");
        let events = instance.net_events();
        let refused = format!("127.0.0.1:{bad}");
        let count = events.iter().filter(|event| matches!(event, NetEvent::FetchRefused { target, .. } if *target == refused)).count();
        assert_eq!(count, 2, "{events:?}");
        assert!(
            events
                .iter()
                .any(|event| matches!(event, NetEvent::Fetched { port, .. } if *port == good)),
            "{events:?}"
        );
        instance.stop().unwrap();
    });
}
