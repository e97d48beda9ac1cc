//! Structs that are filled by what is decoded: field by field, under the names of their tags.

use solvent_base::Name;
use solvent_ir::{Const, Op, Scope};
use solvent_models::SourceKind;

use crate::link::ClassId;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, EnvId, V};

/// How deep structs in structs are filled.
const MAX_DEPTH: u32 = 4;

/// What the tag of a field is stored under in its class, before the field's name.
const TAG: &str = "<tag> ";

/// Keys of tags in the order in which decoders of JSON and other bodies ask for them.
pub(crate) const OF_BODIES: &[&str] = &["json", "form", "xml", "yaml"];

impl Machine<'_> {
    /// The struct after `data` was decoded into it, its fields by the names that their tags have under one of `keys`;
    /// `None` where it is not known which struct that is. A field that holds a number or a truth value has no text.
    pub(crate) fn decoded_into(
        &mut self,
        frame: &mut Frame,
        index: u32,
        before: V,
        data: V,
        keys: &[&str],
    ) -> Option<V> {
        self.fields_filled(frame, index, before, data, keys, 0)
    }

    /// Keys of tags that say under which name a field is taken from there.
    pub(crate) fn tag_keys(kind: SourceKind) -> &'static [&'static str] {
        match kind {
            SourceKind::HttpQuery => &["form", "query", "schema", "json"],
            SourceKind::HttpForm => &["form", "schema", "json"],
            SourceKind::HttpPath => &["uri", "param", "params", "path"],
            SourceKind::HttpHeader => &["header", "reqHeader"],
            _ => OF_BODIES,
        }
    }

    fn fields_filled(
        &mut self,
        frame: &mut Frame,
        index: u32,
        before: V,
        data: V,
        keys: &[&str],
        depth: u32,
    ) -> Option<V> {
        if !self.is_go() || depth > MAX_DEPTH {
            return None;
        }
        let Some(Atom::Object { class, attrs, open }) = self.w.store.only(before).cloned() else {
            return None;
        };
        let mut attrs = attrs.to_vec();
        for (field, tag) in self.tagged_fields(class) {
            let zero = attrs
                .iter()
                .find(|(name, _)| *name == field)
                .map(|(_, v)| *v)
                .or_else(|| self.class_attr(class, EnvId::EMPTY, field));
            let written = tag.as_deref().and_then(|tag| name_in(tag, keys));
            if written.as_deref() == Some("-") {
                continue;
            }
            let is_struct =
                zero.is_some_and(|v| matches!(self.w.store.only(v), Some(Atom::Object { .. })));
            // Fields of an embedded struct stand beside the others.
            let embedded = written.is_none() && is_struct && self.embeds(class, field);
            let inner = if embedded {
                data
            } else {
                let name = match &written {
                    Some(text) => self.name(text),
                    None => field,
                };
                let key = self.w.store.konst(Const::Str(name));
                self.index(frame, index, data, key)
            };
            let v = match zero {
                Some(zero) => self.field_holding(frame, index, zero, inner, keys, depth),
                None => inner,
            };
            match attrs.iter_mut().find(|(name, _)| *name == field) {
                Some((_, slot)) => *slot = v,
                None => attrs.push((field, v)),
            }
        }
        let attrs = attrs.into();
        Some(self.w.store.one(Atom::Object { class, attrs, open }))
    }

    /// What a field of the type that this zero value has holds of the data.
    fn field_holding(
        &mut self,
        frame: &mut Frame,
        index: u32,
        zero: V,
        data: V,
        keys: &[&str],
        depth: u32,
    ) -> V {
        match self.w.store.only(zero).cloned() {
            Some(Atom::Const(Const::Int(_) | Const::Float(_) | Const::Bool(_))) => {
                self.w.store.unknown()
            }
            Some(Atom::Object { .. }) => self
                .fields_filled(frame, index, zero, data, keys, depth + 1)
                .unwrap_or(data),
            Some(Atom::Coll {
                kind: CollKind::List,
                ..
            }) => {
                let element = self.derive(data, &crate::label::Link::Value);
                self.w.store.many(CollKind::List, element)
            }
            _ => data,
        }
    }

    /// The fields of a struct in their order, with what their tags say.
    fn tagged_fields(&mut self, class: ClassId) -> Vec<(Name, Option<String>)> {
        let p = self.p;
        let body = p.function(p.fn_id(p.class_unit(class), p.class(class).body));
        let mut out: Vec<(Name, Option<String>)> = Vec::new();
        for inst in &body.insts {
            let Op::StoreName {
                scope: Scope::Class,
                name,
                value,
            } = &inst.op
            else {
                continue;
            };
            let text = self.text(*name);
            match text.strip_prefix(TAG) {
                None => out.push((*name, None)),
                Some(field) => {
                    if let Op::Const(Const::Str(tag)) = body.op(*value)
                        && let Some((_, slot)) =
                            out.iter_mut().find(|(n, _)| &*self.text(*n) == field)
                    {
                        *slot = Some(self.text(*tag).to_string());
                    }
                }
            }
        }
        out
    }

    /// Whether the struct embeds a type of the field's name.
    fn embeds(&self, class: ClassId, field: Name) -> bool {
        self.w.classes[class.0 as usize]
            .bases
            .iter()
            .any(|base| match base {
                crate::world::Base::Own(base) => self.p.class(*base).name == field,
                _ => false,
            })
    }
}

/// Whether a name of a class is the tag of a field, and no field.
pub(crate) fn is_tag(name: &str) -> bool {
    name.starts_with(TAG)
}

/// The name that a tag gives under the first of these keys that it has: `json:"name,omitempty" form:"n"`.
fn name_in(tag: &str, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| {
        let mut rest = tag;
        while let Some(at) = rest.find(key) {
            let starts = rest[..at]
                .chars()
                .next_back()
                .is_none_or(char::is_whitespace);
            let after = &rest[at + key.len()..];
            if let Some(quoted) = after.strip_prefix(":\"").filter(|_| starts) {
                let value = quoted.split('"').next().unwrap_or_default();
                let name = value.split(',').next().unwrap_or_default().trim();
                return (!name.is_empty()).then(|| name.to_owned());
            }
            rest = after;
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_its_field_for_each_decoder() {
        let tag = "json:\"user_name,omitempty\" form:\"user\" xml:\",attr\" binding:\"required\"";
        assert_eq!(name_in(tag, OF_BODIES).as_deref(), Some("user_name"));
        assert_eq!(name_in(tag, &["form", "json"]).as_deref(), Some("user"));
        assert_eq!(name_in(tag, &["uri"]), None);
        assert_eq!(name_in(tag, &["xml"]), None);
        assert_eq!(name_in("xjson:\"a\"", &["json"]), None);
        assert_eq!(name_in("json:\"-\"", &["json"]).as_deref(), Some("-"));
    }
}
