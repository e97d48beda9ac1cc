//! From a login recipe to the steps of a login.

use std::collections::BTreeMap;

use solvent_protocol::capsule::{Capture, CaptureFrom, Check, Encode, Login, Raw, Step};

use crate::exec::{LoginFailed, Session, log_in};
use crate::html;
use crate::http::{Answer, Request};
use crate::recipe::{BodyEncoding, LoginRecipe};
use crate::target::Running;
use std::time::Duration;

/// A login that held once, and can be run again anywhere.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub login: Login,
    pub credentials: BTreeMap<String, String>,
    /// Header and value (with placeholders) that carry the token, if the recipe has one.
    pub token_header: Option<(String, String)>,
}

impl Door {
    pub fn open(&self, running: &mut Running, timeout: Duration) -> Result<Session, LoginFailed> {
        log_in(running, &self.login, &self.credentials, timeout)
    }
}

/// Credentials by the name of their placeholder.
pub(crate) fn credentials(recipe: &LoginRecipe) -> BTreeMap<String, String> {
    let encode = |value: &str| match recipe.encoding {
        BodyEncoding::Form => Encode::Form.apply(value.as_bytes()),
        BodyEncoding::Json => Encode::Json.apply(value.as_bytes()),
    };
    recipe
        .fields
        .iter()
        .map(|(name, value)| {
            (
                placeholder(name),
                String::from_utf8_lossy(&encode(value)).into_owned(),
            )
        })
        .collect()
}

fn placeholder(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

/// Looks at the login page for hidden fields, and builds the steps.
pub(crate) fn discover(running: &mut Running, recipe: &LoginRecipe, timeout: Duration) -> Door {
    let page = get(running, &recipe.path, timeout);
    let hidden: Vec<String> = match (&page, recipe.encoding) {
        (Some(answer), BodyEncoding::Form) => {
            html::hidden_fields(&String::from_utf8_lossy(&answer.body))
                .into_iter()
                .filter(|name| !recipe.fields.contains_key(name))
                .collect()
        }
        _ => Vec::new(),
    };
    let host = || (Raw::text("Host"), Raw::text("{{host}}"));
    let close = || (Raw::text("Connection"), Raw::text("close"));
    let mut steps = Vec::new();
    let sets_cookie = page
        .as_ref()
        .is_some_and(|answer| answer.header("set-cookie").is_some());
    if !hidden.is_empty() || sets_cookie {
        steps.push(Step {
            method: "GET".into(),
            target: Raw::text(recipe.path.clone()),
            headers: vec![host(), close()],
            body: Raw::default(),
            captures: hidden
                .iter()
                .map(|name| Capture {
                    name: placeholder(name),
                    from: CaptureFrom::HtmlInput(name.clone()),
                })
                .collect(),
        });
    }
    let form_name =
        |name: &str| String::from_utf8_lossy(&Encode::Form.apply(name.as_bytes())).into_owned();
    let (kind, body) =
        match recipe.encoding {
            BodyEncoding::Form => {
                let mut pairs: Vec<String> = recipe
                    .fields
                    .keys()
                    .map(|name| {
                        format!(
                            "{}={{{{credential.{}}}}}",
                            form_name(name),
                            placeholder(name)
                        )
                    })
                    .collect();
                pairs.extend(hidden.iter().map(|name| {
                    format!("{}={{{{capture.{}}}}}", form_name(name), placeholder(name))
                }));
                ("application/x-www-form-urlencoded", pairs.join("&"))
            }
            BodyEncoding::Json => {
                let pairs: Vec<String> = recipe
                    .fields
                    .keys()
                    .map(|name| {
                        format!(
                            "{}:\"{{{{credential.{}}}}}\"",
                            serde_json::Value::from(name.as_str()),
                            placeholder(name)
                        )
                    })
                    .collect();
                ("application/json", format!("{{{}}}", pairs.join(",")))
            }
        };
    let mut headers = vec![
        host(),
        close(),
        (Raw::text("Content-Type"), Raw::text(kind)),
    ];
    if !steps.is_empty() {
        headers.push((Raw::text("Cookie"), Raw::text("{{session_cookies}}")));
    }
    let mut captures = Vec::new();
    let token_header = recipe.token.as_ref().map(|rule| {
        captures.push(Capture {
            name: "token".into(),
            from: CaptureFrom::Json(rule.json.clone()),
        });
        (
            rule.header.clone(),
            format!("{}{{{{capture.token}}}}", rule.prefix),
        )
    });
    steps.push(Step {
        method: recipe.method.clone(),
        target: Raw::text(recipe.path.clone()),
        headers,
        body: Raw::text(body),
        captures,
    });
    Door {
        login: Login {
            identity: recipe.identity.clone(),
            steps,
            check: Check {
                status: recipe.status.clone(),
                contains: recipe.contains.clone(),
                not_contains: recipe.not_contains.clone(),
                cookie: recipe.cookie.clone(),
            },
        },
        credentials: credentials(recipe),
        token_header,
    }
}

fn get(running: &mut Running, path: &str, timeout: Duration) -> Option<Answer> {
    let request = Request {
        method: "GET".into(),
        target: path.as_bytes().to_vec(),
        headers: vec![
            (b"Host".to_vec(), running.host().into_bytes()),
            (b"Connection".to_vec(), b"close".to_vec()),
        ],
        body: Vec::new(),
    };
    running
        .send(&request, timeout)
        .ok()
        .filter(|answer| answer.status == 200)
}

/// Whether an answer says that a login is needed.
pub(crate) fn asks_for_login(answer: &Answer) -> bool {
    turns_away(answer)
        || answer.status == 200 && html::asks_password(&String::from_utf8_lossy(&answer.body))
}

/// Whether an answer refuses whoever asked, or sends them to a login. A page with a password field is not
/// meant: it may be what the route is for.
pub(crate) fn turns_away(answer: &Answer) -> bool {
    match answer.status {
        401 | 403 => true,
        301..=308 => answer.header("location").is_some_and(|location| {
            let location = String::from_utf8_lossy(location).to_ascii_lowercase();
            ["login", "signin", "sign-in", "auth"]
                .iter()
                .any(|word| location.contains(word))
        }),
        _ => false,
    }
}
