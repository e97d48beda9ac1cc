//! What a function says its answer is, before it writes: text that is no page does no harm as one.

use solvent_ir::{self as ir, Arg, Op};

use crate::machine::{Frame, Machine};
use crate::shape::block_of;

/// How deep a chain of calls is followed to what it begins with.
const MAX_CHAIN: u32 = 8;

impl Machine<'_> {
    /// Whether the function says before the call at `index` that its answer is no page, and never says that it is.
    pub(crate) fn answers_no_page(&self, frame: &Frame, index: u32) -> bool {
        let function = self.p.function(frame.f);
        let Some(Op::Call { callee, args }) = function.insts.get(index as usize).map(|i| &i.op)
        else {
            return false;
        };
        // The answer is what the call is made on, or its first argument.
        let first = args.first().map(Arg::value);
        let answers: Vec<ir::Value> = [Some(*callee), first]
            .into_iter()
            .flatten()
            .filter_map(|at| self.first_of(function, at))
            .collect();
        let mut said = false;
        for (at, inst) in function.insts.iter().enumerate() {
            let Op::Call { callee, args } = &inst.op else {
                continue;
            };
            let Op::Attr { name, .. } = function.op(*callee) else {
                continue;
            };
            let Some(type_) = self.media_type(frame, &self.text(*name), args) else {
                continue;
            };
            let Some(of) = self.first_of(function, *callee) else {
                continue;
            };
            if !answers.contains(&of) {
                continue;
            }
            let v = frame.vals[type_.0 as usize];
            let Some(texts) = self.constant_texts(v) else {
                return false;
            };
            let page = |text: &String| {
                ["html", "xml", "svg"]
                    .iter()
                    .any(|word| text.to_lowercase().contains(word))
            };
            if texts.iter().any(page) {
                return false;
            }
            said |= precedes(function, at as u32, index);
        }
        said
    }

    /// The value of a call that gives an answer its media type.
    fn media_type(&self, frame: &Frame, method: &str, args: &[Arg]) -> Option<ir::Value> {
        let at = |i: usize| args.get(i).map(Arg::value);
        match method {
            "setContentType" | "contentType" | "type" => at(0),
            "Set" | "set" | "Add" | "setHeader" | "addHeader" | "header" | "Header"
            | "send_header" => {
                let name = self.w.store.constant_str(frame.vals[at(0)?.0 as usize])?;
                self.text(name)
                    .eq_ignore_ascii_case("content-type")
                    .then(|| at(1))?
            }
            "writeHead" => {
                let function = self.p.function(frame.f);
                let headers = args
                    .iter()
                    .map(Arg::value)
                    .find_map(|v| match function.op(v) {
                        Op::Dict(entries) => Some(entries),
                        _ => None,
                    })?;
                headers.iter().find_map(|entry| {
                    let ir::Entry::Pair(key, value) = entry else {
                        return None;
                    };
                    let name = self.w.store.constant_str(frame.vals[key.0 as usize])?;
                    let is_type = self.text(name).eq_ignore_ascii_case("content-type");
                    is_type.then_some(*value)
                })
            }
            _ => None,
        }
    }

    /// What a chain of attributes and calls begins with: a parameter or a variable from outside.
    fn first_of(&self, function: &ir::Function, mut value: ir::Value) -> Option<ir::Value> {
        let _ = self;
        for _ in 0..MAX_CHAIN {
            match function.op(value) {
                Op::Attr { base, .. } => value = *base,
                Op::Call { callee, .. } => value = *callee,
                Op::Refine { value: inner, .. } | Op::After { object: inner, .. } => value = *inner,
                Op::Param(_) => return Some(value),
                _ => return None,
            }
        }
        None
    }
}

/// Whether every way to the second place leads through the first.
pub(crate) fn precedes(function: &ir::Function, first: u32, second: u32) -> bool {
    let (Some(before), Some(after)) = (block_of(function, first), block_of(function, second))
    else {
        return false;
    };
    if before == after {
        return first < second;
    }
    let mut seen = vec![false; function.blocks.len()];
    let mut open = vec![0_u32];
    while let Some(at) = open.pop() {
        if at as usize == before || std::mem::replace(&mut seen[at as usize], true) {
            continue;
        }
        if at as usize == after {
            return false;
        }
        open.extend(crate::shape::successors(function, at));
    }
    true
}
