//! Rows: what a model file says about one dotted path, parsed and checked.
//!
//! A dotted path is a function (`os.system`), a class (`sqlite3.Cursor`), a member of a class
//! (`sqlite3.Cursor.execute`, also for its instances), or a module's object (`flask.request`).
//! Builtins live under `builtins`: `builtins.open`, `builtins.str.split`.

use std::collections::BTreeMap;

use solvent_finding::Severity;

use crate::Kind;
use crate::kind::{KindSet, SourceKind};
use crate::pattern::Anchoring;
use crate::port::Port;

/// Everything that the models say about one dotted path. A path that has a member is *modelled*:
/// what no row passes on is not passed on.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Member {
    /// As written: `sqlite3.Cursor.execute`.
    pub path: String,
    /// The library whose file named it first: `sqlite3`.
    pub library: String,
    /// Set when the member may be assumed for a method of this name on a receiver of unknown type.
    pub by_name: Option<ByName>,
    pub sources: Vec<Source>,
    pub sinks: Vec<SinkRow>,
    pub uses: Vec<UseRow>,
    pub steps: Vec<StepRow>,
    pub mutations: Vec<Mutation>,
    pub guards: Vec<Guard>,
    pub views: Vec<View>,
    pub callbacks: Vec<Callback>,
    pub sends: Vec<SendRow>,
    pub entry_points: Vec<EntryRow>,
    /// Type of the value of a call.
    pub returns: Option<TypeRef>,
    /// Type of the object or attribute itself, when it is not called.
    pub is: Option<TypeRef>,
    /// Its value, where it is a constant of the library.
    pub constant: Option<Literal>,
    /// Direct bases when the path is a class; calling a class gives its instance.
    pub class: Option<Vec<String>>,
    /// What is written to it, under a key or as an attribute, is found there by others: what one request leaves in a
    /// session, or a function in front of the handler in the request. Of a class, this holds for its instances.
    pub kept: bool,
    /// Text with which the result of a call begins, whatever else is in it: `/` of a URL that a route makes.
    pub begins: Option<String>,
    /// For a class: attributes that no row is about read the key of their name, `request.query.name`.
    pub keyed: bool,
    /// The call never returns: `flask.abort`, `sys.exit`.
    pub stops: bool,
    /// Everything below this path without a member of its own is modelled as this member is: a module
    /// of functions whose results carry nothing on (`random`, `logging`).
    pub whole: bool,
    /// A decorator or function that lets only identified callers pass: `flask_login.login_required`.
    pub requires_login: bool,
    /// A runner of tests: what is given to it or derived from it runs with the tests only.
    pub tests: bool,
    /// A row says that calls carry nothing on, beside what other rows say.
    pub neutral: bool,
    /// Its only rows are of uses: what a call of it does with values is not known.
    pub only_used: bool,
}

/// A match by method name alone, on a receiver whose type is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByName {
    /// Fewest and most arguments (positional and keyword together) that make the match.
    pub min: u32,
    pub max: u32,
}

/// A type: a dotted path, and what its elements or values are when it is a container.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TypeRef {
    /// `builtins.list[builtins.str]`: for a mapping the element is the value.
    Named {
        path: String,
        element: Option<Box<TypeRef>>,
    },
    /// The type of what stands at this port: `receiver`, `arg[0]`, `receiver[*]`.
    Same(Port),
}

/// How attacker values lie inside a source.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SourceShape {
    /// The value itself is the attacker's. `input` is its name: `Host` for a header that has an
    /// attribute of its own, empty for raw carriers.
    Text { input: String },
    /// A mapping: the value under key `k` is the input named `k`; its keys carry `names`, if any.
    /// Where a key holds several values (`getlist`) each of them is that input.
    Mapping { names: Option<SourceKind> },
    /// A mapping whose values may be trees: what a query string with brackets in its names becomes.
    Trees { names: Option<SourceKind> },
    /// Nested mappings and lists; the input's name is the dotted key (`user.name`).
    Tree,
    /// The value is the input whose name this argument gives.
    Named { name: Port },
    /// The input has the name of the receiver's own input: `request.files["f"].filename`.
    OfReceiver,
    /// A mapping, whose receiver's class declares its keys: an attribute that holds a field of a library's class is
    /// harmless under its name for what that class's own sanitizer row clears.
    Fields,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    pub kind: SourceKind,
    /// `return`, or `param[..]` when a call back hands the value over.
    pub at: Port,
    pub shape: SourceShape,
    /// Kinds for which whatever comes is harmless: what a schema lets through.
    pub clears: KindSet,
    /// All must hold. A test of a value that is not known holds.
    pub when: Vec<When>,
}

/// One sink. The value at `at` must not be shaped by an attacker. `return` is what the framework's handlers
/// return, whose library the row's is: what the browser gets.
#[derive(Clone, PartialEq, Debug)]
pub struct SinkRow {
    pub kind: Kind,
    pub at: Port,
    /// All must hold. A test of a value that is not known holds.
    pub when: Vec<When>,
}

/// A call that is weak by itself, or by the constants that it is given. For an attribute of an instance, an assignment
/// to it: what is assigned is `arg[0]`.
#[derive(Clone, PartialEq, Debug)]
pub struct UseRow {
    pub kind: Kind,
    /// All must hold. Where a test asks for a value that is not known, whether the use is weak is not known.
    pub when: Vec<When>,
}

/// The call sends a request over HTTP: which argument is which part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SendRow {
    pub url: Port,
    /// What a URL without a host is joined to.
    pub base: Option<Port>,
    /// Which argument is the method.
    pub method: Option<Port>,
    /// The method when no argument says so, upper case; empty when it is not known.
    pub verb: String,
    /// Mappings of names to values.
    pub query: Option<Port>,
    pub form: Option<Port>,
    pub json: Option<Port>,
    pub headers: Option<Port>,
    /// A body that is a form, JSON or text, by what it is made of.
    pub body: Option<Port>,
}

/// A condition on an argument of the same call.
#[derive(Clone, PartialEq, Debug)]
pub struct When {
    pub arg: Port,
    pub test: Test,
    /// What the argument is when it is not passed; `None`: then the test fails.
    pub default: Option<Literal>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Test {
    Equals(Literal),
    NotEquals(Literal),
    /// Truthy or not, as the language defines it.
    Truthy(Truth),
    /// A text that contains one of these: the mode of `open` and `w`, `a`, `x`, `+`.
    ContainsAny(Vec<String>),
    ContainsNone(Vec<String>),
    /// A text (or bytes), not a list.
    IsText,
    /// A list or tuple.
    IsSequence,
    /// A function or class of a library that is none of these (`yaml.SafeLoader`); also when it is not passed.
    NamesNone(Vec<String>),
    /// The argument is not passed.
    Absent,
    /// A text that is one of these, whatever its case.
    OneOf(Vec<String>),
    /// A text that begins with one of these, whatever its case.
    BeginsWith(Vec<String>),
    /// A text that names a secret, see [`SecretNames`].
    NamesSecret,
    /// A text (or bytes) that is written in the program, and not empty. What is not known is not written there.
    IsConstant,
    /// A regular expression that is written in the program, and takes so long where it does not match. One that is not
    /// known does not.
    Backtracks(Slowness, Anchoring),
}

/// Which names speak of something that nobody may guess: of variables, fields, keys, cookies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SecretNames {
    /// Words of a name, lower case: `token` is one of `accessToken` and of `access_token`, not of `tokenizer`.
    pub words: Vec<String>,
    /// What a name has in it once everything but letters and digits is gone, lower case.
    pub parts: Vec<String>,
}

impl SecretNames {
    pub fn contains(&self, name: &str) -> bool {
        let flat: String = name
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        if self.parts.iter().any(|part| flat.contains(part.as_str())) {
            return true;
        }
        let mut words: Vec<String> = vec![String::new()];
        let mut before = '_';
        for c in name.chars() {
            let starts = !c.is_alphanumeric() || (c.is_uppercase() && !before.is_uppercase());
            if starts {
                words.push(String::new());
            }
            if c.is_alphanumeric()
                && let Some(word) = words.last_mut()
            {
                word.extend(c.to_lowercase());
            }
            before = c;
        }
        words.iter().any(|word| self.words.contains(word))
    }
}

/// How the time that a match takes grows with the text, see [`crate::backtracking`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slowness {
    Polynomial,
    Exponential,
}

/// How the line of a finding is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    AsWritten,
    /// Without what stands in quotes: it is a secret.
    Masked,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truth {
    Yes,
    No,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    None,
    Bool(bool),
    Int(i64),
    Str(String),
}

/// What a step does to the text that it carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum How {
    /// The very value: identity, constants and access paths are kept.
    Value,
    /// A text made from it in a way that is not described; what it contained may be in there.
    Taint,
    Strip,
    Lower,
    Upper,
    /// Percent decoding; `plus` also turns `+` into a space.
    UrlDecode,
    UrlEncode,
    Base64Decode,
    Base64Encode,
    HexDecode,
    HexEncode,
    HtmlEscape,
    HtmlUnescape,
    JsonEncode,
    JsonDecode,
    /// Text to bytes or back in an encoding: content kept.
    Recode,
    /// The query component of a URL or request target: a raw path becomes the raw query.
    UrlQuery,
    /// The path component of a URL or request target.
    UrlPath,
    /// A query string or form body to a mapping of names to values (lists of them): a raw query becomes
    /// query parameters by name, a raw body form fields by name.
    QueryParse,
    /// The same to a list of pairs of name and value.
    QueryPairs,
    /// A `Cookie` header to a mapping of names to values.
    CookieParse,
    /// `/`-joined parts of a path; an absolute later part drops what stands before it.
    PathJoin,
    /// `.` and `..` are resolved; the result is normal for a guard that compares a prefix.
    PathNormalize,
    Quote,
}

impl How {
    pub(crate) const WORDS: [(&'static str, Self); 24] = [
        ("value", Self::Value),
        ("taint", Self::Taint),
        ("strip", Self::Strip),
        ("lower", Self::Lower),
        ("upper", Self::Upper),
        ("codec:url-decode", Self::UrlDecode),
        ("codec:url-encode", Self::UrlEncode),
        ("codec:base64-decode", Self::Base64Decode),
        ("codec:base64-encode", Self::Base64Encode),
        ("codec:hex-decode", Self::HexDecode),
        ("codec:hex-encode", Self::HexEncode),
        ("codec:html-escape", Self::HtmlEscape),
        ("codec:html-unescape", Self::HtmlUnescape),
        ("codec:json-encode", Self::JsonEncode),
        ("codec:json-decode", Self::JsonDecode),
        ("codec:text", Self::Recode),
        ("codec:url-query", Self::UrlQuery),
        ("codec:url-path", Self::UrlPath),
        ("codec:query-parse", Self::QueryParse),
        ("codec:query-pairs", Self::QueryPairs),
        ("codec:cookie-parse", Self::CookieParse),
        ("path-join", Self::PathJoin),
        ("path-normalize", Self::PathNormalize),
        ("quote", Self::Quote),
    ];

    /// The word in model files.
    pub fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, how)| *how == self)
            .map_or("taint", |(word, _)| word)
    }
}

/// Data passes a call from one port to another. For an attribute, from `receiver` to `return`.
#[derive(Clone, PartialEq, Debug)]
pub struct StepRow {
    pub from: Port,
    pub to: Port,
    pub how: How,
    /// Kinds for which the passed value is harmless (`shlex.quote`: `shell-command`). A sanitizer is a
    /// step that clears something; empty for the others.
    pub clears: KindSet,
    /// All must hold for the step to be taken.
    pub when: Vec<When>,
    /// It clears only if replacing this regular expression by the empty text leaves nothing harmful:
    /// `re.sub("[^0-9]", "", x)`. See [`crate::pattern::left_by_removing`].
    pub pattern: Option<Port>,
}

/// A method that changes its receiver in a way that keeps keys and positions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mutation {
    pub effect: Effect,
    /// `receiver` unless the function changes an argument (`random.shuffle`).
    pub target: Port,
    /// Keys from the outside in: `[section, option]`; one for `insert` (the position).
    pub keys: Vec<Port>,
    /// What is put in.
    pub value: Option<Port>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Effect {
    /// `value` becomes the last element.
    Append,
    /// `value` is put at position `keys[0]`, later elements move up.
    Insert,
    /// `value` is stored under `keys`.
    Store,
    /// `value` is stored under `keys[0]` unless that key is there already.
    StoreDefault,
    /// The element under `keys[0]` (the last one without a key) is taken out; later ones move down.
    /// A step row says that the call gives it back.
    Remove,
    /// Every element of `value` is appended in order.
    Extend,
    /// Every entry of the mapping `value` is stored.
    Merge,
    Clear,
    Reverse,
    /// Positions are no longer known: `sort`, `random.shuffle`.
    Scramble,
    /// The first element that is `value` is taken out, where it is seen which one that is; else positions are no
    /// longer known.
    Discard,
}

impl Effect {
    pub(crate) const WORDS: [(&'static str, Self); 11] = [
        ("append", Self::Append),
        ("insert", Self::Insert),
        ("store", Self::Store),
        ("store-default", Self::StoreDefault),
        ("remove", Self::Remove),
        ("extend", Self::Extend),
        ("merge", Self::Merge),
        ("clear", Self::Clear),
        ("reverse", Self::Reverse),
        ("scramble", Self::Scramble),
        ("discard", Self::Discard),
    ];
}

/// On the branch where the call's value is as said, the value at `at` is harmless for these kinds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guard {
    pub at: Port,
    pub holds_when: GuardSense,
    pub clears: KindSet,
    /// The value must have passed a step of this sort (a prefix check of a path holds only once the
    /// path is normal).
    pub requires: Option<How>,
    /// The guard holds only if a text that matches the regular expression at this port has nothing
    /// harmful in it. See [`crate::pattern::allowed_by_match`].
    pub pattern: Option<Port>,
}

/// What a template is given beside what the call says: something at the call, or a library's object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Given {
    At(Port),
    Path(String),
}

/// What a call has to do with the templates of pages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum View {
    /// It renders the template of that name with what stands at these ports, the later ones over the earlier;
    /// without any, with its keyword arguments. Templates see the request as `request`.
    Renders {
        name: Port,
        locals: Vec<Port>,
        request: Option<Given>,
    },
    /// It makes a decorator: what the function below returns is rendered by the template of that name. The function's
    /// first argument is the request.
    Decorates { name: Port },
    /// What stands there turns escaping on or off, for all templates.
    Configures { autoescape: Port },
    /// It writes into the page what stands there, escaped where that is configured.
    Escapes { output: String },
    /// It calls the macro of that name in the template of that name; the macro gets the arguments behind the two.
    Calls { name: Port, of: Port },
    /// What stands there goes to a part of a template that is not understood.
    Unread { at: Port },
}

/// What the call must have done for its guard to hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GuardSense {
    /// Its value is truthy.
    True,
    False,
    /// Its value was compared with something and found equal: `os.path.commonpath([a, b]) == a`.
    Equal,
    NotEqual,
    /// It came back at all, instead of raising: `path.relative_to(base)`.
    Returns,
}

/// The function at `function` is called with these values, and gives its result to `returns`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Callback {
    pub function: Port,
    /// What its parameters get, in order; `arg[2..]` spreads.
    pub args: Vec<Port>,
    /// A sequence whose elements become its parameters (`threading.Thread(args=..)`).
    pub spread: Option<Port>,
    /// A mapping whose entries become its keyword parameters.
    pub keywords: Option<Port>,
    pub returns: Option<Port>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EntryShape {
    /// `@path(..)` (or bare `@path`) over a function or class.
    Decorator,
    /// A call that names the handler in an argument.
    Registrar,
    /// A file below a folder whose path is the route; what it exports under names in `method_functions` answers.
    FilePath,
    /// A class below `path`, whose methods in `method_functions` handle requests.
    BaseClass,
    /// The class whose instance is the application: its routes are served.
    Application,
    /// A class whose instance holds routes that are served once it is mounted: `Blueprint`.
    Collection,
    /// A call or an attribute that gives a part of its receiver: the routes of the part are the receiver's.
    Part,
    /// A call that makes a collection and mounts it on its receiver: `r.Group("/api")`.
    Group,
    /// A call that mounts a collection, on its receiver: `register_blueprint`.
    Mount,
    /// Code that runs before or after every request: `before_request`, error handlers.
    Hook,
    /// A call that makes one entry of a table of routes: `path("a/", view)`. Its handler may be routes again,
    /// which then stand below it.
    Listed,
    /// A call that gives the routes that its argument lists: `include("shop.urls")`, a module's name, a module,
    /// a list, or what holds routes.
    Include,
    /// What is not called: a module's variable named as `named_by` says names the module whose `variable` lists
    /// the routes that are served.
    Table,
    /// A decorator that leaves the handler as it is; it may say which methods get through.
    Wrapper,
    /// A decorator of a method that makes it an action of its class, for registrars with `actions`.
    Action,
    /// A call that makes a route, served wherever what it is put into is mounted: `web.get("/x", f)`.
    Route,
    /// What stands as the default of a handler's parameter, or in its annotation, and says what it gets:
    /// `Query()`, `Depends(f)`. The member's source rows say which input, `handler` whose result.
    Parameter,
    /// A call that gives the text of a route a name, to which handlers are bound elsewhere.
    Name,
    /// Every function of the program with parameters of these names: what servers are given.
    Signature,
    /// A call whose `prefix` stands in front of all routes of the library in the program: `app.setGlobalPrefix("api")`.
    Prefix,
}

/// How outside control begins at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryRow {
    pub shape: EntryShape,
    pub framework: String,
    /// The route text. `None`: the handler's own code decides (http.server), or the shape has none.
    pub route: Option<Port>,
    /// The route where no argument says one: `/graphql`.
    pub served_at: Option<String>,
    /// Which methods it answers, when an argument says so.
    pub methods: Option<Port>,
    /// Methods when no argument says so.
    pub default_methods: Vec<String>,
    /// The handler: a function, a lambda, a class, or the result of `as_view`. `None` for
    /// decorators and base classes, where it is what is decorated or derived. Of an `Application`: objects,
    /// one or a list, whose `method_functions` run around its handlers.
    pub handler: Option<Port>,
    /// The route prefix: of a collection, an argument of its constructor; of a mount, an argument of
    /// the mounting call, which replaces the collection's own when it is passed.
    pub prefix: Option<Port>,
    /// The mounted collection of routes.
    pub mounted: Option<Port>,
    /// For `BaseClass`, and for those that name an object as handler: method of the class to HTTP methods,
    /// `do_GET` to `GET`. A key that ends in `*` takes its tail, upper case, as the method, where
    /// it is given none.
    pub method_functions: BTreeMap<String, Vec<String>>,
    /// For `FilePath`: folders and file name without its extension, `pages/api/**`, `app/**/route`; what the route
    /// ends with instead stands behind `as`.
    pub files: Option<String>,
    /// For `BaseClass`: the class becomes an entry point only once it is registered by a call of this
    /// member on it (`as_view`); empty: deriving is enough. For a `Decorator` over methods: those of a class that
    /// has no annotation, of which this one is the plainest, are never called.
    pub bound_by: Option<String>,
    /// How route text is written.
    pub syntax: RouteSyntax,
    /// Parameters that the handler gets from the route, by name; what each converter lets through.
    pub converters: BTreeMap<String, Converter>,
    /// Classes of what the handler is called with, by position; a handler with one parameter more gets an
    /// error first.
    pub params: Vec<String>,
    /// For `Table` and `Include`: the variable of a module that lists its routes.
    pub variable: Option<String>,
    /// For `Table`: the variable whose value is the name of the module with the table. For a `Hook` that is not
    /// called: the variable that lists the names of functions and classes around every request, whose
    /// `method_functions` are run.
    pub named_by: Option<String>,
    /// For `Listed` and `Registrar`: a mapping of further arguments that the handler gets by name.
    pub extra: Option<Port>,
    /// For `BaseClass`: methods that the class has itself, with those of the program's own that each of them
    /// calls: `get` of a list's view calls `get_queryset`.
    pub runs: BTreeMap<String, Vec<String>>,
    /// For `BaseClass`: parameters of methods by name, and the attribute that holds the class of what they get:
    /// `form` is an instance of `form_class`.
    pub gives: BTreeMap<String, String>,
    /// For `BaseClass`: attributes that list what asks who is there: `permission_classes`.
    pub checks: Vec<String>,
    /// For `BaseClass` and `Wrapper`: the setting that lists such checks where the handler does not, a variable and
    /// a key: `REST_FRAMEWORK.DEFAULT_PERMISSION_CLASSES`.
    pub checks_named: Option<String>,
    /// For a `Registrar` of classes: methods of the class that are served below the route, and the HTTP method
    /// of each.
    pub actions: BTreeMap<String, String>,
    /// Those of the actions whose route goes on with a key: `/users/<pk>/`.
    pub on_one: Vec<String>,
    /// Attributes of the class that name that key, the first that is set; the last is the name otherwise.
    pub keys: Vec<String>,
    /// For `Action`: whether its route goes on with a key.
    pub detail: Option<Port>,
    /// For `Wrapper`, a list of what asks who is there; for `Registrar`, of its names.
    pub asks: Option<Port>,
    /// For `Signature`: the names of the parameters.
    pub names: Vec<String>,
    /// For `Mount`: its prefix stands before the collection's own, instead of in its place.
    pub stacks: bool,
    /// For those that hold or mount routes: a list of them, made by `Route` calls or as pairs of route text
    /// and handler.
    pub table: Option<Port>,
    /// The name that `Name` gives to a route's text, or to which a handler is bound. Of a collection: what stands in
    /// front of its routes, behind a slash, where nothing is given for that.
    pub named: Option<Port>,
    /// For `Mount`: what the collection is mounted on, where that is not what the call is a method of. One whose
    /// `mounted` is what the call gives is made by it: `Api(app)`.
    pub on: Option<Port>,
    /// What is called before the handler, a list of what `Parameter` calls made: `dependencies=[Depends(f)]`.
    pub before: Option<Port>,
    /// The class that the handler's result is passed to, when it is named: `response_class=HTMLResponse`.
    pub answers: Option<Port>,
    /// What is put behind the names of `method_functions`: `suffix="list"` makes `on_get` be `on_get_list`.
    pub suffix: Option<Port>,
    /// How parameters are filled by what is written for them; `None`: by the route alone.
    pub filling: Option<Filling>,
}

impl EntryRow {
    /// Whether what the call makes is what it mounts.
    pub fn mounts_itself(&self) -> bool {
        self.mounted
            .as_ref()
            .is_some_and(|port| port.root == crate::PortRoot::Return)
    }
}

/// A framework that fills a handler's parameters by their names, annotations and defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filling {
    /// Where a parameter of a plain type comes from that nothing else is said of.
    pub plain: SourceKind,
    /// Where objects and containers come from.
    pub body: SourceKind,
    /// Classes whose subclasses are made from the body, field by field.
    pub models: Vec<String>,
    /// Classes of files that are sent.
    pub files: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RouteSyntax {
    /// `/user/<int:id>`: Flask, Werkzeug.
    Angle,
    /// `/user/<id:int>`, `<name:re:[a-z]+>`: Bottle, Sanic.
    AngleName,
    /// `/user/{id}`: FastAPI, Falcon, Starlette.
    Brace,
    /// `/user/:id`, `/file/:name(\\d+)?`: Express, Koa, gin.
    Colon,
    /// `/user/(?P<id>\\d+)`: Tornado. Groups without a name are passed by position.
    Regex,
}

/// What a route parameter of one converter may contain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Converter {
    /// Kinds for which its text is harmless.
    pub clears: KindSet,
    /// Characters that can never arrive.
    pub excludes: Vec<char>,
}

/// A weakness class: how kinds make it, and how it is worded and proven.
#[derive(Clone, PartialEq, Debug)]
pub struct Weakness {
    /// `CWE-89`.
    pub id: String,
    /// `SQL injection`.
    pub name: String,
    /// What it is called in a list: `command injection`, in lower case unless it is a name.
    pub short: String,
    /// What it means, in a sentence.
    pub text: String,
    pub severity: Severity,
    pub from: Vec<SourceKind>,
    pub into: KindSet,
    /// Whether a place that no harmful input reaches is left unsaid: there are many of them, and hardly any gets some.
    pub quiet: bool,
    /// Whether only what input is seen to reach is said: what is undecided is everywhere and says little.
    pub reached_only: bool,
    /// Whether one entry point is said for all that lead to a place: what is repaired is the place.
    pub once: bool,
    pub judged_by: Judge,
    /// Oracles that may prove it, in the order to try, by name.
    pub oracles: Vec<String>,
    /// Programs that run an argument as code, for sinks that take a list of arguments.
    pub interpreters: Vec<Interpreter>,
    /// `docs/weaknesses/CWE-89.md`.
    pub page: String,
}

/// What decides whether a weakness is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judge {
    /// Input that reaches a sink, or control that reaches a use.
    Flow,
    /// Whether who is there takes part where an object is looked up by what a request says.
    Access,
    /// Whether a route for some of those who are logged in asks for more than that.
    Role,
    /// Whether requests that change something say more than that a browser sent them.
    Session,
    /// Whether answers tell what is the program's own business.
    Answer,
    /// Whether what a request says of itself decides what it may.
    Claim,
    /// Whether a token that decides can be computed by whoever asks.
    Token,
}

/// `sh -c TEXT`: the argument after `flag` is a sink of `kind`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interpreter {
    /// Last segment of the program's path, without `.exe`.
    pub program: String,
    pub flag: String,
    pub kind: Kind,
}

/// One name of the closed list of sink kinds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KindInfo {
    /// `sql-text`.
    pub name: String,
    /// What stands before `of CALLEE` in a finding's title: `the SQL text`; of a use before `: CALLEE`.
    pub words: String,
    /// Characters without which a value does no harm there.
    pub harmful: Harmful,
    pub shown: Shown,
    /// Whether a number does harm there: what is made a number, or checked to be one, is harmless for all others.
    pub numbers: bool,
    /// Whether only what input is seen to reach is said, see [`Weakness::reached_only`].
    pub reached_only: bool,
    /// What a weakness is at most where it is of this kind.
    pub severity: Option<Severity>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Harmful {
    /// Just these: `/` for a path, without which a value names a file in the same directory.
    Only(Vec<char>),
    /// Everything but letters, digits, the underscore and these.
    AllBut(Vec<char>),
    /// Whatever it is made of.
    Anything,
}

impl Harmful {
    pub fn contains(&self, c: char) -> bool {
        match self {
            Self::Only(list) => list.contains(&c),
            Self::AllBut(list) => !(c.is_alphanumeric() || c == '_' || list.contains(&c)),
            Self::Anything => true,
        }
    }
}
