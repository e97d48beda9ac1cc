//! Templates of pages, read as code: what a template puts into the page unescaped is a call that the models know.
//!
//! A template becomes the text of one function in the language that renders it, and that text is lowered like any
//! other file; [`draft`] remembers where each piece of it stands in the template. The function's parameter holds
//! the names that the page is rendered with. The engine is an object of a library: `ejs.output(x)` writes as it
//! stands, `ejs.escaped(x)` escaped, `ejs.include(locals, name, more)` renders another template, and
//! `ejs.unread(locals)` stands where the template was not understood.
//!
//! `ejs` and `pug` hold expressions of JavaScript, `curly` is the family of Jinja (Nunjucks, Swig, Twig), `bars` is
//! Handlebars and Mustache; `free` finds the names that a template takes from outside.

mod bars;
mod curly;
mod draft;
mod ejs;
mod expression;
mod free;
mod pug;

use solvent_base::{FilePath, Interner};
use solvent_ir::{FnIndex, Language, Unit};

use crate::source::Source;
use draft::Draft;

/// Largest template that is read, in bytes: hand-written ones stay below 200 KiB.
pub const MAX_VIEW_BYTES: usize = 1 << 20;

/// The name of the function that a template becomes.
pub const FUNCTION: &str = "<view>";

/// What parameter holds the names that a page is rendered with.
const LOCALS: &str = "__locals";

/// The syntax of a template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Syntax {
    Ejs,
    Pug,
    Curly,
    Bars,
}

/// The syntax that a file's name stands for, and the name of the engine in the models.
fn syntax_of(path: &FilePath) -> Option<(Syntax, &'static str)> {
    Some(match path.extension()? {
        "ejs" => (Syntax::Ejs, "ejs"),
        "pug" | "jade" => (Syntax::Pug, "pug"),
        "hbs" | "handlebars" => (Syntax::Bars, "handlebars"),
        "mustache" | "hjs" | "mst" => (Syntax::Bars, "mustache"),
        "njk" | "nunjucks" => (Syntax::Curly, "nunjucks"),
        "swig" | "twig" => (Syntax::Curly, "swig"),
        "jinja" | "jinja2" | "j2" => (Syntax::Curly, "jinja2"),
        "html" | "htm" | "xhtml" => (Syntax::Curly, "template"),
        _ => return None,
    })
}

/// Pages that stand where servers look for templates; other ones are served as they are.
fn in_folder_of_views(path: &FilePath) -> bool {
    let folders = path.as_str().rsplit_once('/').map_or("", |(f, _)| f);
    let names = [
        "views",
        "view",
        "templates",
        "template",
        "layouts",
        "partials",
    ];
    folders.split('/').any(|folder| names.contains(&folder))
}

/// Whether the file is a template, and the language whose programs render it: of pages whose name does not say,
/// `templates` is the folder of Python's frameworks, and a tree of one language has no other.
pub fn language_of(path: &FilePath, python: bool, javascript: bool) -> Option<Language> {
    let (syntax, engine) = syntax_of(path)?;
    if engine == "template" && !in_folder_of_views(path) {
        return None;
    }
    let either = syntax == Syntax::Curly && engine == "template";
    let of_python = match engine {
        "jinja2" => true,
        _ if either && python != javascript => python,
        _ if either => path.as_str().split('/').any(|folder| folder == "templates"),
        _ => false,
    };
    match of_python {
        true if python => Some(Language::Python),
        false if javascript => Some(Language::JavaScript),
        _ => None,
    }
}

/// Whether the file's text may make it a template where its name and its folder do not: a page in any folder.
pub fn may_be_template(path: &FilePath) -> bool {
    syntax_of(path).is_some_and(|(_, engine)| engine == "template")
}

/// As [`language_of`], and of pages in other folders those that hold tags: `{% .. %}`, which no browser's framework
/// has, or `{{ .. }}` in a tree without JavaScript, whose frameworks write that into pages.
pub fn language_in(
    path: &FilePath,
    bytes: &[u8],
    python: bool,
    javascript: bool,
) -> Option<Language> {
    if let Some(language) = language_of(path, python, javascript) {
        return Some(language);
    }
    if !may_be_template(path) || bytes.len() > MAX_VIEW_BYTES {
        return None;
    }
    let tags = holds(bytes, b"{%", b"%}");
    match (python, javascript) {
        (true, false) if tags || holds(bytes, b"{{", b"}}") => Some(Language::Python),
        (true, true) if tags => Some(Language::Python),
        (false, true) if tags => Some(Language::JavaScript),
        _ => None,
    }
}

/// Whether the text holds the one, and the other behind it.
fn holds(bytes: &[u8], opens: &[u8; 2], closes: &[u8; 2]) -> bool {
    let find = |from: usize, what: &[u8; 2]| {
        let rest = bytes.get(from..)?;
        rest.windows(2).position(|pair| pair == what)
    };
    find(0, opens).is_some_and(|at| find(at + 2, closes).is_some())
}

/// Lowers a template for programs of this language. What was not understood is said in the code itself, so that it
/// stays a question of this page alone.
pub fn lower(path: &FilePath, bytes: &[u8], interner: &Interner, language: Language) -> Unit {
    let decoded = Source::utf8(bytes);
    let understood = match syntax_of(path) {
        Some((syntax, engine)) if bytes.len() <= MAX_VIEW_BYTES => {
            let engine = match (engine, language) {
                ("template", Language::Python) => "jinja2",
                (engine, _) => engine,
            };
            let text = &decoded.text;
            match syntax {
                Syntax::Ejs => ejs::read(text, engine).and_then(|draft| free::bound(draft, engine)),
                Syntax::Pug => pug::read(text, engine).and_then(|draft| free::bound(draft, engine)),
                Syntax::Curly => curly::read(text, engine, language),
                Syntax::Bars => bars::read(text, engine),
            }
        }
        _ => None,
    };
    let engine = syntax_of(path).map_or("template", |(_, engine)| engine);
    let draft = match understood {
        Some(draft) if parses(&draft, language) => draft,
        _ => Draft::unread(engine, language),
    };
    let source = draft.source(&decoded);
    let mut unit = match language {
        Language::Python => crate::python::lower_source(path, bytes, &source, interner),
        _ => crate::javascript::lower_source(path, bytes, &source, interner),
    };
    let name = interner.name(FUNCTION);
    unit.module = interner.name(path.as_str());
    if let Some(function) = unit.functions.get_mut(1) {
        function.name = name;
        function.qualname = name;
    }
    unit
}

/// The function of a unit that a template became.
pub fn function_of(unit: &Unit, names: &Interner) -> Option<FnIndex> {
    let function = unit.functions.get(1)?;
    (*names.text(function.qualname) == *FUNCTION).then_some(FnIndex(1))
}

fn parses(draft: &Draft, language: Language) -> bool {
    match language {
        Language::Python => crate::python::parses(&draft.text),
        _ => free::parses(&draft.text),
    }
}
