//! The classes of one file, with the members that they declare, and what the file imports.

use std::collections::{BTreeMap, HashMap};

use tree_sitter::Node;

use super::tree::{all, dotted, field, fields, kid, kids, says, text};

/// Whether a member belongs to the class itself or to each of its objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Belongs {
    ToClass,
    ToObject,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Class,
    Enum,
    Record,
    Interface,
}

/// Where a class stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stands {
    Top,
    /// In the body of another class.
    Member,
    /// In a function, with a name or without.
    Local,
}

pub(crate) struct ClassInfo<'a> {
    /// The declaration, the creation of an object, or the constant of an enumeration.
    pub node: Node<'a>,
    pub body: Option<Node<'a>>,
    /// Empty for a class without a name.
    pub name: String,
    pub kind: Kind,
    pub stands: Stands,
    pub outer: Option<usize>,
    /// It has an object of the class around it.
    pub inner: bool,
    pub fields: HashMap<String, Belongs>,
    pub methods: HashMap<String, Belongs>,
    pub nested: HashMap<String, usize>,
    /// Types that it extends or implements.
    pub bases: Vec<Node<'a>>,
    /// Text of the class that it extends.
    pub extends: Option<String>,
    /// Whether its fields' initialisers run with each constructor.
    pub initialises: bool,
}

pub(crate) struct Index<'a> {
    pub package: String,
    /// Simple name to full name.
    pub imports: BTreeMap<String, String>,
    /// Packages, or classes, of which all is imported.
    pub wholes: Vec<String>,
    /// Name of a member to the class that has it.
    pub members: BTreeMap<String, String>,
    /// Classes of which all members are imported.
    pub member_wholes: Vec<String>,
    pub classes: Vec<ClassInfo<'a>>,
    /// By node: declarations, creations with a body, constants with a body.
    pub at: HashMap<usize, usize>,
}

pub(crate) fn is_class(kind: &str) -> bool {
    matches!(
        kind,
        "class_declaration"
            | "record_declaration"
            | "interface_declaration"
            | "enum_declaration"
            | "annotation_type_declaration"
    )
}

pub(crate) fn of<'a>(root: Node<'a>, source: &str) -> Index<'a> {
    let mut index = Index {
        package: String::new(),
        imports: BTreeMap::new(),
        wholes: Vec::new(),
        members: BTreeMap::new(),
        member_wholes: Vec::new(),
        classes: Vec::new(),
        at: HashMap::new(),
    };
    for kid in kids(root) {
        match kid.kind() {
            "package_declaration" => {
                if let Some(name) = kids(kid)
                    .into_iter()
                    .find(|k| k.kind().ends_with("identifier"))
                {
                    index.package = dotted(name, source);
                }
            }
            "import_declaration" => index.import(kid, source),
            _ => {}
        }
    }
    // Without recursion: the tree may be deep.
    let mut open: Vec<(Node<'a>, Option<usize>, Stands)> = vec![(root, None, Stands::Top)];
    while let Some((node, outer, stands)) = open.pop() {
        let (mut around, mut within) = (outer, stands);
        let body = match node.kind() {
            kind if is_class(kind) => Some(field(node, "body")),
            "object_creation_expression" | "enum_constant" => kid(node, "class_body").map(Some),
            _ => None,
        };
        if let Some(body) = body {
            let id = index.class(node, body, outer, stands, source);
            around = Some(id);
            within = Stands::Member;
        }
        if matches!(
            node.kind(),
            "method_declaration"
                | "constructor_declaration"
                | "compact_constructor_declaration"
                | "lambda_expression"
                | "block"
                | "static_initializer"
                | "field_declaration"
                | "constant_declaration"
        ) {
            within = Stands::Local;
        }
        for kid in kids(node).into_iter().rev() {
            // Arguments of a creation stand outside its class.
            let outside = node.kind() == "object_creation_expression"
                || (node.kind() == "enum_constant" && kid.kind() == "argument_list");
            if outside && kid.kind() != "class_body" {
                open.push((kid, outer, stands));
            } else {
                open.push((kid, around, within));
            }
        }
    }
    index
}

impl<'a> Index<'a> {
    fn import(&mut self, node: Node<'a>, source: &str) {
        let Some(name) = kids(node)
            .into_iter()
            .find(|k| matches!(k.kind(), "identifier" | "scoped_identifier"))
        else {
            return;
        };
        let name = dotted(name, source);
        let whole = kid(node, "asterisk").is_some();
        let is_static = all(node).iter().any(|k| k.kind() == "static");
        let last = name.rsplit('.').next().unwrap_or_default().to_owned();
        match (is_static, whole) {
            (true, true) => self.member_wholes.push(name),
            (false, true) => self.wholes.push(name),
            (true, false) => {
                if let Some((class, _)) = name.rsplit_once('.') {
                    self.members.insert(last, class.to_owned());
                }
            }
            (false, false) => {
                self.imports.insert(last, name);
            }
        }
    }

    fn class(
        &mut self,
        node: Node<'a>,
        body: Option<Node<'a>>,
        outer: Option<usize>,
        stands: Stands,
        source: &str,
    ) -> usize {
        let id = self.classes.len();
        let kind = match node.kind() {
            "enum_declaration" => Kind::Enum,
            "record_declaration" => Kind::Record,
            "interface_declaration" | "annotation_type_declaration" => Kind::Interface,
            _ => Kind::Class,
        };
        let named = is_class(node.kind());
        let name = match field(node, "name").filter(|_| named) {
            Some(name) => text(name, source).to_owned(),
            None => String::new(),
        };
        let in_interface = outer.is_some_and(|o| self.classes[o].kind == Kind::Interface);
        let stands = if named { stands } else { Stands::Local };
        let inner = stands == Stands::Member
            && kind == Kind::Class
            && !in_interface
            && !says(node, "static");
        let mut info = ClassInfo {
            node,
            body,
            name: name.clone(),
            kind,
            stands,
            outer,
            inner,
            fields: HashMap::new(),
            methods: HashMap::new(),
            nested: HashMap::new(),
            bases: bases(node),
            extends: field(node, "superclass")
                .and_then(|s| kids(s).first().copied())
                .map(|s| dotted(s, source)),
            initialises: false,
        };
        if kind == Kind::Record {
            for parameter in field(node, "parameters").map(kids).unwrap_or_default() {
                if let Some(name) = parameter_name(parameter) {
                    let name = text(name, source).to_owned();
                    info.fields.insert(name, Belongs::ToObject);
                }
            }
        }
        for member in members(body) {
            info.member(member, source);
        }
        self.classes.push(info);
        self.at.insert(node.id(), id);
        if let Some(outer) = outer
            && stands == Stands::Member
        {
            self.classes[outer].nested.insert(name, id);
        }
        id
    }

    /// The class and those around it, innermost first.
    pub fn around(&self, class: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(class, |class| self.classes[*class].outer)
    }

    /// The class of the same file that this one extends.
    pub fn base_of(&self, class: usize) -> Option<usize> {
        let wanted = self.classes[class].extends.as_deref()?;
        let last = wanted.rsplit('.').next()?;
        self.classes
            .iter()
            .position(|c| c.name == last)
            .filter(|base| *base != class)
    }
}

impl ClassInfo<'_> {
    fn member(&mut self, member: Node<'_>, source: &str) {
        let in_interface = self.kind == Kind::Interface;
        let belongs = if says(member, "static") {
            Belongs::ToClass
        } else {
            Belongs::ToObject
        };
        match member.kind() {
            "field_declaration" | "constant_declaration" => {
                let belongs = if in_interface {
                    Belongs::ToClass
                } else {
                    belongs
                };
                for one in fields(member, "declarator") {
                    if let Some(name) = field(one, "name") {
                        self.fields.insert(text(name, source).to_owned(), belongs);
                    }
                    self.initialises |=
                        belongs == Belongs::ToObject && field(one, "value").is_some();
                }
            }
            "method_declaration" => {
                if let Some(name) = field(member, "name") {
                    self.methods.insert(text(name, source).to_owned(), belongs);
                }
            }
            "enum_constant" => {
                if let Some(name) = field(member, "name") {
                    let name = text(name, source).to_owned();
                    self.fields.insert(name, Belongs::ToClass);
                }
            }
            "block" => self.initialises = true,
            _ => {}
        }
    }
}

/// The declarations in a class body, those of an enumeration's second part too.
pub(crate) fn members(body: Option<Node<'_>>) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    for member in body.map(kids).unwrap_or_default() {
        if member.kind() == "enum_body_declarations" {
            out.extend(kids(member));
        } else {
            out.push(member);
        }
    }
    out
}

fn bases(node: Node<'_>) -> Vec<Node<'_>> {
    if node.kind() == "object_creation_expression" {
        return field(node, "type").into_iter().collect();
    }
    let mut out = Vec::new();
    for part in kids(node) {
        match part.kind() {
            "superclass" => out.extend(kids(part)),
            "super_interfaces" | "extends_interfaces" => {
                if let Some(list) = kid(part, "type_list") {
                    out.extend(kids(list));
                }
            }
            _ => {}
        }
    }
    out
}

/// The identifier of a parameter of whatever form.
pub(crate) fn parameter_name(parameter: Node<'_>) -> Option<Node<'_>> {
    match parameter.kind() {
        "identifier" => Some(parameter),
        "spread_parameter" => kid(parameter, "variable_declarator").and_then(|d| field(d, "name")),
        _ => field(parameter, "name"),
    }
}
