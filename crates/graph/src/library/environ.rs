//! Headers under the names that servers give them (RFC 3875, 4.1): `HTTP_X_NAME` is `X-Name`.

use solvent_base::Name;
use solvent_finding::Carrier;

use crate::label::{InputShape, Origin};
use crate::machine::Machine;
use crate::value::Ls;

/// Entries that the server writes, not who asks.
const OF_THE_SERVER: [&str; 11] = [
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REMOTE_PORT",
    "REMOTE_USER",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "REQUEST_METHOD",
    "GATEWAY_INTERFACE",
    "CONTENT_LENGTH",
];

/// What a key of a mapping of headers names.
pub(crate) enum HeaderKey {
    Header(Name),
    OfTheServer,
}

impl Machine<'_> {
    /// `None` where the labels are no mapping of headers, or the key is a header's name as it is.
    pub(crate) fn header_key(&self, labels: Ls, key: Name) -> Option<HeaderKey> {
        let text = self.text(key);
        let is_one = text.starts_with("HTTP_")
            || text.starts_with("CONTENT_")
            || OF_THE_SERVER.contains(&&*text);
        let labels = self.w.store.labels(labels);
        let headers = labels.iter().all(|label| match label.origin {
            Origin::Input(id) => {
                let input = self.w.store.input(id);
                input.carrier == Carrier::Header && input.shape == InputShape::Map
            }
            _ => false,
        });
        if !is_one || !headers || labels.is_empty() {
            return None;
        }
        if OF_THE_SERVER.contains(&&*text) {
            return Some(HeaderKey::OfTheServer);
        }
        let words: Vec<String> = text
            .trim_start_matches("HTTP_")
            .split('_')
            .map(|word| {
                let mut chars = word.chars();
                let first = chars.next().into_iter().collect::<String>();
                first + &chars.as_str().to_lowercase()
            })
            .collect();
        Some(HeaderKey::Header(self.name(&words.join("-"))))
    }
}
