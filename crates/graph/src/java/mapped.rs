//! Statements that stand in files, under the names of the methods that run them.

use solvent_ir::{BinaryOp, Const};

use crate::call::{Args, Out};
use crate::machine::{Frame, Machine};
use crate::value::V;

/// What runs a statement.
const RUN: &str = "org.apache.ibatis.annotations.Select.run";

impl Machine<'_> {
    /// `<mapped>("Class.method", name, value, ..)`: the statement with its placeholders filled is run.
    pub(super) fn mapped(&mut self, frame: &mut Frame, index: u32, args: &Args) -> Out {
        let values: Vec<V> = args.pos.iter().map(|(v, _)| *v).collect();
        let module = self.text(self.p.unit(frame.unit).module).to_string();
        let package = module.rsplit_once('.').map_or("", |(package, _)| package);
        let own = values
            .first()
            .and_then(|v| self.w.store.constant_str(*v))
            .map(|own| self.text(own).to_string())
            .unwrap_or_default();
        let key = match package {
            "" => own.clone(),
            package => format!("{package}.{own}"),
        };
        let p = self.p;
        let Some(statement) = p.setting(&key) else {
            // What runs it is not in sight.
            let given = values.iter().skip(2).step_by(2).copied();
            let given = Args::of(&given.collect::<Vec<_>>());
            let receiver = self.w.store.unknown();
            return self.unknown_call(frame, index, receiver, &given, &own);
        };
        let site = self.site(frame, index);
        let mut named: Vec<(String, V)> = Vec::new();
        for pair in values.get(1..).unwrap_or_default().chunks_exact(2) {
            if let Some(name) = self.w.store.constant_str(pair[0]) {
                named.push((self.text(name).to_string(), pair[1]));
            }
        }
        let empty = self.w.store.empty;
        let mut text = self.w.store.konst(Const::Str(empty));
        let mut rest = statement;
        while let Some((before, after)) = rest.split_once("${") {
            let (path, behind) = after.split_once('}').unwrap_or((after, ""));
            text = self.and_text(frame, text, before, index);
            let value = self.placeholder(frame, path, &named, index);
            text = self.binary(frame, BinaryOp::Add, text, value, site);
            rest = behind;
        }
        text = self.and_text(frame, text, rest, index);
        let run = self.name(RUN);
        self.call_lib(frame, index, run, &Args::of(&[text]))
    }

    fn and_text(&mut self, frame: &mut Frame, text: V, more: &str, index: u32) -> V {
        let site = self.site(frame, index);
        let more = self.name(more);
        let more = self.w.store.konst(Const::Str(more));
        self.binary(frame, BinaryOp::Add, text, more, site)
    }

    /// What stands for `${path}`: a parameter of that name, or a property of the only one.
    fn placeholder(
        &mut self,
        frame: &mut Frame,
        path: &str,
        named: &[(String, V)],
        index: u32,
    ) -> V {
        let site = self.site(frame, index);
        let mut names = path.split('.').map(str::trim);
        let first = names.next().unwrap_or_default();
        let known = named.iter().find(|(name, _)| name == first);
        let mut value = match (known, named) {
            (Some((_, value)), _) => *value,
            (None, [(_, only)]) => {
                let first = self.name(first);
                self.attr(frame, *only, first, site)
            }
            _ => self.w.store.unknown(),
        };
        for name in names {
            let name = self.name(name);
            value = self.attr(frame, value, name, site);
        }
        value
    }
}
