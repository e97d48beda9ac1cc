//! Dependencies by pip, in the sandbox: fetched through an allow-list proxy, wheels first; what must be
//! built is built without network.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use solvent_sandbox::{
    Access, FETCH_PROXY_URL, FetchProxy, HostPort, Limits, Network, Sandbox, Sensors, Spec,
};

use crate::campaign::{OnProgress, Progress};
use crate::interpreter::Interpreter;
use crate::prepare::{APP, Ended, PrepareError, interpreter_layer, layer, run_to_end};
use crate::recipe::Recipe;

/// Where pip runs.
pub(crate) struct Place<'a> {
    pub interpreter: &'a Interpreter,
    pub app: &'a Path,
    pub venv: &'a Path,
    pub wheelhouse: &'a Path,
    pub inside_venv: &'a str,
    pub inside_wheelhouse: &'a str,
    pub sandbox: &'a dyn Sandbox,
}

/// What pip on this machine is configured with. May hold credentials: never shown, never recorded.
struct Config {
    index: Option<String>,
    extra: Vec<String>,
    find_links: Vec<String>,
    cert: Option<String>,
}

/// Makes the environment and returns the limits that come with it.
pub(crate) fn install(
    job: &Place<'_>,
    recipe: &Recipe,
    progress: OnProgress<'_>,
) -> Result<Vec<String>, PrepareError> {
    let config = Config::read();
    let base = environment(job, &config)?;
    let mut limits = Vec::new();
    let mut wanted: Vec<String> = Vec::new();
    for file in &recipe.requirements {
        wanted.push("-r".to_owned());
        wanted.push(format!("{APP}/{file}"));
    }
    wanted.extend(recipe.dependencies.iter().cloned());
    wanted.extend(recipe.packages.iter().map(|p| {
        if p == "." {
            APP.to_owned()
        } else {
            format!("{APP}/{p}")
        }
    }));
    if wanted.is_empty() {
        return Ok(limits);
    }
    let mut dated = Vec::new();
    if let Some(as_of) = &recipe.as_of {
        let mut argv = base.clone();
        argv.extend(
            ["install", "--quiet", "--only-binary", ":all:", "pip>=26"].map(OsString::from),
        );
        let newer = run(job, &config, Net::Fetch, &argv)?;
        if !newer.ok {
            return Err(failed(
                "`as_of` needs pip 26 or later, which could not be fetched",
                &newer,
            ));
        }
        dated.push(OsString::from(format!(
            "--uploaded-prior-to={as_of}T00:00:00Z"
        )));
        limits.push(format!("packages as of {as_of}"));
    }
    let with = |verb: &[&str]| {
        let mut argv = base.clone();
        argv.extend(verb.iter().map(OsString::from));
        argv.extend(dated.iter().cloned());
        argv.extend(wanted.iter().map(OsString::from));
        argv
    };
    // A folder of the tree must be built, so it is never a wheel.
    if recipe.packages.is_empty() {
        let wheels = run(
            job,
            &config,
            Net::Fetch,
            &with(&["install", "--only-binary", ":all:"]),
        )?;
        if wheels.ok {
            return Ok(limits);
        }
    }
    progress(Progress::Stage(
        "building dependencies that have no wheel".to_owned(),
    ));
    let place = job.inside_wheelhouse;
    let fetched = run(
        job,
        &config,
        Net::Fetch,
        &with(&["download", "--prefer-binary", "--quiet", "--dest", place]),
    )?;
    if !fetched.ok {
        return Err(failed("the dependencies could not be fetched", &fetched));
    }
    // Isolated builds look for their tools where the sources are.
    let mut tools = base.clone();
    tools.extend(
        [
            "download",
            "--quiet",
            "--only-binary",
            ":all:",
            "--dest",
            place,
            "setuptools<80",
            "wheel",
        ]
        .map(OsString::from),
    );
    let tools = run(job, &config, Net::Fetch, &tools)?;
    if !tools.ok {
        return Err(failed("the build tools could not be fetched", &tools));
    }
    let mut argv = base;
    argv.extend(["install", "--no-index", "--find-links", place].map(OsString::from));
    argv.extend(wanted.iter().map(OsString::from));
    let built = run(job, &config, Net::No, &argv)?;
    if !built.ok {
        return Err(failed(
            "the dependencies could not be built without network",
            &built,
        ));
    }
    limits.push("some dependencies were built from source".to_owned());
    Ok(limits)
}

/// Puts the source distribution of `wanted` (`name==version`) into the wheelhouse. Its metadata is made by the
/// package's own code.
pub(crate) fn download_source(
    job: &Place<'_>,
    wanted: &str,
    progress: OnProgress<'_>,
) -> Result<(), PrepareError> {
    progress(Progress::Stage(format!("fetching the source of {wanted}")));
    let config = Config::read();
    let mut argv = environment(job, &config)?;
    argv.extend(
        [
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            wanted.split("==").next().unwrap_or(wanted),
            "--dest",
            job.inside_wheelhouse,
            wanted,
        ]
        .map(OsString::from),
    );
    let fetched = run(job, &config, Net::Fetch, &argv)?;
    if fetched.ok {
        Ok(())
    } else {
        Err(failed(
            &format!("the source of {wanted} could not be fetched"),
            &fetched,
        ))
    }
}

/// Makes the virtual environment and returns how its pip is called.
fn environment(job: &Place<'_>, config: &Config) -> Result<Vec<OsString>, PrepareError> {
    let made = run(
        job,
        config,
        Net::No,
        &[
            job.interpreter.exe.clone().into_os_string(),
            "-I".into(),
            "-m".into(),
            "venv".into(),
            job.inside_venv.into(),
        ],
    )?;
    if !made.ok {
        return Err(failed("the virtual environment could not be made", &made));
    }
    let python = format!("{}/bin/python", job.inside_venv);
    Ok([
        python.as_str(),
        "-I",
        "-m",
        "pip",
        "--no-input",
        "--disable-pip-version-check",
    ]
    .map(OsString::from)
    .to_vec())
}

fn failed(what: &str, ended: &Ended) -> PrepareError {
    let errors: Vec<&str> = ended
        .output
        .lines()
        .map(str::trim)
        .filter(|l| {
            l.starts_with("ERROR") || l.starts_with("refused by") || l.starts_with("killed:")
        })
        .collect();
    let detail = if errors.is_empty() {
        crate::prepare::last_line(&ended.output)
    } else {
        errors[errors.len().saturating_sub(3)..].join("; ")
    };
    let advice = if ended.output.contains("No matching distribution")
        || ended.output.contains("Could not find a version")
    {
        "pin versions that exist for this Python under `[target.prepare] dependencies`, or choose another with `[target] python`"
    } else if ended.output.contains("refused by") {
        "configure the index with `pip config set global.index-url`; only configured indexes are reached"
    } else if ended.output.contains("ConnectTimeout")
        || ended.output.contains("NewConnectionError")
        || ended.output.contains("Connection")
    {
        "check that the package index can be reached"
    } else {
        "name the dependencies that the application really needs under `[target.prepare] dependencies`"
    };
    let detail: String = redact(&detail).chars().take(600).collect();
    PrepareError::Dependencies {
        message: format!("{what}: {detail}; {advice}"),
        output: redact(&ended.output),
    }
}

/// Credentials of an index URL out of pip's own words.
fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c == '/' || c.is_whitespace() || c == '\'' || c == '"')
            .unwrap_or(after.len());
        match after[..end].rfind('@') {
            Some(sign) => {
                out.push_str("[credentials]");
                rest = &after[sign..];
            }
            None => rest = after,
        }
    }
    out.push_str(rest);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Net {
    Fetch,
    No,
}

fn run(
    job: &Place<'_>,
    config: &Config,
    net: Net,
    argv: &[OsString],
) -> Result<Ended, PrepareError> {
    let mut layers = vec![
        layer(job.app, APP, Access::Overlay),
        layer(job.venv, job.inside_venv, Access::ReadWrite),
        layer(job.wheelhouse, job.inside_wheelhouse, Access::ReadWrite),
    ];
    layers.extend(interpreter_layer(job.interpreter));
    for folder in &config.find_links {
        if Path::new(folder).is_dir() {
            layers.push(layer(Path::new(folder), folder, Access::ReadOnly));
        }
    }
    let mut env: Vec<(OsString, OsString)> = vec![
        ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
        ("HOME".into(), "/tmp".into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("PIP_NO_CACHE_DIR".into(), "1".into()),
        ("PIP_CONFIG_FILE".into(), "/dev/null".into()),
        ("PIP_RETRIES".into(), "2".into()),
        ("PIP_TIMEOUT".into(), "60".into()),
    ];
    if let Some(cert) = &config.cert
        && Path::new(cert).is_file()
    {
        env.push(("PIP_CERT".into(), cert.into()));
        if !["/usr/", "/etc/"]
            .iter()
            .any(|folder| cert.starts_with(folder))
        {
            layers.push(layer(Path::new(cert), cert, Access::ReadOnly));
        }
    }
    let network = match net {
        Net::No => Network::Isolated,
        Net::Fetch => {
            for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
                env.push((name.into(), FETCH_PROXY_URL.into()));
            }
            if let Some(index) = &config.index {
                env.push(("PIP_INDEX_URL".into(), index.into()));
            }
            if !config.extra.is_empty() {
                env.push(("PIP_EXTRA_INDEX_URL".into(), config.extra.join(" ").into()));
            }
            if !config.find_links.is_empty() {
                env.push(("PIP_FIND_LINKS".into(), config.find_links.join(" ").into()));
            }
            Network::Fetch(FetchProxy {
                allow: config.hosts(),
                max_bytes: 2 << 30,
                max_time: Duration::from_secs(600),
            })
        }
    };
    let spec = Spec {
        layers,
        workdir: PathBuf::from(APP),
        argv: argv.to_vec(),
        env,
        limits: Limits {
            wall: Duration::from_secs(1200),
            cpu_seconds: 1200,
            memory_bytes: 2 << 30,
            disk_bytes: 2 << 30,
            ..Limits::application()
        },
        network,
        sensors: Sensors::Effects,
    };
    run_to_end(job.sandbox, &spec)
}

impl Config {
    /// As pip does it: files first, then the environment.
    fn read() -> Self {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        let home = env::var("HOME").unwrap_or_default();
        let mut paths = vec![
            "/etc/pip.conf".to_owned(),
            format!("{home}/.pip/pip.conf"),
            format!("{home}/.config/pip/pip.conf"),
        ];
        paths.extend(env::var("PIP_CONFIG_FILE").ok());
        for path in paths {
            if let Ok(text) = fs::read_to_string(&path) {
                values.extend(ini(&text));
            }
        }
        for (name, variable) in [
            ("index-url", "PIP_INDEX_URL"),
            ("extra-index-url", "PIP_EXTRA_INDEX_URL"),
            ("find-links", "PIP_FIND_LINKS"),
            ("cert", "PIP_CERT"),
        ] {
            if let Ok(value) = env::var(variable) {
                values.insert(name.to_owned(), value);
            }
        }
        let list = |name: &str| -> Vec<String> {
            values
                .get(name)
                .map(|v| v.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default()
        };
        Self {
            index: values.get("index-url").cloned(),
            extra: list("extra-index-url"),
            find_links: list("find-links")
                .into_iter()
                .filter(|place| place.starts_with('/'))
                .collect(),
            cert: values.get("cert").cloned(),
        }
    }

    /// Hosts of the indexes, and where the public one keeps its files.
    fn hosts(&self) -> Vec<HostPort> {
        let index = self
            .index
            .clone()
            .unwrap_or_else(|| "https://pypi.org/simple".to_owned());
        let mut hosts: Vec<HostPort> = std::iter::once(&index)
            .chain(&self.extra)
            .filter_map(|url| host_port(url))
            .collect();
        if hosts.iter().any(|h| h.host == "pypi.org") {
            hosts.push(HostPort {
                host: "files.pythonhosted.org".to_owned(),
                port: 443,
            });
        }
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

/// `https://user:password@host:8443/path` to host and port.
fn host_port(url: &str) -> Option<HostPort> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let authority = authority.rsplit('@').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    (!host.is_empty()).then(|| HostPort {
        host: host.to_ascii_lowercase(),
        port,
    })
}

/// Keys of the sections `global` and `install`; a line that begins with a space goes on.
fn ini(text: &str) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut wanted = false;
    let mut last = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = trimmed.strip_prefix('[') {
            wanted = matches!(
                section.trim_end_matches(']'),
                "global" | "install" | "download"
            );
        } else if line.starts_with([' ', '\t']) && !last.is_empty() {
            if let Some(value) = values.get_mut(&last) {
                value.push(' ');
                value.push_str(trimmed);
            }
        } else if wanted && let Some((key, value)) = trimmed.split_once('=') {
            last = key.trim().replace('_', "-");
            values.insert(last.clone(), value.trim().to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_gives_its_host_and_never_its_credentials() {
        let url = "https://user:p%40ss@pkgs.example.org:8443/simple";
        let host = host_port(url).expect("a host");
        assert_eq!((host.host.as_str(), host.port), ("pkgs.example.org", 8443));
        let said = redact(&format!("ERROR: no answer from {url} today"));
        assert!(
            !said.contains("user") && said.contains("pkgs.example.org"),
            "{said}"
        );
    }

    #[test]
    fn configuration_is_read_as_pip_reads_it() {
        let text = "[global]\nindex-url = https://a/simple\nextra-index-url =\n    https://b/simple\n    https://c\n[list]\nformat = x\n";
        let values = ini(text);
        assert_eq!(
            values.get("index-url").map(String::as_str),
            Some("https://a/simple")
        );
        assert_eq!(
            values
                .get("extra-index-url")
                .map(|v| v.split_whitespace().count()),
            Some(2)
        );
        assert!(!values.contains_key("format"));
    }

    #[test]
    fn only_the_public_index_opens_the_public_file_host() {
        let config = |index: Option<&str>| Config {
            index: index.map(str::to_owned),
            extra: vec![],
            find_links: vec![],
            cert: None,
        };
        assert_eq!(config(None).hosts().len(), 2);
        assert_eq!(
            config(Some("https://pkgs.example.org/simple"))
                .hosts()
                .len(),
            1
        );
    }
}
