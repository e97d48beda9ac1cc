//! Jinja's own calls: an environment, the template that it finds, and what that is rendered with.

use solvent_base::Name;
use solvent_finding::Transform;
use solvent_ir::Const;

use crate::call::Args;
use crate::label::{Link, Note};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};

/// Classes of environments; none escapes unless it is told to (Jinja's API, "Autoescaping").
const ENVIRONMENTS: [&str; 4] = [
    "jinja2.Environment",
    "jinja2.environment.Environment",
    "jinja2.sandbox.SandboxedEnvironment",
    "jinja2.sandbox.ImmutableSandboxedEnvironment",
];

/// What an environment says of escaping, and a template's name, as attributes that no program can read.
const ESCAPES: &str = "<escapes>";
const TEMPLATE: &str = "<template>";
/// A key of what a template sees that says that it escapes nothing; no template can name it.
pub(crate) const PLAIN: &str = "<plain>";

impl Machine<'_> {
    pub(super) fn jinja_environment(&mut self, path: &str, args: &Args) -> Option<V> {
        if !ENVIRONMENTS.contains(&path) {
            return None;
        }
        let wanted = self.name("autoescape");
        let escapes = args.named.iter().find(|(name, _, _)| *name == wanted);
        let escapes = match escapes {
            Some((_, v, _)) => *v,
            None if args.keywords.is_some() || args.spread.is_some() => self.w.store.unknown(),
            None => self.w.store.boolean(Some(false)),
        };
        let class = self.name(ENVIRONMENTS[0]);
        let key = self.name(ESCAPES);
        Some(self.w.store.one(Atom::LibObject {
            class,
            attrs: Box::new([(key, escapes)]),
            data: V::NEVER,
        }))
    }

    /// Methods of an environment, and of a template that was found by its name.
    pub(super) fn jinja_method(
        &mut self,
        frame: &mut Frame,
        index: u32,
        attrs: &[(Name, V)],
        method: &str,
        args: &Args,
    ) -> Option<V> {
        let of = |m: &Self, key: &str| {
            let key = m.name(key);
            attrs.iter().find(|(name, _)| *name == key).map(|(_, v)| *v)
        };
        let escapes = of(self, ESCAPES)?;
        match (method, of(self, TEMPLATE)) {
            ("get_template" | "select_template", None) => {
                let class = self.name("jinja2.Template");
                let name = args.get(0, Some(self.name("name")))?;
                let attrs = [(self.name(ESCAPES), escapes), (self.name(TEMPLATE), name)];
                Some(self.w.store.one(Atom::LibObject {
                    class,
                    attrs: Box::new(attrs),
                    data: V::NEVER,
                }))
            }
            ("render" | "render_async" | "generate" | "stream", Some(name)) => {
                let mut kids: Vec<(Const, V)> = Vec::new();
                for (name, v, _) in &args.named {
                    kids.push((Const::Str(*name), *v));
                }
                let rest = args.keywords.unwrap_or(V::NEVER);
                let kind = CollKind::Dict;
                let mut all = self.w.store.coll(kind, kids, rest, Ls::NONE);
                if let Some((given, _)) = args.pos.first() {
                    all = self.merge_mapping(frame, index, all, *given);
                }
                let plain = self.w.store.truth(escapes) == Some(false);
                let read = self.rendered_by_name(frame, index, name, all, plain);
                if plain && !read {
                    // What comes back is said by the model.
                    return None;
                }
                let labels = self.w.store.deep(all);
                let page = self.w.store.data(labels);
                let opaque = Transform::Opaque("template".to_owned());
                let page = self.derive(page, &Link::Transform(opaque));
                let kinds = self.m.kind("html-text").map_or(0, |kind| 1 << kind.index());
                let site = self.site(frame, index);
                let by = self.name("jinja2.Template.render");
                let note = Note::Sanitized { site, by, kinds };
                Some(self.w.store.clear(page, kinds, note))
            }
            _ => None,
        }
    }

    /// Whether the template that runs was rendered where nothing is escaped.
    pub(crate) fn escapes_nothing(&mut self, frame: &Frame) -> bool {
        let key = Const::Str(self.name(PLAIN));
        let seen = frame.args.first().copied().unwrap_or(V::NEVER);
        self.w.store.atoms(seen).any(|atom| {
            matches!(atom, Atom::Coll { kind: CollKind::Dict, kids, .. }
                if kids.iter().any(|(name, _)| *name == key))
        })
    }
}
