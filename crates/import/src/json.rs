//! JSON of strangers: size, depth and number of values capped, no key twice, cut-off text told apart.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::{MAX_BYTES, MAX_VALUES, Refusal};

/// Parses one document. UTF-8 and UTF-16 with a byte order mark are read too: PowerShell writes them.
pub fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.len() > MAX_BYTES {
        return Err(Refusal::new(
            format!(
                "the report has {} MiB, more than the {} MiB that are read",
                bytes.len() >> 20,
                MAX_BYTES >> 20
            ),
            "split it by folder or by rule",
        ));
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Refusal::new(
            "the report is packed with gzip, which is not opened: a small file can unpack to any size",
            "unpack it first: `gunzip FILE`",
        ));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(Refusal::new(
            "the report is a zip archive, which is not opened",
            "unpack it first",
        ));
    }
    let text = text(bytes)?;
    if text.trim().is_empty() {
        return Err(Refusal::new(
            "the report is empty: the tool wrote nothing",
            "run the tool again, and look at its exit code",
        ));
    }
    let budget = Cell::new(MAX_VALUES);
    let mut reader = serde_json::Deserializer::from_str(&text);
    let value = Any(&budget)
        .deserialize(&mut reader)
        .map_err(|e| refusal(&e))?;
    reader.end().map_err(|e| refusal(&e))?;
    Ok(value)
}

fn refusal(error: &serde_json::Error) -> Refusal {
    if error.is_eof() {
        Refusal::new(
            format!(
                "the report ends in the middle (line {}): it was cut off",
                error.line()
            ),
            "run the tool again, and look at its exit code",
        )
    } else {
        Refusal::new(
            format!("the report is not JSON that can be trusted: {error}"),
            "run the tool again",
        )
    }
}

fn text(bytes: &[u8]) -> Result<String, Refusal> {
    let wide = |order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|p| order([p[0], p[1]]))
            .collect();
        String::from_utf16(&units).map_err(|_| ())
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).map_err(|_| ()),
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).map_err(|_| ()),
    }
    .map_err(|()| {
        Refusal::new(
            "the report is not text in UTF-8 or UTF-16",
            "is this the right file? write it as UTF-8",
        )
    })
}

/// Any value, within a budget of values.
struct Any<'b>(&'b Cell<usize>);

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self
            .0
            .get()
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom(format!("more than {MAX_VALUES} values")))?;
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(Any(self.0))? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            // Readers differ on which of two wins: one tool would show what another hides.
            if out.contains_key(&key) {
                let shown: String = key.chars().take(80).collect();
                return Err(A::Error::custom(format!(
                    "the key `{shown}` stands twice in one object"
                )));
            }
            let value = entries.next_value_seed(Any(self.0))?;
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn why(bytes: &[u8]) -> String {
        parse(bytes).expect_err("refused").why
    }

    #[test]
    fn a_report_that_was_cut_off_says_so() {
        assert!(why(b"{\"runs\": [{\"results\": [").contains("cut off"));
        assert!(why(b"  \n").contains("empty"));
    }

    #[test]
    fn packed_reports_are_refused_with_the_way_to_unpack_them() {
        assert!(why(&[0x1f, 0x8b, 8, 0]).contains("gzip"));
        assert!(why(b"PK\x03\x04rest").contains("zip"));
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_by_name() {
        assert!(why(br#"{"runs": [], "runs": [1]}"#).contains("`runs`"));
    }

    #[test]
    fn byte_order_marks_are_read_past() {
        let plain = parse(br#"{"a":"\u00e9"}"#).expect("plain");
        assert_eq!(
            parse("\u{feff}{\"a\":\"é\"}".as_bytes()).expect("bom"),
            plain
        );
        let wide: Vec<u8> = std::iter::once(0xfeff_u16)
            .chain("{\"a\":\"é\"}".encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(parse(&wide).expect("utf-16"), plain);
    }

    #[test]
    fn depth_and_trailing_text_are_refused() {
        assert!(why("[".repeat(100_000).as_bytes()).contains("recursion"));
        assert!(why(b"{} {}").contains("trailing"));
        assert!(why(&[b'"', 0xff, b'"']).contains("UTF-8"));
    }

    #[test]
    fn the_number_of_values_is_capped() {
        let many = format!("[{}0]", "0,".repeat(crate::MAX_VALUES));
        assert!(why(many.as_bytes()).contains("values"));
    }
}
