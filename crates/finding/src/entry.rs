//! Where outside control begins.

use solvent_base::Location;

/// A function as a person names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Symbol {
    /// Dotted module.
    pub module: String,
    /// Path inside the module; empty for the module body.
    pub qualname: String,
}

/// Methods that a route answers, upper case, sorted.
pub type Methods = Vec<String>;

/// Which part of a request carries a value. Carriers decide more than payloads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Carrier {
    Query,
    Form,
    /// A key at the top level of a JSON object body (dotted for nested keys).
    Json,
    PathSegment,
    Header,
    Cookie,
    /// The *name* of a query parameter is the value.
    QueryName,
    /// The *name* of a form field is the value.
    FormName,
    /// The name of a header is the value.
    HeaderName,
    /// The undecoded query string as a whole.
    RawQuery,
    /// The request target (path and query) as sent.
    RawPath,
    RawBody,
    /// Content of an uploaded file.
    FileContent,
    /// Name of an uploaded file.
    FileName,
    /// A value kept in the session by an earlier request.
    Session,
    /// What the program makes itself and others can guess: a number of a generator that is not made for secrets. It
    /// is no part of any request, and only weaknesses that name it look at it.
    Predictable,
    /// Name of a file that the program finds in a folder: whoever may put files there chose it. It is no part of any
    /// request, and only weaknesses that name it look at it.
    ListedName,
}

impl Carrier {
    /// Whether no request of whoever attacks brings it.
    pub fn is_no_request(&self) -> bool {
        matches!(self, Self::Predictable | Self::ListedName)
    }
}

/// One attacker-controlled value: `query parameter q`. The name is empty for raw carriers, and for
/// name carriers (where any name will do).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Input {
    pub carrier: Carrier,
    pub name: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RouteSegment {
    /// Literal text, slashes included.
    Literal(String),
    /// `<converter:name>`; `converter` is the framework's word: `string`, `int`, `path`.
    Param { name: String, converter: String },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EntryKind {
    Http,
}

/// A route bound to a function, so that a request can be built without guessing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryPoint {
    pub kind: EntryKind,
    /// The model that found it: `flask`, `http.server`.
    pub framework: String,
    pub methods: Methods,
    /// As written: `/user/<name>`. Empty when hand-written dispatch decides the path; then the flow's
    /// conditions say what it must be.
    pub route: String,
    pub segments: Vec<RouteSegment>,
    pub handler: Symbol,
    pub location: Location,
    /// Inputs that the handler (and what it calls) reads, sorted, with the constants each is compared
    /// with or defaulted to.
    pub inputs: Vec<(Input, Vec<String>)>,
    /// Guards that stand before the handler, by name: `login_required`. Empty when none was seen.
    pub auth: Vec<String>,
    /// Why the registration is taken for granted rather than shown, if it is.
    pub assumed: Option<String>,
}

impl EntryPoint {
    /// `POST /user/login`; the first method when there are several.
    pub fn label(&self) -> String {
        let method = self
            .methods
            .iter()
            .find(|m| *m != "HEAD" && *m != "OPTIONS")
            .or(self.methods.first())
            .map_or("ANY", String::as_str);
        if self.route.is_empty() {
            format!("{method} (dispatch in {})", self.handler.qualname)
        } else {
            format!("{method} {}", self.route)
        }
    }
}
