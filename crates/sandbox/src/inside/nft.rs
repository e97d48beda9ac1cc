//! Two nftables rules that send every TCP connection and DNS question leaving the loopback range to us.
//!
//! Written as netlink messages (linux/netfilter/nf_tables.h), because no tool of the host may be relied
//! on. All of it lives in the sandbox's own network namespace.

use std::io;

use crate::sys::sockets;

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

const TABLE: &[u8] = b"slv\0";
const CHAIN: &[u8] = b"out\0";
const LOCAL_OUT: u32 = 3;
const REGISTER: u32 = 1;
const EQUAL: u32 = 0;
const DIFFERENT: u32 = 1;

/// Which address family the rules are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// Redirects TCP to addresses outside the loopback range to `tcp`, and UDP to port 53 there to port 53 here.
pub fn redirect(family: Family, tcp: u16) -> io::Result<()> {
    let number = match family {
        Family::V4 => libc::AF_INET as u8,
        Family::V6 => libc::AF_INET6 as u8,
    };
    let mut batch = message(BATCH_BEGIN, REQUEST, 0, SUBSYSTEM, &[]);
    batch.extend(message(
        NEW_TABLE,
        REQUEST | CREATE | ACK,
        number,
        0,
        &attribute(1, TABLE),
    ));
    let hook = [word(1, LOCAL_OUT), word(2, (-100_i32).cast_unsigned())].concat();
    let chain = [
        attribute(1, TABLE),
        attribute(3, CHAIN),
        nested(4, &hook),
        attribute(7, b"nat\0"),
        word(5, 1),
    ]
    .concat();
    batch.extend(message(
        NEW_CHAIN,
        REQUEST | CREATE | ACK,
        number,
        0,
        &chain,
    ));
    let outside = outside_loopback(family);
    let tcp_rule = [protocol(6), outside.clone(), port_to(tcp)].concat();
    let dns_rule = [protocol(17), outside, destination_port(53), port_to(53)].concat();
    for rule in [tcp_rule, dns_rule] {
        let body = [attribute(1, TABLE), attribute(2, CHAIN), nested(4, &rule)].concat();
        batch.extend(message(
            NEW_RULE,
            REQUEST | CREATE | APPEND | ACK,
            number,
            0,
            &body,
        ));
    }
    batch.extend(message(BATCH_END, REQUEST, 0, SUBSYSTEM, &[]));
    sockets::netlink(libc::NETLINK_NETFILTER, &batch, 4)
}

fn message(kind: u16, flags: u16, family: u8, resource: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend((20 + body.len() as u32).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend([0; 8]);
    out.extend([family, 0]);
    out.extend(resource.to_be_bytes());
    out.extend(body);
    out
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend((4 + value.len() as u16).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn nested(kind: u16, value: &[u8]) -> Vec<u8> {
    const NESTED: u16 = 0x8000;
    attribute(kind | NESTED, value)
}

fn word(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn expression(name: &[u8], data: &[Vec<u8>]) -> Vec<u8> {
    nested(1, &[attribute(1, name), nested(2, &data.concat())].concat())
}

fn compare(how: u32, value: &[u8]) -> Vec<u8> {
    expression(
        b"cmp\0",
        &[
            word(1, REGISTER),
            word(2, how),
            nested(3, &attribute(1, value)),
        ],
    )
}

fn load(base: u32, offset: u32, length: u32) -> Vec<u8> {
    expression(
        b"payload\0",
        &[
            word(1, REGISTER),
            word(2, base),
            word(3, offset),
            word(4, length),
        ],
    )
}

fn protocol(number: u8) -> Vec<u8> {
    const L4PROTO: u32 = 16;
    let meta = expression(b"meta\0", &[word(1, REGISTER), word(2, L4PROTO)]);
    [meta, compare(EQUAL, &[number])].concat()
}

fn outside_loopback(family: Family) -> Vec<u8> {
    const NETWORK_HEADER: u32 = 1;
    match family {
        // The first byte of the destination address.
        Family::V4 => [load(NETWORK_HEADER, 16, 1), compare(DIFFERENT, &[127])].concat(),
        Family::V6 => {
            let one = std::net::Ipv6Addr::LOCALHOST.octets();
            [load(NETWORK_HEADER, 24, 16), compare(DIFFERENT, &one)].concat()
        }
    }
}

fn destination_port(port: u16) -> Vec<u8> {
    const TRANSPORT_HEADER: u32 = 2;
    [
        load(TRANSPORT_HEADER, 2, 2),
        compare(EQUAL, &port.to_be_bytes()),
    ]
    .concat()
}

fn port_to(port: u16) -> Vec<u8> {
    let value = nested(2, &attribute(1, &port.to_be_bytes()));
    let immediate = expression(b"immediate\0", &[word(1, REGISTER), value]);
    [immediate, expression(b"redir\0", &[word(1, REGISTER)])].concat()
}
