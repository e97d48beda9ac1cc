//! The sandbox's network: a loopback interface to which every address belongs, a name server that knows
//! every name, and a listener at which every connection arrives.
//!
//! Addresses handed out for names are unique, so that a later connection tells which name it was for.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::time::{Duration, Instant};

use super::nft::{self, Family};
use crate::sys::sockets;
use crate::wire::{Failure, Net as Event};

/// The sandbox's name server, for `/etc/resolv.conf`.
pub const NAME_SERVER: &str = "127.0.0.53";

/// Port of the catch-all. Low, because applications do not listen there.
const CATCH_ALL_PORT: u16 = 1;
const FETCH_PORT: u16 = 3128;

/// Names get addresses of 198.18.0.0/15, which RFC 2544 reserves for tests: 131,072 of them.
const FIRST_ADDRESS: u32 = 0xC612_0001;
const MOST_NAMES: usize = 65_536;

const MOST_EVENTS: usize = 10_000;
const MOST_CONNECTIONS: usize = 64;
const HEAD_BYTES: usize = 4096;
/// How long the catch-all waits for the rest of a request.
const PATIENCE: Duration = Duration::from_secs(3);

/// What could be had of the loopback network.
pub struct Loopback {
    v6: bool,
    facts: Vec<(String, String)>,
}

/// Turns `lo` on and, when isolated, makes every address local.
pub fn bring_up(isolated: bool) -> Result<Loopback, Failure> {
    sockets::loopback_up().map_err(|e| Failure::step("turn on the loopback interface", &e))?;
    let mut loopback = Loopback {
        v6: true,
        facts: Vec::new(),
    };
    if !isolated {
        return Ok(loopback);
    }
    sockets::netlink(libc::NETLINK_ROUTE, &local_route(libc::AF_INET), 1)
        .map_err(|e| Failure::step("route every IPv4 address to the loopback interface", &e))?;
    if let Err(error) = sockets::netlink(libc::NETLINK_ROUTE, &local_route(libc::AF_INET6), 1) {
        loopback.v6 = false;
        loopback
            .facts
            .push(("ipv6".to_owned(), format!("not available: {error}")));
    }
    Ok(loopback)
}

/// `ip route add local default dev lo table local`, as `struct nlmsghdr`, `struct rtmsg` and one attribute.
fn local_route(family: libc::c_int) -> Vec<u8> {
    const TABLE_LOCAL: u8 = 255;
    const SCOPE_HOST: u8 = 254;
    let mut message = Vec::new();
    message.extend(36_u32.to_ne_bytes());
    message.extend(libc::RTM_NEWROUTE.to_ne_bytes());
    message.extend(
        (libc::NLM_F_REQUEST as u16 | libc::NLM_F_ACK as u16 | libc::NLM_F_CREATE as u16)
            .to_ne_bytes(),
    );
    message.extend([0; 8]);
    message.extend([
        family as u8,
        0,
        0,
        0,
        TABLE_LOCAL,
        libc::RTPROT_BOOT,
        SCOPE_HOST,
        libc::RTN_LOCAL,
    ]);
    message.extend([0; 4]);
    message.extend(8_u16.to_ne_bytes());
    message.extend(libc::RTA_OIF.to_ne_bytes());
    // The loopback interface is the first of every network namespace.
    message.extend(1_i32.to_ne_bytes());
    message
}

/// Sockets of process 1 inside the sandbox.
pub struct Net {
    dns: Vec<UdpSocket>,
    catch_all: Vec<TcpListener>,
    connections: Vec<Connection>,
    events: VecDeque<Event>,
    names: BTreeMap<String, u32>,
    by_address: BTreeMap<u32, String>,
    /// For the supervisor's proxy; taken by the first message.
    pub fetch: Option<TcpListener>,
    pub facts: Vec<(String, String)>,
}

struct Connection {
    stream: TcpStream,
    to: SocketAddr,
    name: Option<String>,
    head: Vec<u8>,
    told: usize,
    until: Instant,
}

/// Opens the listeners.
pub fn listen(isolated: bool, loopback: Loopback) -> Result<Net, Failure> {
    let mut net = Net {
        dns: Vec::new(),
        catch_all: Vec::new(),
        connections: Vec::new(),
        events: VecDeque::new(),
        names: BTreeMap::new(),
        by_address: BTreeMap::new(),
        fetch: None,
        facts: loopback.facts,
    };
    if !isolated {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, FETCH_PORT))
            .map_err(|e| Failure::step("listen for the fetch proxy", &e))?;
        net.fetch = Some(listener);
        return Ok(net);
    }
    let mut hosts = vec![
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)),
    ];
    if loopback.v6 {
        hosts.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
    }
    for host in &hosts {
        let socket = UdpSocket::bind((*host, 53))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .map_err(|e| Failure::step(format!("answer names on {host}"), &e))?;
        net.dns.push(socket);
    }
    for (family, host) in [
        (Family::V4, hosts[0]),
        (Family::V6, IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ] {
        if family == Family::V6 && !loopback.v6 {
            continue;
        }
        if let Err(error) = nft::redirect(family, CATCH_ALL_PORT) {
            let which = if family == Family::V4 {
                "catch-all"
            } else {
                "catch-all ipv6"
            };
            net.facts
                .push((which.to_owned(), format!("nftables: {error}")));
            continue;
        }
        let listener = TcpListener::bind((host, CATCH_ALL_PORT))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|e| Failure::step("listen for connections to everywhere", &e))?;
        net.catch_all.push(listener);
    }
    Ok(net)
}

impl Net {
    /// Ports of ours, which are not the target's listeners.
    pub fn own_ports(&self) -> Vec<u16> {
        if self.catch_all.is_empty() && self.dns.is_empty() {
            vec![FETCH_PORT]
        } else {
            vec![CATCH_ALL_PORT]
        }
    }

    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> + '_ {
        let dns = self.dns.iter().map(|socket| socket.as_raw_fd());
        let listeners = self.catch_all.iter().map(|socket| socket.as_raw_fd());
        dns.chain(listeners).chain(
            self.connections
                .iter()
                .map(|connection| connection.stream.as_raw_fd()),
        )
    }

    /// When something is to be given up if nothing happens.
    pub fn deadline(&self) -> Option<Instant> {
        self.connections
            .iter()
            .map(|connection| connection.until)
            .min()
    }

    /// Does whatever can be done without waiting.
    pub fn turn(&mut self) {
        for i in 0..self.dns.len() {
            self.answer_names(i);
        }
        for i in 0..self.catch_all.len() {
            self.accept(i);
        }
        let mut i = 0;
        while i < self.connections.len() {
            if self.serve(i) {
                i += 1;
            } else {
                let ended = self.connections.swap_remove(i);
                self.tell(&ended);
            }
        }
    }

    /// Drains events; a connection that still sends is reported with what came so far, and again with more.
    pub fn drain(&mut self) -> Vec<Event> {
        for i in 0..self.connections.len() {
            let (head, told) = (self.connections[i].head.len(), self.connections[i].told);
            if told == 0 || head + 1 > told {
                let event = self.connections[i].event();
                self.connections[i].told = head + 1;
                self.push(event);
            }
        }
        self.events.drain(..).collect()
    }

    fn push(&mut self, event: Event) {
        // The first events of a flood are kept: the question under test came first.
        if self.events.len() < MOST_EVENTS {
            self.events.push_back(event);
        }
    }

    fn tell(&mut self, ended: &Connection) {
        if ended.told == 0 || ended.head.len() + 1 > ended.told {
            self.push(ended.event());
        }
    }

    fn answer_names(&mut self, i: usize) {
        let mut packet = [0_u8; 1500];
        // As many as wait, but not for ever: a flood must not keep process 1 from its other work.
        for _ in 0..64 {
            let Ok((length, from)) = self.dns[i].recv_from(&mut packet) else {
                return;
            };
            let Some(question) = Question::parse(&packet[..length]) else {
                continue;
            };
            let address = (question.kind == 1)
                .then(|| self.address_of(&question.name))
                .flatten();
            let reply = question.reply(&packet[..length], address);
            let _ = self.dns[i].send_to(&reply, from);
            self.push(Event::Dns {
                name: question.name,
                kind: question.kind,
            });
        }
    }

    fn address_of(&mut self, name: &str) -> Option<Ipv4Addr> {
        if name == "localhost" || name.ends_with(".localhost") {
            return Some(Ipv4Addr::LOCALHOST);
        }
        if let Some(address) = self.names.get(name) {
            return Some(Ipv4Addr::from(*address));
        }
        if self.names.len() >= MOST_NAMES {
            return Some(Ipv4Addr::from(FIRST_ADDRESS - 1));
        }
        let address = FIRST_ADDRESS + self.names.len() as u32;
        self.names.insert(name.to_owned(), address);
        self.by_address.insert(address, name.to_owned());
        Some(Ipv4Addr::from(address))
    }

    fn accept(&mut self, i: usize) {
        for _ in 0..64 {
            let Ok((stream, _)) = self.catch_all[i].accept() else {
                return;
            };
            let v6 = stream.local_addr().is_ok_and(|address| address.is_ipv6());
            let Ok(to) = sockets::original_destination(stream.as_fd(), v6) else {
                continue;
            };
            if sockets::is_loopback(to.ip()) || stream.set_nonblocking(true).is_err() {
                continue;
            }
            let name = match to.ip() {
                IpAddr::V4(v4) => self.by_address.get(&u32::from(v4)).cloned(),
                IpAddr::V6(_) => None,
            };
            let connection = Connection {
                stream,
                to,
                name,
                head: Vec::new(),
                told: 0,
                until: Instant::now() + PATIENCE,
            };
            if self.connections.len() < MOST_CONNECTIONS {
                self.connections.push(connection);
            } else {
                self.tell(&connection);
            }
        }
    }

    /// Reads what there is; false when the connection is finished.
    fn serve(&mut self, i: usize) -> bool {
        let connection = &mut self.connections[i];
        let mut buffer = [0_u8; HEAD_BYTES];
        loop {
            let room = HEAD_BYTES - connection.head.len();
            if room == 0 {
                connection.reply();
                return false;
            }
            match connection.stream.read(&mut buffer[..room]) {
                Ok(0) => return false,
                Ok(got) => connection.head.extend_from_slice(&buffer[..got]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        if connection.head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            connection.reply();
            return false;
        }
        // A TLS client waits for an answer nobody here can give; its first record names the host it wants.
        !is_whole_tls_record(&connection.head) && connection.until > Instant::now()
    }
}

/// A complete first record of TLS: type 22 (handshake), version 3.x, length (RFC 8446, 5.1).
fn is_whole_tls_record(head: &[u8]) -> bool {
    match head {
        [22, 3, _, high, low, rest @ ..] => {
            rest.len() >= usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => false,
    }
}

impl Connection {
    fn event(&self) -> Event {
        Event::Connection {
            to: self.to,
            name: self.name.clone(),
            head: self.head.clone(),
        }
    }

    /// A small page, so that a client which waits for an answer goes on.
    fn reply(&mut self) {
        let _ = self.stream.write_all(
            b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
        );
    }
}

/// The first question of a DNS message (RFC 1035, 4.1).
struct Question {
    name: String,
    kind: u16,
    /// Where the question section ends.
    end: usize,
}

impl Question {
    fn parse(packet: &[u8]) -> Option<Self> {
        // A query (QR clear) with one question.
        if packet.len() < 12 || packet[2] & 0x80 != 0 || packet[4..6] != [0, 1] {
            return None;
        }
        let mut labels = Vec::new();
        let mut at = 12;
        loop {
            let length = usize::from(*packet.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            // Longer is a compression pointer, which a question has no use for.
            if length > 63 || labels.len() > 127 {
                return None;
            }
            let label = packet.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).to_lowercase());
            at += length;
        }
        let kind = packet.get(at..at + 2)?;
        packet.get(at + 2..at + 4)?;
        Some(Self {
            name: labels.join("."),
            kind: u16::from_be_bytes([kind[0], kind[1]]),
            end: at + 4,
        })
    }

    fn reply(&self, packet: &[u8], address: Option<Ipv4Addr>) -> Vec<u8> {
        let mut out = packet[..self.end].to_vec();
        // An authoritative answer without error, recursion available.
        out[2] = 0x84 | packet[2] & 1;
        out[3] = 0x80;
        out[6..12].copy_from_slice(&[0, u8::from(address.is_some()), 0, 0, 0, 0]);
        if let Some(address) = address {
            out.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
            out.extend(address.octets());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut packet = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            packet.push(label.len() as u8);
            packet.extend(label.as_bytes());
        }
        packet.push(0);
        packet.extend(kind.to_be_bytes());
        packet.extend([0, 1]);
        packet
    }

    #[test]
    fn a_question_is_answered_with_its_address() {
        let packet = query("Token.example", 1);
        let question = Question::parse(&packet).unwrap();
        assert_eq!(
            (question.name.as_str(), question.kind),
            ("token.example", 1)
        );
        let reply = question.reply(&packet, Some(Ipv4Addr::new(198, 18, 0, 1)));
        assert_eq!(&reply[..2], &packet[..2]);
        assert_eq!(reply[7], 1);
        assert!(reply.ends_with(&[198, 18, 0, 1]));
    }

    #[test]
    fn a_tls_record_ends_where_it_says() {
        assert!(is_whole_tls_record(&[22, 3, 1, 0, 2, 9, 9]));
        assert!(!is_whole_tls_record(&[22, 3, 1, 0, 2, 9]));
        assert!(!is_whole_tls_record(b"GET / HTTP/1.1"));
        assert!(!is_whole_tls_record(&[]));
    }

    #[test]
    fn broken_questions_are_ignored() {
        let good = query("a.b", 1);
        for cut in 0..good.len() {
            assert!(Question::parse(&good[..cut]).is_none(), "cut at {cut}");
        }
        let mut pointer = good.clone();
        pointer[12] = 0xC0;
        assert!(Question::parse(&pointer).is_none());
        let mut reply = good;
        reply[2] |= 0x80;
        assert!(Question::parse(&reply).is_none());
    }
}
