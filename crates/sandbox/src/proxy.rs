//! The allow-list proxy of the preparation step.
//!
//! Its listener lives in the sandbox's network namespace, its connections in ours: the only wire between the
//! two. It understands `CONNECT host:port` and `GET http://host/...`, connects to what is on the list, and
//! copies bytes. It adds nothing, keeps nothing, and speaks no TLS of its own.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::instance::NetEvent;
use crate::spec::{FetchProxy, HostPort};

/// Longest request head.
const HEAD_BYTES: usize = 64 << 10;
const MOST_CONNECTIONS: usize = 64;
const MOST_EVENTS: usize = 10_000;
/// How long one name's addresses are tried.
const CONNECT_TIME: Duration = Duration::from_secs(20);
/// How often a quiet connection looks at the clock and at whether the sandbox ended.
const TICK: Duration = Duration::from_millis(500);

/// A running proxy; dropping it refuses further connections and ends those that are open.
pub struct Proxy {
    shared: Arc<Shared>,
    listener: TcpListener,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    rules: FetchProxy,
    received: AtomicU64,
    open: AtomicUsize,
    ended: AtomicBool,
    events: Mutex<Vec<NetEvent>>,
}

impl Proxy {
    pub fn start(listener: TcpListener, rules: FetchProxy) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            rules,
            received: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            events: Mutex::new(Vec::new()),
        });
        let (ours, theirs) = (Arc::clone(&shared), listener.try_clone()?);
        let thread = std::thread::Builder::new()
            .name("fetch-proxy".to_owned())
            .spawn(move || accept(&ours, &theirs))?;
        Ok(Self {
            shared,
            listener,
            thread: Some(thread),
        })
    }

    pub fn drain(&self) -> Vec<NetEvent> {
        std::mem::take(
            &mut *self
                .shared
                .events
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the accepting thread with an error.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.ended.load(Ordering::Acquire) {
            return;
        }
        if shared.open.fetch_add(1, Ordering::AcqRel) >= MOST_CONNECTIONS {
            shared.open.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let ours = Arc::clone(shared);
        let started = std::thread::Builder::new()
            .name("fetch-connection".to_owned())
            .spawn(move || {
                // A client that breaks off has its own error; nothing to add.
                let _ = serve(&ours, stream);
                ours.open.fetch_sub(1, Ordering::AcqRel);
            });
        if started.is_err() {
            shared.open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Shared {
    fn push(&self, event: NetEvent) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() < MOST_EVENTS {
            events.push(event);
        }
    }

    fn refuse(&self, mut client: &TcpStream, target: &str, why: &str) -> io::Result<()> {
        self.push(NetEvent::FetchRefused {
            target: target.to_owned(),
            why: why.to_owned(),
        });
        let body = format!("solvent: `{target}` refused: {why}\n");
        write!(
            client,
            "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

fn serve(shared: &Shared, mut client: TcpStream) -> io::Result<()> {
    let until = Instant::now() + shared.rules.max_time;
    client.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if bytes.len() > HEAD_BYTES {
            return shared.refuse(&client, "?", "the request head is too long");
        }
        match client.read(&mut buffer)? {
            0 => return Ok(()),
            got => bytes.extend_from_slice(&buffer[..got]),
        }
    };
    let rest = bytes.split_off(end);
    let Some(request) = std::str::from_utf8(&bytes).ok().and_then(Request::parse) else {
        return shared.refuse(
            &client,
            "?",
            "only `CONNECT host:port` and `http://` requests are understood",
        );
    };
    let target = format!("{}:{}", request.to.host, request.to.port);
    let allowed = shared.rules.allow.iter().any(|entry| {
        entry.port == request.to.port && entry.host.eq_ignore_ascii_case(&request.to.host)
    });
    if !allowed {
        return shared.refuse(&client, &target, "not on the list of hosts to fetch from");
    }
    let mut server = match connect(&request.to) {
        Ok(server) => server,
        Err(error) => {
            return shared.refuse(&client, &target, &format!("could not connect: {error}"));
        }
    };
    match &request.forward {
        None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
        Some(head) => server.write_all(head.as_bytes())?,
    }
    server.write_all(&rest)?;
    let received = splice(shared, client, server, until);
    shared.push(NetEvent::Fetched {
        host: request.to.host,
        port: request.to.port,
        bytes: received,
    });
    Ok(())
}

fn connect(to: &HostPort) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (to.host.as_str(), to.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIME) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Copies both ways until one side ends, a cap is reached or the sandbox ended; returns bytes received.
fn splice(shared: &Shared, client: TcpStream, server: TcpStream, until: Instant) -> u64 {
    let (Ok(client_out), Ok(server_out)) = (client.try_clone(), server.try_clone()) else {
        return 0;
    };
    std::thread::scope(|scope| {
        let up = scope.spawn(|| copy(shared, &client, &server_out, until, &|_| true));
        let within = |got: u64| {
            shared.received.fetch_add(got, Ordering::AcqRel) + got <= shared.rules.max_bytes
        };
        let received = copy(shared, &server, &client_out, until, &within);
        // The answer is over: the client's side ends too.
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
        let _ = up.join();
        received
    })
}

fn copy(
    shared: &Shared,
    mut from: &TcpStream,
    mut to: &TcpStream,
    until: Instant,
    within: &dyn Fn(u64) -> bool,
) -> u64 {
    let mut total = 0;
    let mut buffer = vec![0_u8; 64 << 10];
    let _ = from.set_read_timeout(Some(TICK));
    while Instant::now() < until && !shared.ended.load(Ordering::Acquire) {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => {
                total += got as u64;
                if !within(got as u64) || to.write_all(&buffer[..got]).is_err() {
                    break;
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    total
}

/// What the client wants.
struct Request {
    to: HostPort,
    /// For a plain request, the head to send on; none for a tunnel.
    forward: Option<String>,
}

impl Request {
    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || !version.starts_with("HTTP/1.") {
            return None;
        }
        if method == "CONNECT" {
            return Some(Self {
                to: host_port(target, None)?,
                forward: None,
            });
        }
        let rest = target.strip_prefix("http://")?;
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        let path = if path.is_empty() { "/" } else { path };
        let mut forward = format!("{method} {path} {version}\r\n");
        // One request, one connection: a second one could name another host. Proxy headers end here, and
        // credentials are never passed on.
        for line in lines.take_while(|line| !line.is_empty()) {
            let name = line
                .split(':')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let drop = [
                "connection",
                "proxy-connection",
                "proxy-authorization",
                "authorization",
                "cookie",
                "keep-alive",
            ];
            if !drop.contains(&name.as_str()) {
                forward.push_str(line);
                forward.push_str("\r\n");
            }
        }
        forward.push_str("Connection: close\r\n\r\n");
        Some(Self {
            to: host_port(authority, Some(80))?,
            forward: Some(forward),
        })
    }
}

fn host_port(text: &str, default: Option<u16>) -> Option<HostPort> {
    if text.contains('@') {
        return None;
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (text, default?),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| HostPort {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_and_a_plain_request_are_understood() {
        let tunnel = Request::parse("CONNECT Pypi.org:443 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(
            tunnel.to,
            HostPort {
                host: "Pypi.org".to_owned(),
                port: 443
            }
        );
        assert!(tunnel.forward.is_none());
        let plain = Request::parse(
            "GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\nAuthorization: z\r\n\r\n",
        )
        .unwrap();
        assert_eq!(
            plain.to,
            HostPort {
                host: "a.example".to_owned(),
                port: 80
            }
        );
        assert_eq!(
            plain.forward.unwrap(),
            "GET /x?y HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn odd_targets_are_not_understood() {
        for head in [
            "CONNECT pypi.org HTTP/1.1\r\n\r\n",
            "CONNECT user@pypi.org:443 HTTP/1.1\r\n\r\n",
            "CONNECT pypi.org:99999 HTTP/1.1\r\n\r\n",
            "GET /relative HTTP/1.1\r\n\r\n",
            "GET http://a b HTTP/1.1\r\n\r\n",
            "CONNECT ev%il:443 HTTP/1.1\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert!(Request::parse(head).is_none(), "{head:?}");
        }
    }
}
