//! How a target is prepared, started, seeded and logged into: read from `solvent.toml`, else inferred.
//!
//! ```toml
//! [target]
//! root = "."                        # folder to run in, below the repository
//! python = "3.12"                   # version, or nothing
//! [target.prepare]
//! requirements = ["requirements.txt"]
//! dependencies = ["Flask==2.0.3"]   # instead of, or beside, requirement files
//! as_of = "2021-06-01"              # take no package uploaded later
//! setup = ["python db_init.py"]     # seeds; run once, without network
//! [target.start]
//! app = "shop.web:app"              # or "shop.web:create_app()"; or one of:
//! script = "app.py"
//! module = "shop"                   # python -m
//! console = "shop.cli:main"
//! command = ["python", "serve.py"]  # as it is, without our launcher
//! port = 5000
//! ready = "/"
//! timeout = 60                      # seconds
//! env = { MODE = "test" }
//! [login]
//! identity = "admin"
//! path = "/login"
//! encoding = "form"                 # or "json"
//! fields = { username = "admin", password = "secret" }
//! check = { cookie = "session", not_contains = "wrong password" }
//! token = { json = "/token", header = "Authorization", prefix = "Bearer " }
//! ```

mod parse;

use std::collections::BTreeMap;
use std::fmt;

use solvent_base::Digest;
use toml::Value;

/// Bytes of a recipe file that are read.
pub const MAX_BYTES: usize = 256 << 10;
/// The file's name at the root of the repository.
pub const FILE_NAME: &str = "solvent.toml";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    File,
    Inferred,
}

impl Origin {
    pub fn word(self) -> &'static str {
        match self {
            Self::File => FILE_NAME,
            Self::Inferred => "inferred",
        }
    }
}

/// What is run. All but `Command` go through our launcher, which turns debug mode, the reloader and TLS off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// A WSGI application object, or a function that makes one.
    App {
        module: String,
        variable: String,
        factory: bool,
    },
    /// A file run as `__main__`, relative to the target's root.
    Script(String),
    /// `python -m`
    Module(String),
    /// A console script: `module:function`.
    Console { module: String, function: String },
    /// The application's own command, untouched; `python` stands for the prepared interpreter.
    Command(Vec<String>),
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App {
                module,
                variable,
                factory,
            } => {
                write!(
                    f,
                    "app {module}:{variable}{}",
                    if *factory { "()" } else { "" }
                )
            }
            Self::Script(path) => write!(f, "script {path}"),
            Self::Module(name) => write!(f, "module {name}"),
            Self::Console { module, function } => write!(f, "console {module}:{function}"),
            Self::Command(argv) => write!(f, "command {}", argv.join(" ")),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BodyEncoding {
    Form,
    Json,
}

/// A token that the login's answer holds and later requests carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRule {
    /// JSON pointer into the answer.
    pub json: String,
    pub header: String,
    pub prefix: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginRecipe {
    pub identity: String,
    pub path: String,
    pub method: String,
    pub encoding: BodyEncoding,
    /// Name and value; values never leave the recipe.
    pub fields: BTreeMap<String, String>,
    pub status: Vec<u16>,
    pub contains: Option<String>,
    pub not_contains: Option<String>,
    pub cookie: Option<String>,
    pub token: Option<TokenRule>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipe {
    pub origin: Origin,
    /// Folder to run in, relative to the repository; `.` for the root.
    pub root: String,
    /// `3.12`, or a constraint such as `>=3.8,<3.12`.
    pub python: Option<String>,
    /// Requirement files, relative to the repository.
    pub requirements: Vec<String>,
    /// Requirements as pip writes them.
    pub dependencies: Vec<String>,
    /// Folders to install as packages, relative to the repository.
    pub packages: Vec<String>,
    pub as_of: Option<String>,
    pub setup: Vec<Vec<String>>,
    pub start: Start,
    pub port: Option<u16>,
    pub ready: String,
    pub timeout_seconds: u64,
    pub env: BTreeMap<String, String>,
    pub login: Option<LoginRecipe>,
    /// What was guessed, in words; each is a limit of the proof.
    pub guesses: Vec<String>,
}

impl Recipe {
    /// The recipe as TOML with credentials and the values of its environment replaced, as a capsule embeds
    /// it. What a variable is called says too little about whether its value is a secret.
    pub fn public_text(&self) -> String {
        self.text(|_, _| "{{credential}}")
    }

    /// The recipe as TOML for the repository that it was inferred from: only what is named as a secret is
    /// replaced.
    pub fn file_text(&self) -> String {
        self.text(|name, value| {
            if secret_name(name) {
                "{{credential}}"
            } else {
                value
            }
        })
    }

    /// Values that must not leave the sandbox in words: credentials, and what of the environment could be one.
    pub fn secrets(&self) -> Vec<String> {
        let env = self
            .env
            .iter()
            .filter(|(name, value)| secret_name(name) || value.len() >= LONG_VALUE)
            .map(|(_, value)| value.clone());
        let login = self.login.iter().flat_map(|login| login.fields.values());
        env.chain(login.cloned()).collect()
    }

    fn text(&self, shown: for<'v> fn(&str, &'v str) -> &'v str) -> String {
        let mut text = String::new();
        let mut line = |s: String| {
            text.push_str(&s);
            text.push('\n');
        };
        let quote = |s: &str| Value::String(s.to_owned()).to_string();
        let list = |items: &[String]| {
            format!(
                "[{}]",
                items
                    .iter()
                    .map(|s| quote(s))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        };
        line("[target]".into());
        line(format!("root = {}", quote(&self.root)));
        if let Some(python) = &self.python {
            line(format!("python = {}", quote(python)));
        }
        line("[target.prepare]".into());
        line(format!("requirements = {}", list(&self.requirements)));
        line(format!("dependencies = {}", list(&self.dependencies)));
        line(format!("packages = {}", list(&self.packages)));
        if let Some(as_of) = &self.as_of {
            line(format!("as_of = {}", quote(as_of)));
        }
        let setup: Vec<String> = self.setup.iter().map(|argv| list(argv)).collect();
        line(format!("setup = [{}]", setup.join(", ")));
        line("[target.start]".into());
        match &self.start {
            Start::App {
                module,
                variable,
                factory,
            } => {
                let call = if *factory { "()" } else { "" };
                line(format!(
                    "app = {}",
                    quote(&format!("{module}:{variable}{call}"))
                ));
            }
            Start::Script(path) => line(format!("script = {}", quote(path))),
            Start::Module(name) => line(format!("module = {}", quote(name))),
            Start::Console { module, function } => {
                line(format!(
                    "console = {}",
                    quote(&format!("{module}:{function}"))
                ));
            }
            Start::Command(argv) => line(format!("command = {}", list(argv))),
        }
        if let Some(port) = self.port {
            line(format!("port = {port}"));
        }
        line(format!("ready = {}", quote(&self.ready)));
        line(format!("timeout = {}", self.timeout_seconds));
        let env: Vec<String> = self
            .env
            .iter()
            .map(|(name, value)| format!("{} = {}", quote(name), quote(shown(name, value))))
            .collect();
        line(format!("env = {{ {} }}", env.join(", ")));
        if let Some(login) = &self.login {
            line("[login]".into());
            line(format!("identity = {}", quote(&login.identity)));
            line(format!("path = {}", quote(&login.path)));
            let fields: Vec<String> = login
                .fields
                .keys()
                .map(|name| format!("{} = {}", quote(name), quote("{{credential}}")))
                .collect();
            line(format!("fields = {{ {} }}", fields.join(", ")));
        }
        text
    }

    /// Digest of everything that decides how the target runs, credentials included.
    pub fn digest(&self) -> Digest {
        let login = format!("{:?}", self.login);
        let env = format!("{:?}", self.env);
        Digest::of_parts([
            self.public_text().as_bytes(),
            login.as_bytes(),
            env.as_bytes(),
        ])
    }
}

/// From this length on, in bytes, a value of the environment may be a secret whatever its name is.
const LONG_VALUE: usize = 8;

fn secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["secret", "password", "token", "key", "credential"]
        .iter()
        .any(|word| name.contains(word))
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecipeError {
    TooLarge {
        bytes: usize,
    },
    Encoding,
    Syntax {
        message: String,
    },
    UnknownKey {
        key: String,
        nearest: Option<String>,
    },
    WrongType {
        key: String,
        wanted: &'static str,
    },
    /// A value that cannot be meant.
    Value {
        key: String,
        message: String,
    },
    /// Nothing in the repository says how to start it.
    NothingToStart {
        looked: Vec<String>,
    },
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => {
                write!(
                    f,
                    "`{FILE_NAME}` has {bytes} bytes, at most {MAX_BYTES} are read"
                )
            }
            Self::Encoding => write!(f, "`{FILE_NAME}` is not UTF-8 text"),
            Self::Syntax { message } => {
                write!(
                    f,
                    "`{FILE_NAME}` is not whole or not TOML: {}",
                    message.trim().replace('\n', " ")
                )
            }
            Self::UnknownKey {
                key,
                nearest: Some(nearest),
            } => {
                write!(
                    f,
                    "`{FILE_NAME}` has unknown key `{key}`, did you mean `{nearest}`?"
                )
            }
            Self::UnknownKey { key, nearest: None } => {
                write!(f, "`{FILE_NAME}` has unknown key `{key}`")
            }
            Self::WrongType { key, wanted } => {
                write!(f, "`{key}` in `{FILE_NAME}` must be {wanted}")
            }
            Self::Value { key, message } => write!(f, "`{key}` in `{FILE_NAME}`: {message}"),
            Self::NothingToStart { looked } => write!(
                f,
                "nothing says how to start the application (looked for {}); write `[target.start]` with `app`, \
                 `script`, `module` or `command` into `{FILE_NAME}`",
                looked.join(", ")
            ),
        }
    }
}

impl std::error::Error for RecipeError {}

pub(crate) use parse::parse_app;
pub use parse::{Partial, parse};

#[cfg(test)]
mod tests;
