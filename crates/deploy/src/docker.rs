//! Dockerfiles: where files land, what is started, what is listened on.

use std::collections::BTreeMap;

use crate::text;
use crate::tree::joined;

/// The last stage of a Dockerfile, or the one that is built.
#[derive(Clone, Default, Debug)]
pub(crate) struct Image {
    /// Absolute folder of the container that commands run in.
    pub workdir: String,
    /// From the build context to the container, both without a slash at the end.
    pub copies: Vec<(String, String)>,
    pub entrypoint: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    pub ports: Vec<u16>,
    pub settings: BTreeMap<String, (Option<String>, u32)>,
    /// The image that it stands on.
    pub base: String,
}

/// Reads a Dockerfile; `target` is the stage that is built, the last one without it.
pub(crate) fn parse(text: &str, target: Option<&str>) -> Image {
    let mut stages: Vec<(String, Image)> = Vec::new();
    let mut arguments: BTreeMap<String, String> = BTreeMap::new();
    for (line, instruction) in instructions(text) {
        let Some((word, rest)) = instruction.split_once(char::is_whitespace) else {
            continue;
        };
        let rest = rest.trim();
        let word = word.to_ascii_uppercase();
        if word == "FROM" {
            let mut words = rest.split_whitespace().filter(|w| !w.starts_with("--"));
            let base = words.next().unwrap_or_default();
            let base = text::interpolated(base, &arguments).unwrap_or_default();
            let name = match (words.next(), words.next()) {
                (Some(word), Some(name)) if word.eq_ignore_ascii_case("as") => name,
                _ => "",
            };
            let before = stages.iter().find(|(n, _)| !n.is_empty() && *n == base);
            let mut image = before.map(|(_, image)| image.clone()).unwrap_or_default();
            if before.is_none() {
                image.base = base;
                image.workdir = "/".to_owned();
            }
            stages.push((name.to_ascii_lowercase(), image));
            continue;
        }
        if word == "ARG" {
            if let Some((name, value)) = rest.split_once('=') {
                let value = value.trim_matches(['"', '\'']);
                arguments.insert(name.trim().to_owned(), value.to_owned());
            }
            continue;
        }
        let Some((_, image)) = stages.last_mut() else {
            continue;
        };
        apply(image, &word, rest, line, &arguments);
    }
    let wanted = target.and_then(|target| {
        let target = target.to_ascii_lowercase();
        stages.iter().position(|(name, _)| *name == target)
    });
    match wanted {
        Some(at) => stages.swap_remove(at).1,
        None => stages.pop().map(|(_, image)| image).unwrap_or_default(),
    }
}

fn apply(
    image: &mut Image,
    word: &str,
    rest: &str,
    line: u32,
    arguments: &BTreeMap<String, String>,
) {
    match word {
        "WORKDIR" => {
            let mut known = arguments.clone();
            for (name, (value, _)) in &image.settings {
                if let Some(value) = value {
                    known.insert(name.clone(), value.clone());
                }
            }
            let folder = text::interpolated(rest, &known).unwrap_or_else(|_| rest.to_owned());
            image.workdir = inside(&image.workdir, folder.trim_matches(['"', '\'']));
        }
        "COPY" | "ADD" => {
            let words = list(rest).unwrap_or_else(|| text::words(rest));
            if words.iter().any(|w| w.starts_with("--from")) {
                return;
            }
            let mut words: Vec<String> =
                words.into_iter().filter(|w| !w.starts_with("--")).collect();
            let Some(to) = words.pop() else { return };
            let into_folder = to.ends_with('/') || to == "." || words.len() > 1;
            let to = inside(&image.workdir, &to);
            for from in words {
                let Some(from) = joined("", from.trim_start_matches('/')) else {
                    continue;
                };
                image.copies.push((from.clone(), to.clone()));
                // A file that is put into a folder keeps its name; of a folder the content is put there.
                if into_folder {
                    let name = crate::tree::last(&from).to_owned();
                    image.copies.push((from, format!("{to}/{name}")));
                }
            }
        }
        "CMD" => image.command = Some(command(rest)),
        "ENTRYPOINT" => {
            image.entrypoint = Some(command(rest));
            image.command = None;
        }
        "EXPOSE" => {
            for word in rest.split_whitespace() {
                let port: Option<u16> = word.split('/').next().and_then(|p| p.parse().ok());
                image.ports.extend(port);
            }
        }
        "ENV" => {
            let words = text::words(rest);
            let pairs: Vec<(String, String)> = match words.first() {
                Some(first) if !first.contains('=') => {
                    let value = words.get(1..).unwrap_or_default().join(" ");
                    vec![(first.clone(), value)]
                }
                _ => words
                    .iter()
                    .filter_map(|w| w.split_once('='))
                    .map(|(a, b)| (a.to_owned(), b.to_owned()))
                    .collect(),
            };
            for (name, value) in pairs {
                let value = text::interpolated(&value, arguments).ok();
                image.settings.insert(name, (value, line));
            }
        }
        _ => {}
    }
}

/// Lines joined where they go on, remarks left out, with the line each begins on.
fn instructions(text: &str) -> Vec<(u32, String)> {
    let mut out: Vec<(u32, String)> = Vec::new();
    let mut going_on = false;
    for (line, text) in (1u32..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let more = text.ends_with('\\');
        let part = text.trim_end_matches('\\').trim_end();
        match out.last_mut() {
            Some((_, have)) if going_on => {
                have.push(' ');
                have.push_str(part);
            }
            _ => out.push((line, part.to_owned())),
        }
        going_on = more;
    }
    out
}

/// `["a", "b"]`.
fn list(text: &str) -> Option<Vec<String>> {
    text.starts_with('[')
        .then(|| serde_json::from_str(text).ok())?
}

fn command(text: &str) -> Vec<String> {
    list(text).unwrap_or_else(|| text::words(text))
}

/// A path of the container, absolute, without a slash at the end.
pub(crate) fn inside(workdir: &str, path: &str) -> String {
    let base = if path.starts_with('/') { "" } else { workdir };
    let joined = joined(base.trim_start_matches('/'), path.trim_start_matches('/'));
    format!("/{}", joined.unwrap_or_default())
}

impl Image {
    /// The file of the build context that lies at this path of the container.
    pub(crate) fn in_context(&self, path: &str) -> Vec<String> {
        let mut out = Vec::new();
        for (from, to) in self.copies.iter().rev() {
            if path == to {
                out.push(from.clone());
            } else if let Some(rest) = path
                .strip_prefix(to.as_str())
                .and_then(|rest| rest.strip_prefix('/').or((to == "/").then_some(rest)))
            {
                out.extend(joined(from, rest));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "ARG V=3.12\nFROM python:${V} AS base\nWORKDIR /srv\nENV MODE=on \\\n  B=2\n\
        FROM base\nCOPY src/ ./app/\nCOPY main.py .\nEXPOSE 8000/tcp\nENTRYPOINT [\"gunicorn\"]\n\
        CMD [\"app.main:app\"]\n";

    #[test]
    fn a_stage_goes_on_from_the_one_it_stands_on() {
        let image = parse(FILE, None);
        assert_eq!(image.workdir, "/srv");
        assert_eq!(image.base, "python:3.12");
        assert_eq!(image.ports, [8000]);
        assert_eq!(image.settings["MODE"].0.as_deref(), Some("on"));
        assert_eq!(
            image.command.as_deref(),
            Some(&["app.main:app".to_owned()][..])
        );
        assert!(parse(FILE, Some("base")).command.is_none());
    }

    #[test]
    fn a_file_of_the_container_is_found_in_the_context() {
        let image = parse(FILE, None);
        assert!(
            image
                .in_context("/srv/app/main.py")
                .contains(&"src/main.py".to_owned())
        );
        assert!(
            image
                .in_context("/srv/main.py")
                .contains(&"main.py".to_owned())
        );
    }
}
