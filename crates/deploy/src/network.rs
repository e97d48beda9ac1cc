//! Addresses: which are only reached from inside.

/// Loopback, private and link-local blocks of RFC 1918, RFC 4193, RFC 3927 and RFC 6598, with or without a length.
pub(crate) fn is_private(block: &str) -> bool {
    let address = block
        .split('/')
        .next()
        .unwrap_or(block)
        .trim_matches(['[', ']']);
    if is_loopback(address) {
        return true;
    }
    if let Ok(v6) = address.parse::<core::net::Ipv6Addr>() {
        let first = v6.segments()[0];
        return first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
    }
    let Ok(v4) = address.parse::<core::net::Ipv4Addr>() else {
        return false;
    };
    // A block wider than the private one holds public addresses too.
    let length: u32 = block
        .split_once('/')
        .and_then(|(_, length)| length.parse().ok())
        .unwrap_or(32);
    let [a, b, ..] = v4.octets();
    match (a, b) {
        (10, _) => length >= 8,
        (172, 16..=31) => length >= 12,
        (192, 168) | (169, 254) => length >= 16,
        (100, 64..=127) => length >= 10,
        _ => false,
    }
}

/// Only the machine itself.
pub(crate) fn is_loopback(address: &str) -> bool {
    let address = address
        .split('/')
        .next()
        .unwrap_or(address)
        .trim_matches(['[', ']']);
    address == "localhost" || address == "::1" || address.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_private_only_as_a_whole() {
        for private in [
            "127.0.0.1",
            "10.0.0.0/8",
            "192.168.1.0/24",
            "[::1]",
            "fd00::/8",
            "172.20.0.1",
        ] {
            assert!(is_private(private), "{private}");
        }
        for open in [
            "0.0.0.0/0",
            "10.0.0.0/4",
            "172.32.0.1",
            "8.8.8.8",
            "::/0",
            "example.org",
        ] {
            assert!(!is_private(open), "{open}");
        }
        assert!(is_loopback("127.0.0.1") && !is_loopback("10.0.0.1"));
    }
}
