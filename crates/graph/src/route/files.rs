//! Files whose path is their route: what they export answers.

use solvent_models::EntryShape;

use super::text::segments;
use crate::entry::Entry;
use crate::link::{Site, UnitId};
use crate::machine::Machine;
use crate::value::Atom;

impl Machine<'_> {
    pub(super) fn add_files(&mut self, out: &mut Vec<Entry>) {
        let models = self.m;
        let rows: Vec<_> = models.entry_rows(EntryShape::FilePath).collect();
        if rows.is_empty() || !self.is_javascript() {
            return;
        }
        for index in 0..self.p.units.len() {
            let unit = UnitId(index as u32);
            let path = self.p.unit(unit).path.as_str();
            let path = path
                .rsplit_once('.')
                .map_or(path, |(stem, _)| stem)
                .to_owned();
            for (_, row) in &rows {
                let Some(route) = row.files.as_deref().and_then(|f| route_of(&path, f)) else {
                    continue;
                };
                let (segments, _) = segments(&route, row.syntax);
                for (name, methods) in &row.method_functions {
                    let name = self.name(name);
                    let Some(value) = self.exports(unit, name) else {
                        continue;
                    };
                    let entry = Entry {
                        extra: Vec::new(),
                        gives: Vec::new(),
                        within: false,
                        library: None,
                        filling: None,
                        answers: None,
                        framework: row.framework.clone(),
                        methods: methods.clone(),
                        route: route.clone(),
                        segments: segments.clone(),
                        function: self.p.body(unit),
                        class: None,
                        value: self.w.store.none(),
                        auth: Vec::new(),
                        assumed: None,
                        converters: Vec::new(),
                        params: row.params.clone(),
                    };
                    let first = out.len();
                    let mut other = None;
                    for atom in self.w.store.atoms_of(value) {
                        let (Atom::Fn { function, env } | Atom::Method { function, env, .. }) =
                            atom
                        else {
                            other = Some(self.library_name(&atom));
                            continue;
                        };
                        let value = self.w.store.one(atom);
                        // A wrapper around the handler is called; the handler says where it stands.
                        let (function, auth) = self.unwrapped(function, env);
                        out.push(Entry {
                            function,
                            value,
                            auth,
                            ..entry.clone()
                        });
                    }
                    if let (Some(name), true) = (other, out.len() == first) {
                        let site = Site {
                            function: self.p.body(unit),
                            inst: 0,
                        };
                        out.push(Entry {
                            within: true,
                            library: Some((name, site)),
                            params: Vec::new(),
                            ..entry
                        });
                    }
                }
            }
        }
    }
}

/// The route of a file that a pattern fits: `src/pages/api/users/[id]` and `pages/api/**` make
/// `/api/users/:id`. The folder that the pattern begins with is no part of the route; a name behind `as` is its end:
/// `app/robots` and `app/**/robots as robots.txt` make `/robots.txt`.
fn route_of(path: &str, pattern: &str) -> Option<String> {
    let (pattern, end) = match pattern.split_once(" as ") {
        Some((pattern, end)) => (pattern, Some(end)),
        None => (pattern, None),
    };
    let (head, tail) = pattern.split_once("/**")?;
    let (root, below) = head.split_once('/').unwrap_or((head, ""));
    let parts: Vec<&str> = path.split('/').collect();
    let at = parts.iter().position(|part| *part == root)?;
    let mut rest = parts.get(at + 1..)?;
    let mut route: Vec<String> = Vec::new();
    if !below.is_empty() {
        if rest.first() != Some(&below) {
            return None;
        }
        rest = rest.get(1..)?;
        route.push(below.to_owned());
    }
    let file = tail.trim_start_matches('/');
    if !file.is_empty() {
        let (last, folders) = rest.split_last()?;
        if *last != file {
            return None;
        }
        rest = folders;
    }
    for part in rest {
        // Groups and slots are folders that the route leaves out.
        let left_out = part.starts_with('(') || part.starts_with('@');
        if left_out || *part == "index" {
            continue;
        }
        // Private folders, and files of the framework's own.
        if part.starts_with('_') {
            return None;
        }
        let inner = part.strip_prefix('[').and_then(|p| p.strip_suffix(']'));
        route.push(match inner {
            Some(name) => {
                let name = name.trim_matches(['[', ']']);
                match name.strip_prefix("...") {
                    Some(name) => format!(":{name}(*)"),
                    None => format!(":{name}"),
                }
            }
            None => (*part).to_owned(),
        });
    }
    route.extend(end.map(str::to_owned));
    Some(format!("/{}", route.join("/")))
}

#[cfg(test)]
mod tests {
    use super::route_of;

    #[test]
    fn a_file_s_path_is_its_route() {
        let route = |path, pattern| route_of(path, pattern).unwrap_or_default();
        assert_eq!(
            route("pages/api/users/[id]", "pages/api/**"),
            "/api/users/:id"
        );
        assert_eq!(route("web/src/pages/api/index", "pages/api/**"), "/api");
        assert_eq!(route("src/app/(shop)/cart/route", "app/**/route"), "/cart");
        assert_eq!(route("app/[...path]/route", "app/**/route"), "/:path(*)");
        assert_eq!(route("app/route", "app/**/route"), "/");
        assert_eq!(route("app/cart/page", "app/**/route"), "");
        assert_eq!(route("pages/_app", "pages/**"), "");
        assert_eq!(route("lib/users", "pages/api/**"), "");
        let robots = "app/**/robots as robots.txt";
        assert_eq!(route("app/(shop)/robots", robots), "/robots.txt");
        assert_eq!(route("app/robots/page", robots), "");
    }
}
