//! Fresh unguessable names and bits from the operating system.

/// Every token begins with this, so that sensors know what to report.
pub(crate) const MARK: &str = "slv";

/// `slv` and 16 of 32 characters: 80 bits. Lower-case letters and digits only, so that no encoding and no quoting
/// changes it. *Promise: fresh token.*
pub(crate) fn fresh() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0_u8; 16];
    random(&mut bytes);
    let mut out = String::from(MARK);
    out.extend(
        bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte & 31)])),
    );
    out
}

/// 128 bits as 32 hexadecimal digits, without the mark: a secret must not be found by the sensors.
pub(crate) fn secret() -> String {
    let mut bytes = [0_u8; 16];
    random(&mut bytes);
    solvent_base::digest::hex(&bytes)
}

/// A number of four digits.
pub(crate) fn number() -> u32 {
    let mut bytes = [0_u8; 4];
    random(&mut bytes);
    1000 + u32::from_be_bytes(bytes) % 9000
}

pub(crate) fn bits(count: u32) -> Vec<bool> {
    (0..count)
        .map(|_| {
            let mut byte = [0_u8; 1];
            random(&mut byte);
            byte[0] & 1 == 1
        })
        .collect()
}

/// Fills from the operating system; a machine without randomness must not attack, so this stops the process.
fn random(out: &mut [u8]) {
    if let Err(error) = getrandom::fill(out) {
        // A predictable token would make a false proof possible.
        panic!("the operating system gives no random bytes: {error}");
    }
}

/// A reproducible sequence for orders, never for tokens (SplitMix64, Steele et al. 2014).
#[derive(Clone, Debug)]
pub(crate) struct Order(u64);

impl Order {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fisher and Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = (self.next() % (at as u64 + 1)) as usize;
            items.swap(at, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_no_encoding_changes_them() {
        let (a, b) = (fresh(), fresh());
        assert_ne!(a, b);
        assert_eq!(a.len(), 19);
        use solvent_protocol::capsule::Encode;
        for encode in [Encode::Percent, Encode::Form, Encode::Json, Encode::Cookie] {
            assert_eq!(encode.apply(a.as_bytes()), a.as_bytes());
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..20).collect();
            Order::new(seed).shuffle(&mut items);
            items
        };
        assert_eq!(shuffled(7), shuffled(7));
        assert_ne!(shuffled(7), shuffled(8));
    }
}
