//! Operators, and texts with their parts.

mod slice;

use solvent_base::Name;
use solvent_finding::Transform;
use solvent_ir::{BinaryOp, CompareOp, Const, UnaryOp};

use crate::call::Args;
use crate::label::{Link, Note, TraceKind};
use crate::link::Site;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, MAX_TEXT, Piece, V};

/// Most alternatives of one text that are followed apart.
const MAX_ALTERNATIVES: usize = 4;

impl Machine<'_> {
    /// How many alternatives of a text are followed apart: of those that are constants as many as a value holds, since
    /// routes are made of them.
    fn most(&self, all: &[Vec<Piece>]) -> usize {
        let constant = |piece: &Piece| matches!(piece, Piece::Lit(_));
        if all.iter().flatten().all(constant) {
            self.w.store.most_constants()
        } else {
            MAX_ALTERNATIVES
        }
    }

    /// The ways a value reads as text.
    pub(crate) fn pieces(&mut self, v: V) -> Vec<Vec<Piece>> {
        let mut out: Vec<Vec<Piece>> = Vec::new();
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Const(c) => match self.const_text(&c) {
                    Some(name) => vec![Piece::Lit(name)],
                    None => vec![Piece::Data(Ls::NONE)],
                },
                Atom::Text(pieces) => pieces.to_vec(),
                Atom::Data(labels) => vec![Piece::Data(labels)],
                // What `JSON.stringify` was given.
                Atom::LibObject { class, data, .. } if &*self.text(class) == "<json>" => {
                    let labels = self.w.store.deep(data);
                    let encoded = Transform::Opaque("json encode".to_owned());
                    let labels = self.w.store.link_set(labels, &Link::Transform(encoded));
                    vec![Piece::Data(labels)]
                }
                Atom::LibObject { data, .. } if data != V::NEVER => {
                    for inner in self.pieces(data) {
                        if !out.contains(&inner) {
                            out.push(inner);
                        }
                    }
                    continue;
                }
                other => {
                    let one = self.w.store.one(other);
                    vec![Piece::Data(self.w.store.deep(one))]
                }
            };
            if !out.contains(&one) {
                out.push(one);
            }
        }
        if out.is_empty() {
            out.push(vec![Piece::Data(Ls::NONE)]);
        }
        if out.len() > self.most(&out) {
            let mut labels = Ls::NONE;
            for labels_of in out.iter().flat_map(|p| Self::piece_labels(p)) {
                labels = self.w.store.union(labels, labels_of);
            }
            out = vec![vec![Piece::Data(labels)]];
        }
        out
    }

    pub(crate) fn const_text(&self, c: &Const) -> Option<Name> {
        Some(match c {
            Const::Str(name) => *name,
            Const::Int(i) => self.name(&i.to_string()),
            Const::None if self.is_javascript() => self.name("undefined"),
            Const::None if self.is_java() => self.name("null"),
            Const::Bool(b) if self.adds_as_text() => self.name(&b.to_string()),
            Const::None => self.name("None"),
            Const::Bool(true) => self.name("True"),
            Const::Bool(false) => self.name("False"),
            Const::Bytes(bytes) => self.name(std::str::from_utf8(bytes).ok()?),
            Const::Float(_) | Const::Ellipsis => return None,
        })
    }

    pub(crate) fn cross(
        &mut self,
        left: Vec<Vec<Piece>>,
        right: Vec<Vec<Piece>>,
    ) -> Vec<Vec<Piece>> {
        let mut out = Vec::new();
        let (left, right) = if left.len() * right.len() > self.most(&left).min(self.most(&right)) {
            if right.len() > 1 {
                (left, vec![self.blurred(&right)])
            } else {
                (left, right)
            }
        } else {
            (left, right)
        };
        for a in &left {
            for b in &right {
                let mut one = a.clone();
                one.extend(b.iter().copied());
                out.push(one);
            }
        }
        out
    }

    fn blurred(&mut self, all: &[Vec<Piece>]) -> Vec<Piece> {
        let mut labels = Ls::NONE;
        for one in all {
            for more in Self::piece_labels(one) {
                labels = self.w.store.union(labels, more);
            }
        }
        vec![Piece::Data(labels)]
    }

    pub(crate) fn texts(&mut self, all: Vec<Vec<Piece>>, site: Site) -> V {
        let mut out = V::NEVER;
        for pieces in all {
            let mut one = self.w.store.text(pieces, self.names);
            if !self.is_go()
                && !self.is_java()
                && matches!(self.w.store.only(one), Some(Atom::Data(_)))
            {
                one = self.now_text(one, site);
            }
            out = self.w.store.join(out, one);
        }
        if self.w.store.deep(out) != Ls::NONE {
            let what = self.name("becomes part of a text");
            out = self.hop_all(out, TraceKind::Local, site, what);
        }
        out
    }

    /// The value as `str()` makes it.
    pub(crate) fn stringify(&mut self, frame: &mut Frame, index: u32, v: V) -> V {
        let needs = self
            .w
            .store
            .atoms(v)
            .any(|a| matches!(a, Atom::Object { .. }));
        if !needs {
            return v;
        }
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            let one = match atom {
                Atom::Object { class, .. } => {
                    let receiver = self.w.store.one(atom);
                    let mut got = None;
                    for name in ["__str__", "__repr__", "toString"] {
                        let name = self.name(name);
                        if let Some(method) = self.method_of(class, name, receiver) {
                            got = self.call_value(frame, index, method, &Args::default()).ret;
                            break;
                        }
                    }
                    let held = self.held_in_only(receiver);
                    got.or(held).unwrap_or(receiver)
                }
                other => self.w.store.one(other),
            };
            out = self.w.store.join(out, one);
        }
        out
    }

    fn is_text(&self, v: V) -> bool {
        v != V::NEVER
            && self.w.store.atoms(v).any(|a| {
                matches!(
                    a,
                    Atom::Text(_) | Atom::Const(Const::Str(_) | Const::Bytes(_))
                )
            })
    }

    pub(crate) fn binary(
        &mut self,
        frame: &mut Frame,
        op: BinaryOp,
        left: V,
        right: V,
        site: Site,
    ) -> V {
        if left == V::NEVER || right == V::NEVER {
            let v = if left == V::NEVER { right } else { left };
            return if v == V::NEVER {
                V::NEVER
            } else {
                self.binary_unknown(left, right)
            };
        }
        if let (Some(a), Some(b)) = (self.w.store.constants(left), self.w.store.constants(right))
            && a.len() * b.len() <= 8
        {
            let mut out = V::NEVER;
            let mut complete = true;
            for x in &a {
                for y in &b {
                    match self.fold(op, x, y) {
                        Some(c) => {
                            let c = self.w.store.konst(c);
                            out = self.w.store.join(out, c);
                        }
                        None => complete = false,
                    }
                }
            }
            if complete && out != V::NEVER {
                return out;
            }
        }
        if let Some(v) = self.by_operator_methods(frame, site.inst, op, left, right) {
            return v;
        }
        // All of these make numbers, which harm nobody.
        if self.adds_as_text() && op != BinaryOp::Add {
            return self.w.store.unknown();
        }
        if let Some(v) = self.of_sets(op, left, right) {
            return v;
        }
        match op {
            BinaryOp::Add if self.adds_as_text() => {
                let (left, right) = (
                    self.stringify(frame, site.inst, left),
                    self.stringify(frame, site.inst, right),
                );
                let (a, b) = (self.pieces(left), self.pieces(right));
                let all = self.cross(a, b);
                self.texts(all, site)
            }
            BinaryOp::Add => {
                let colls =
                    |m: &Self, v: V| m.w.store.atoms(v).any(|a| matches!(a, Atom::Coll { .. }));
                if colls(self, left) || colls(self, right) {
                    return self.add_lists(frame, site.inst, left, right);
                }
                let any_text = self.is_text(left) || self.is_text(right);
                let labelled =
                    self.w.store.deep(left) != Ls::NONE || self.w.store.deep(right) != Ls::NONE;
                if any_text || labelled {
                    let (a, b) = (self.pieces(left), self.pieces(right));
                    let all = self.cross(a, b);
                    self.sends_on(frame, site.inst, &all);
                    return self.texts(all, site);
                }
                if let Some(v) = self.operator_method(frame, site, "__add__", left, right) {
                    return v;
                }
                self.w.store.unknown()
            }
            BinaryOp::Mod if self.is_text(left) => self.percent(frame, left, right, site),
            BinaryOp::Mod => {
                // The left side may be a text of unknown make-up.
                let deep_left = self.w.store.deep(left);
                let deep_right = self.w.store.deep(right);
                let labels = self.w.store.union(deep_left, deep_right);
                self.w.store.data(labels)
            }
            BinaryOp::Div => match self.path_division(frame, op, left, right, site) {
                Some(v) => v,
                None => self
                    .operator_method(frame, site, "__truediv__", left, right)
                    .unwrap_or_else(|| self.binary_unknown(left, right)),
            },
            BinaryOp::Mul if self.is_text(left) || self.is_text(right) => {
                self.binary_unknown(left, right)
            }
            BinaryOp::BitOr => {
                let merged = self.w.store.atoms(left).any(|a| {
                    matches!(
                        a,
                        Atom::Coll {
                            kind: CollKind::Dict,
                            ..
                        }
                    )
                });
                if merged {
                    self.merge_mapping(frame, site.inst, left, right)
                } else if let Some(v) = self.either_type(left, right) {
                    v
                } else {
                    self.binary_unknown(left, right)
                }
            }
            _ => self.binary_unknown(left, right),
        }
    }

    fn operator_method(
        &mut self,
        frame: &mut Frame,
        site: Site,
        name: &str,
        left: V,
        right: V,
    ) -> Option<V> {
        let name = self.name(name);
        let class = self.w.store.atoms(left).find_map(|a| match a {
            Atom::Object { class, .. } => Some(*class),
            _ => None,
        })?;
        let method = self.method_of(class, name, left)?;
        self.call_value(frame, site.inst, method, &Args::of(&[right]))
            .ret
    }

    fn binary_unknown(&mut self, left: V, right: V) -> V {
        let a = self.w.store.deep(left);
        let b = self.w.store.deep(right);
        let labels = self.w.store.union(a, b);
        self.w.store.data(labels)
    }

    fn add_lists(&mut self, frame: &mut Frame, index: u32, left: V, right: V) -> V {
        let kind = self
            .w
            .store
            .atoms(left)
            .chain(self.w.store.atoms(right))
            .find_map(|a| match a {
                Atom::Coll { kind, .. } => Some(*kind),
                _ => None,
            })
            .unwrap_or(CollKind::List);
        if let (Some(mut a), Some(b)) = (self.exact_items(left), self.exact_items(right)) {
            a.extend(b);
            let kids = a
                .into_iter()
                .enumerate()
                .map(|(i, v)| (Const::Int(i as i64), v))
                .collect();
            return self.w.store.coll(kind, kids, V::NEVER, Ls::NONE);
        }
        let mut rest = V::NEVER;
        let mut kids = Vec::new();
        match self.exact_items(left) {
            Some(items) => {
                kids = items
                    .into_iter()
                    .enumerate()
                    .map(|(i, v)| (Const::Int(i as i64), v))
                    .collect();
            }
            None => rest = self.element(frame, index, left),
        }
        let more = self.element(frame, index, right);
        rest = self.w.store.join(rest, more);
        self.w.store.coll(kind, kids, rest, Ls::NONE)
    }

    fn fold(&mut self, op: BinaryOp, a: &Const, b: &Const) -> Option<Const> {
        if self.is_java()
            && let (BinaryOp::Div, Const::Int(x), Const::Int(y)) = (op, a, b)
        {
            // Towards zero (The Java Language Specification, 15.17.2).
            return Some(Const::Int(x.checked_div(*y)?));
        }
        if self.adds_as_text() {
            match (op, a, b) {
                (BinaryOp::Add, Const::Str(_), _) | (BinaryOp::Add, _, Const::Str(_)) => {
                    let (x, y) = (self.const_text(a)?, self.const_text(b)?);
                    let joined = format!("{}{}", self.text(x), self.text(y));
                    let fits = joined.len() <= MAX_TEXT;
                    return fits.then(|| Const::Str(self.name(&joined)));
                }
                // The sign of what is divided stays (ECMA-262, 6.1.6.1.6).
                (BinaryOp::Mod, Const::Int(x), Const::Int(y)) => {
                    return Some(Const::Int(x.checked_rem(*y)?));
                }
                (BinaryOp::Div, Const::Int(x), Const::Int(y))
                    if *y != 0 && x.checked_rem(*y) == Some(0) =>
                {
                    return Some(Const::Int(x.checked_div(*y)?));
                }
                (BinaryOp::Mul, Const::Str(_), _) => return None,
                _ => {}
            }
        }
        let int = |c: &Const| match c {
            Const::Int(i) => Some(*i),
            Const::Bool(b) => Some(i64::from(*b)),
            _ => None,
        };
        if let (Some(x), Some(y)) = (int(a), int(b)) {
            return Some(match op {
                BinaryOp::Add => Const::Int(x.checked_add(y)?),
                BinaryOp::Sub => Const::Int(x.checked_sub(y)?),
                BinaryOp::Mul => Const::Int(x.checked_mul(y)?),
                BinaryOp::Div => {
                    if y == 0 {
                        return None;
                    }
                    Const::Float((x as f64 / y as f64).to_bits())
                }
                BinaryOp::FloorDiv => {
                    let quotient = x.checked_div(y)?;
                    let exact = x.checked_rem(y)? == 0;
                    Const::Int(if !exact && ((x < 0) != (y < 0)) {
                        quotient - 1
                    } else {
                        quotient
                    })
                }
                BinaryOp::Mod => {
                    let r = x.checked_rem(y)?;
                    Const::Int(if r != 0 && ((r < 0) != (y < 0)) {
                        r + y
                    } else {
                        r
                    })
                }
                BinaryOp::Pow => Const::Int(x.checked_pow(u32::try_from(y).ok()?)?),
                BinaryOp::BitAnd => Const::Int(x & y),
                BinaryOp::BitOr => Const::Int(x | y),
                BinaryOp::BitXor => Const::Int(x ^ y),
                BinaryOp::ShiftLeft => Const::Int(x.checked_shl(u32::try_from(y).ok()?)?),
                BinaryOp::ShiftRight => Const::Int(x.checked_shr(u32::try_from(y).ok()?)?),
                BinaryOp::MatMul => return None,
            });
        }
        let float = |c: &Const| match c {
            Const::Float(bits) => Some(f64::from_bits(*bits)),
            other => int(other).map(|i| i as f64),
        };
        if let (Some(x), Some(y)) = (float(a), float(b)) {
            let out = match op {
                BinaryOp::Add => x + y,
                BinaryOp::Sub => x - y,
                BinaryOp::Mul => x * y,
                BinaryOp::Div if y != 0.0 => x / y,
                _ => return None,
            };
            return Some(Const::Float(out.to_bits()));
        }
        match (op, a, b) {
            (BinaryOp::Add, Const::Str(x), Const::Str(y)) => {
                let joined = format!("{}{}", self.text(*x), self.text(*y));
                (joined.len() <= MAX_TEXT).then(|| Const::Str(self.name(&joined)))
            }
            (BinaryOp::Mul, Const::Str(x), Const::Int(n)) => {
                let text = self.text(*x);
                let times = usize::try_from((*n).max(0)).ok()?;
                (text.len().checked_mul(times)? <= MAX_TEXT)
                    .then(|| Const::Str(self.name(&text.repeat(times))))
            }
            _ => None,
        }
    }

    /// `format % values`.
    pub(crate) fn percent(&mut self, frame: &mut Frame, format: V, values: V, site: Site) -> V {
        let mut out: Vec<Vec<Piece>> = Vec::new();
        for pieces in self.pieces(format) {
            let mut all: Vec<Vec<Piece>> = vec![Vec::new()];
            let mut next = 0_i64;
            let tuple = self.exact_items(values);
            for piece in pieces {
                let Piece::Lit(name) = piece else {
                    for one in &mut all {
                        one.push(piece);
                    }
                    continue;
                };
                let text = self.text(name).to_string();
                let mut rest = text.as_str();
                while let Some(at) = rest.find('%') {
                    let literal = self.name(&rest[..at]);
                    for one in &mut all {
                        one.push(Piece::Lit(literal));
                    }
                    rest = &rest[at + 1..];
                    let mut key = None;
                    if let Some(after) = rest.strip_prefix('(')
                        && let Some((inside, tail)) = after.split_once(')')
                    {
                        key = Some(self.name(inside));
                        rest = tail;
                    }
                    let end = rest
                        .find(|c: char| c.is_ascii_alphabetic() || c == '%')
                        .unwrap_or(rest.len().saturating_sub(1));
                    let conversion = rest.get(end..).and_then(|r| r.chars().next());
                    rest = rest.get(end + 1..).unwrap_or("");
                    let v = match conversion {
                        Some('%') => {
                            let percent = self.name("%");
                            for one in &mut all {
                                one.push(Piece::Lit(percent));
                            }
                            continue;
                        }
                        Some('d' | 'i' | 'u' | 'x' | 'X' | 'o' | 'e' | 'f' | 'g' | 'F' | 'G') => {
                            next += 1;
                            self.w.store.unknown()
                        }
                        _ => {
                            let v = match (key, &tuple) {
                                (Some(key), _) => {
                                    let key = self.w.store.konst(Const::Str(key));
                                    self.index(frame, site.inst, values, key)
                                }
                                (None, Some(items)) => items
                                    .get(next as usize)
                                    .copied()
                                    .unwrap_or_else(|| self.w.store.unknown()),
                                (None, None) => values,
                            };
                            next += 1;
                            if conversion == Some('r') {
                                let opaque = Transform::Opaque("repr".to_owned());
                                self.derive(v, &Link::Transform(opaque))
                            } else {
                                self.stringify(frame, site.inst, v)
                            }
                        }
                    };
                    let more = self.pieces(v);
                    all = self.cross(all, more);
                }
                let literal = self.name(rest);
                for one in &mut all {
                    one.push(Piece::Lit(literal));
                }
            }
            out.extend(all);
        }
        out.truncate(self.most(&out));
        self.sends_on(frame, site.inst, &out);
        self.texts(out, site)
    }

    pub(crate) fn unary(&mut self, op: UnaryOp, v: V, site: Site) -> V {
        match op {
            UnaryOp::Not => {
                let truth = self.w.store.truth(v).map(|t| !t);
                if v == V::NEVER {
                    V::NEVER
                } else {
                    self.w.store.boolean(truth)
                }
            }
            UnaryOp::Minus => match self.w.store.constant(v) {
                Some(Const::Int(i)) => match i.checked_neg() {
                    Some(i) => self.w.store.konst(Const::Int(i)),
                    None => self.w.store.unknown(),
                },
                Some(Const::Float(bits)) => {
                    let bits = (-f64::from_bits(*bits)).to_bits();
                    self.w.store.konst(Const::Float(bits))
                }
                _ => self.operated_number(v, "-", site),
            },
            UnaryOp::Plus if self.is_javascript() => match self.w.store.constant(v) {
                Some(Const::Int(_) | Const::Float(_)) => v,
                _ => self.w.store.unknown(),
            },
            UnaryOp::Plus => v,
            UnaryOp::Invert => self.operated_number(v, "~", site),
        }
    }

    /// A number that an operator made of a value: it harms nothing, and is made of the input all the same. Only Python
    /// has its labels: elsewhere operators on numbers are written everywhere, and would say so everywhere.
    fn operated_number(&mut self, v: V, by: &str, site: Site) -> V {
        let deep = self.w.store.deep(v);
        if deep == Ls::NONE || self.adds_as_text() || self.is_go() {
            return self.w.store.unknown();
        }
        let by = self.name(by);
        let number = self.w.store.data(deep);
        let note = Note::Sanitized {
            site,
            by,
            kinds: u64::MAX,
        };
        self.w.store.clear(number, u64::MAX, note)
    }

    pub(crate) fn compare(&mut self, op: CompareOp, left: V, right: V) -> V {
        if left == V::NEVER || right == V::NEVER {
            return if left == right {
                V::NEVER
            } else {
                self.w.store.unknown()
            };
        }
        let (lefts, rights) = (self.w.store.atoms_of(left), self.w.store.atoms_of(right));
        if lefts.len() * rights.len() > 64 {
            return self.w.store.unknown();
        }
        let mut answer = None;
        for a in &lefts {
            for b in &rights {
                let Some(this) = self.compare_atoms(op, a, b) else {
                    return self.w.store.unknown();
                };
                if answer.is_some_and(|x| x != this) {
                    return self.w.store.unknown();
                }
                answer = Some(this);
            }
        }
        self.w.store.boolean(answer)
    }

    fn compare_atoms(&self, op: CompareOp, a: &Atom, b: &Atom) -> Option<bool> {
        match op {
            CompareOp::Is | CompareOp::Eq => self.same(a, b),
            CompareOp::IsNot | CompareOp::NotEq => self.same(a, b).map(|x| !x),
            CompareOp::In => self.inside(a, b),
            CompareOp::NotIn => self.inside(a, b).map(|x| !x),
            CompareOp::Lt | CompareOp::LtEq | CompareOp::Gt | CompareOp::GtEq => {
                let order = match (a, b) {
                    (Atom::Const(Const::Str(x)), Atom::Const(Const::Str(y))) => {
                        self.text(*x).cmp(&self.text(*y))
                    }
                    (Atom::Const(x), Atom::Const(y)) => {
                        let number = |c: &Const| match c {
                            Const::Int(i) => Some(*i as f64),
                            Const::Bool(b) => Some(f64::from(u8::from(*b))),
                            Const::Float(bits) => Some(f64::from_bits(*bits)),
                            _ => None,
                        };
                        number(x)?.partial_cmp(&number(y)?)?
                    }
                    _ => return None,
                };
                Some(match op {
                    CompareOp::Lt => order.is_lt(),
                    CompareOp::LtEq => order.is_le(),
                    CompareOp::Gt => order.is_gt(),
                    _ => order.is_ge(),
                })
            }
        }
    }

    fn same(&self, a: &Atom, b: &Atom) -> Option<bool> {
        match (a, b) {
            (Atom::Const(x), Atom::Const(y)) => Some(match (x, y) {
                (Const::Int(i), Const::Bool(b)) | (Const::Bool(b), Const::Int(i)) => {
                    *i == i64::from(*b)
                }
                (Const::Int(i), Const::Float(f)) | (Const::Float(f), Const::Int(i)) => {
                    *i as f64 == f64::from_bits(*f)
                }
                _ => x == y,
            }),
            (Atom::Const(Const::None), other) | (other, Atom::Const(Const::None)) => {
                // What has a make-up is not `None`.
                match other {
                    Atom::Text(_)
                    | Atom::Coll { .. }
                    | Atom::Object { .. }
                    | Atom::Fn { .. }
                    | Atom::Class { .. }
                    | Atom::Module(_)
                    | Atom::Method { .. } => Some(false),
                    _ => None,
                }
            }
            (Atom::Class { class: x, .. }, Atom::Class { class: y, .. }) => Some(x == y),
            (Atom::Object { .. }, Atom::Object { .. }) if self.is_java() => {
                self.same_constant(a, b)
            }
            (Atom::Fn { function: x, .. }, Atom::Fn { function: y, .. }) if x != y => Some(false),
            _ => None,
        }
    }

    fn inside(&self, a: &Atom, b: &Atom) -> Option<bool> {
        match (a, b) {
            (Atom::Const(Const::Str(x)), Atom::Const(Const::Str(y))) => {
                Some(self.text(*y).contains(&*self.text(*x)))
            }
            (Atom::Const(Const::Str(x)), Atom::Text(pieces)) => {
                let wanted = self.text(*x);
                pieces
                    .iter()
                    .any(|p| matches!(p, Piece::Lit(n) if self.text(*n).contains(&*wanted)))
                    .then_some(true)
            }
            (
                Atom::Const(x),
                Atom::Coll {
                    kind,
                    kids,
                    rest,
                    keys,
                },
            ) => {
                let closed = *rest == V::NEVER && *keys == Ls::NONE;
                if *kind == CollKind::Dict {
                    if kids.iter().any(|(k, _)| k == x) {
                        return Some(true);
                    }
                    return closed.then_some(false);
                }
                let mut all_const = true;
                for (_, v) in &**kids {
                    match self.w.store.constant(*v) {
                        Some(c) if c == x => return Some(true),
                        Some(_) => {}
                        None => all_const = false,
                    }
                }
                (closed && all_const).then_some(false)
            }
            _ => None,
        }
    }
}
