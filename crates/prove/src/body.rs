//! Bodies as they are compared: packed ones opened, times of archives left out.
//!
//! Everything here comes from the application under test. What cannot be read stays as it is.

use std::io::Read as _;

/// Bytes that a packed body may grow to. Sixteen times what is read of an answer; more is a bomb.
pub const MAX_UNPACKED: u64 = 64 << 20;

/// Entries of one archive that are looked at.
const MAX_ENTRIES: usize = 10_000;

/// The body with `gzip` undone and tar archives as a list of names and contents, without times and owners.
pub fn opened(body: &[u8]) -> Vec<u8> {
    let packed = gunzip(body);
    let plain = packed.as_deref().unwrap_or(body);
    let mut out = untar(plain).unwrap_or_else(|| plain.to_vec());
    if packed.is_some() {
        // Packed or not is a difference.
        out.splice(0..0, *b"gzip\n");
    }
    out
}

fn gunzip(body: &[u8]) -> Option<Vec<u8>> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return None;
    }
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(body)
        .take(MAX_UNPACKED)
        .read_to_end(&mut out)
        .ok()?;
    Some(out)
}

/// POSIX ustar (IEEE 1003.1, pax): blocks of 512 bytes, a header and its content.
fn untar(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.get(257..262)? != b"ustar" {
        return None;
    }
    let mut out = Vec::new();
    let mut at = 0;
    for _ in 0..MAX_ENTRIES {
        let Some(header) = bytes.get(at..at + 512) else {
            break;
        };
        if header.iter().all(|b| *b == 0) {
            break;
        }
        let text = |from: usize, to: usize| -> &[u8] {
            let field = &header[from..to];
            let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
            &field[..end]
        };
        let size = text(124, 136)
            .iter()
            .filter(|b| b.is_ascii_digit())
            .try_fold(0_usize, |n, b| {
                n.checked_mul(8)?.checked_add(usize::from(b - b'0'))
            })?;
        at += 512;
        let content = bytes.get(at..at.checked_add(size)?)?;
        at = at.checked_add(size.div_ceil(512).checked_mul(512)?)?;
        // Extended headers hold times.
        if matches!(header[156], b'x' | b'g') {
            continue;
        }
        out.extend_from_slice(text(345, 500));
        out.push(b'/');
        out.extend_from_slice(text(0, 100));
        out.push(b' ');
        out.push(header[156]);
        out.push(b' ');
        out.extend_from_slice(text(157, 257));
        out.push(b'\n');
        out.extend_from_slice(content);
        out.push(b'\n');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn archive(name: &str, time: &str, content: &[u8]) -> Vec<u8> {
        let mut header = vec![0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[136..136 + time.len()].copy_from_slice(time.as_bytes());
        header[156] = b'0';
        header[257..262].copy_from_slice(b"ustar");
        header.extend_from_slice(content);
        header.resize(1024 + 1024, 0);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&header).expect("packs");
        packed.finish().expect("packs")
    }

    #[test]
    fn archives_differ_by_names_and_contents_and_not_by_times() {
        let one = opened(&archive("a/sales.csv", "00000000001", b"1,2"));
        assert_eq!(one, opened(&archive("a/sales.csv", "00000000777", b"1,2")));
        assert!(one.starts_with(b"gzip"));
        assert_ne!(one, opened(&archive("b/sales.csv", "00000000001", b"1,2")));
        assert_ne!(one, opened(&archive("a/sales.csv", "00000000001", b"1,3")));
    }

    #[test]
    fn what_is_cut_or_no_archive_stays_as_it_is() {
        let whole = archive("a", "0", b"x");
        for end in 0..whole.len() {
            let _ = opened(&whole[..end]);
        }
        assert_eq!(opened(b"<p>page"), b"<p>page");
    }
}
