//! Lockfiles: the same library, pinned in each form.

use crate::read;

fn components(files: &[(&str, &str)]) -> Vec<String> {
    let deployment = read(files);
    assert_eq!(deployment.problems, []);
    deployment
        .components
        .iter()
        .map(|c| {
            let version = c.version.as_deref().unwrap_or("-");
            format!(
                "{} {} {version} {} {}",
                c.ecosystem.word(),
                c.name,
                c.usage.word(),
                c.place.line
            )
        })
        .collect()
}

#[test]
fn python_pins_are_read() {
    assert_eq!(
        components(&[(
            "requirements.txt",
            "# web\nFlask==3.0.2\n-r more.txt\nrequests>=2 ; python_version > '3'\n"
        )]),
        ["PyPI flask 3.0.2 direct 2", "PyPI requests - direct 4"]
    );
    let compiled = "flask==3.0.2\n    # via -r requirements.in\nwerkzeug==3.0.1\n    # via flask\n";
    assert_eq!(
        components(&[("requirements.txt", compiled)]),
        [
            "PyPI flask 3.0.2 direct 1",
            "PyPI werkzeug 3.0.1 indirect 3"
        ]
    );
    let lock = "[[package]]\nname = \"flask\"\nversion = \"3.0.2\"\n\n[[package]]\nname = \"own\"\nversion = \"1\"\n\
        source = { editable = \".\" }\n\n[[package]]\nname = \"werkzeug\"\nversion = \"3.0.1\"\n";
    let project = "[project]\nname = \"own\"\ndependencies = [\"Flask>=3\"]\n";
    assert_eq!(
        components(&[("uv.lock", lock), ("pyproject.toml", project)]),
        [
            "PyPI flask 3.0.2 direct 1",
            "PyPI werkzeug 3.0.1 indirect 10"
        ]
    );
    let poetry = "[tool.poetry.dependencies]\npython = \"^3.12\"\nFlask = \"^3\"\n";
    assert_eq!(
        components(&[("poetry.lock", lock), ("pyproject.toml", poetry)]),
        [
            "PyPI flask 3.0.2 direct 1",
            "PyPI werkzeug 3.0.1 indirect 10"
        ]
    );
    let pipfile = r#"{"default": {"flask": {"version": "==3.0.2"}}, "develop": {}}"#;
    assert_eq!(
        components(&[("Pipfile.lock", pipfile)]),
        ["PyPI flask 3.0.2 unknown 1"]
    );
}

#[test]
fn node_pins_are_read() {
    let lock = r#"{"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"express": "^4"}},
        "node_modules/express": {"version": "4.19.2"},
        "node_modules/express/node_modules/qs": {"version": "6.11.0"},
        "node_modules/@types/node": {"version": "22.0.0"}}}"#;
    assert_eq!(
        components(&[("package-lock.json", lock)]),
        [
            "npm @types/node 22.0.0 indirect 1",
            "npm express 4.19.2 direct 1",
            "npm qs 6.11.0 indirect 1"
        ]
    );
    let pnpm = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      express:\n        specifier: ^4\n        \
        version: 4.19.2\npackages:\n  '@types/node@22.0.0':\n    resolution: {}\n  express@4.19.2:\n    resolution: {}\n";
    assert_eq!(
        components(&[("pnpm-lock.yaml", pnpm)]),
        [
            "npm @types/node 22.0.0 indirect 10",
            "npm express 4.19.2 direct 12"
        ]
    );
    let package = r#"{"dependencies": {"express": "^4"}}"#;
    let classic = "# yarn lockfile v1\n\nexpress@^4:\n  version \"4.19.2\"\n\n\"@types/node@*\", \"@types/node@^22\":\n  version \"22.0.0\"\n";
    let berry = "\"express@npm:^4\":\n  version: 4.19.2\n\n\"@types/node@npm:*\":\n  version: 22.0.0\n\n\"own@workspace:.\":\n  version: 0.0.0-use.local\n";
    for yarn in [classic, berry] {
        let found = components(&[("yarn.lock", yarn), ("package.json", package)]);
        let names: Vec<&str> = found
            .iter()
            .map(|c| c.rsplit_once(' ').expect("a line").0)
            .collect();
        assert_eq!(
            names,
            [
                "npm @types/node 22.0.0 indirect",
                "npm express 4.19.2 direct"
            ]
        );
    }
}

#[test]
fn pins_of_other_languages_are_read() {
    let go = "module x\n\nrequire github.com/gin-gonic/gin v1.10.0\n\nrequire (\n\tgolang.org/x/net v0.27.0 // indirect\n)\n";
    assert_eq!(
        components(&[("go.mod", go)]),
        [
            "Go github.com/gin-gonic/gin v1.10.0 direct 3",
            "Go golang.org/x/net v0.27.0 indirect 6"
        ]
    );
    let pom = "<project>\n<properties><v>5.3.1</v></properties>\n<dependencies>\n<dependency><groupId>org.a</groupId>\
        <artifactId>b</artifactId><version>${v}</version></dependency>\n<dependency><groupId>org.a</groupId>\
        <artifactId>c</artifactId></dependency>\n</dependencies>\n</project>\n";
    assert_eq!(
        components(&[("pom.xml", pom)]),
        ["Maven org.a:b 5.3.1 direct 4", "Maven org.a:c - direct 5"]
    );
    assert_eq!(
        components(&[(
            "gradle.lockfile",
            "# a remark\norg.a:b:5.3.1=runtimeClasspath\nempty=\n"
        )]),
        ["Maven org.a:b 5.3.1 unknown 2"]
    );
    let cargo = "[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\n\
        source = \"registry+x\"\n";
    assert_eq!(
        components(&[
            ("Cargo.lock", cargo),
            ("Cargo.toml", "[dependencies]\nserde = \"1\"\n")
        ]),
        ["crates.io serde 1.0.1 direct 5"]
    );
}

#[test]
fn a_lockfile_that_cannot_be_read_is_said() {
    for file in [
        "package-lock.json",
        "uv.lock",
        "pom.xml",
        "Pipfile.lock",
        "pnpm-lock.yaml",
    ] {
        let deployment = read(&[(file, "{[")]);
        assert_eq!(deployment.problems.len(), 1, "{file}");
    }
}
