//! Compose files: what the forms of one thing have in common, and what overrides what.

use solvent_deploy::Reach;

use crate::{read, service};

/// Reach of the first door of the service `a`.
fn reach(text: &str) -> Reach {
    let deployment = read(&[("compose.yaml", text)]);
    service(&deployment, "a").doors[0].reach
}

#[test]
fn ports_are_read_in_every_form() {
    let port = |port: &str| {
        reach(&format!(
            "services:\n  a:\n    image: x\n    ports:\n      - {port}\n"
        ))
    };
    for open in [
        "8000",
        "\"8000:80\"",
        "0.0.0.0:80:80",
        "\"[::]:80:80\"",
        "{target: 80, published: 80}",
        "\"${PORT:-80}:80\"",
        "80:80/udp",
    ] {
        assert_eq!(port(open), Reach::Public, "{open}");
    }
    for inside in [
        "127.0.0.1:80:80",
        "\"[::1]:80:80\"",
        "\"127.0.0.1::80\"",
        "{target: 80, host_ip: 127.0.0.1}",
    ] {
        assert_eq!(port(inside), Reach::Internal, "{inside}");
    }
    for open in ["\"${BIND}:80:80\"", "\"${PORTS}\""] {
        assert_eq!(port(open), Reach::Unknown, "{open}");
    }
}

#[test]
fn a_file_beside_the_base_is_a_deployment_of_its_own() {
    let deployment = read(&[
        (
            "docker-compose.yml",
            "services:\n  a:\n    build: .\n    environment: {X: one, Y: two}\n",
        ),
        (
            "docker-compose.prod.yml",
            "services:\n  a:\n    environment: [X=three]\n    ports: ['80:80']\n",
        ),
    ]);
    let of = |name: &str| {
        let found = deployment.services.iter().find(|s| s.deployment == name);
        let service = found.unwrap_or_else(|| panic!("no deployment `{name}`"));
        let value = |key: &str| service.settings[key].value.clone().unwrap_or_default();
        (service.doors[0].reach, value("X"), value("Y"))
    };
    assert_eq!(
        of("docker-compose.yml"),
        (Reach::Internal, "one".into(), "two".into())
    );
    assert_eq!(
        of("docker-compose.prod.yml"),
        (Reach::Public, "three".into(), "two".into())
    );
}

#[test]
fn settings_come_from_the_image_then_files_then_the_service() {
    let deployment = read(&[
        (
            "app/Dockerfile",
            "FROM python\nENV A=image B=image C=image\nWORKDIR /srv\nCOPY . .\nCMD [\"python\", \"-m\", \"shop\"]\n",
        ),
        ("app/shop/__main__.py", ""),
        ("app.env", "B=file\nC=file\n"),
        (
            "compose.yaml",
            "services:\n  a:\n    build: app\n    env_file: app.env\n    environment:\n      C: here\n      D:\n",
        ),
    ]);
    let a = service(&deployment, "a");
    let values: Vec<Option<&str>> = ["A", "B", "C", "D"]
        .iter()
        .map(|key| a.settings[*key].value.as_deref())
        .collect();
    assert_eq!(values, [Some("image"), Some("file"), Some("here"), None]);
    assert_eq!(a.settings["C"].place.line, 6);
    let code = a.code.as_ref().expect("code");
    assert_eq!(code.start.as_deref(), Some("app/shop/__main__.py"));
    assert!(!a.settings_open);
}

#[test]
fn files_that_include_each_other_end() {
    let deployment = read(&[
        (
            "compose.yaml",
            "include: [b.yaml]\nservices:\n  a: {image: x}\n",
        ),
        (
            "b.yaml",
            "include: [compose.yaml]\nservices:\n  b: {image: postgres:16}\n",
        ),
    ]);
    assert!(service(&deployment, "b").store.is_some());
    assert!(!deployment.problems.is_empty());
}

#[test]
fn what_cannot_be_read_is_a_problem() {
    let deployment = read(&[("compose.yaml", "services:\n  a: [\n")]);
    assert_eq!(deployment.problems.len(), 1);
    assert!(deployment.services.is_empty());
}

#[test]
fn files_that_are_not_read_leave_nothing_inside() {
    use std::collections::{BTreeMap, BTreeSet};

    use solvent_deploy::{bind, expose, route::Pattern};

    let reach = |more: &[(&str, &str)]| {
        let compose = ("compose.yaml", "services:\n  a: {build: .}\n");
        let deployment = read(&[&[compose], more].concat());
        let files = ["app.py".to_owned()];
        let bound = bind::bind(&deployment, &files, &BTreeMap::new(), &BTreeSet::new());
        expose::exposed(&deployment, &bound, "app.py", &Pattern::anything()).reach
    };
    assert_eq!(reach(&[]), Reach::Internal);
    assert_eq!(reach(&[("fly.toml", "app = 'a'\n")]), Reach::Unknown);
    assert_eq!(
        reach(&[("app.yaml", "runtime: python312\n")]),
        Reach::Unknown
    );
    assert_eq!(
        reach(&[("app.yaml", "title: no platform's\n")]),
        Reach::Internal
    );
    let chart = [
        ("chart/Chart.yaml", ""),
        (
            "chart/templates/s.yaml",
            "apiVersion: v1\nkind: Service\nspec: {{ include \"x\" . }}\n",
        ),
    ];
    assert_eq!(reach(&chart), Reach::Unknown);
    // Compose files are known by what is in them too.
    let stack = (
        "docker-stack.yml",
        "services:\n  a:\n    build: .\n    ports: ['80:80']\n",
    );
    assert_eq!(reach(&[stack]), Reach::Public);
}

#[test]
fn an_overlay_that_makes_a_service_public_counts() {
    let base = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    metadata: {labels: {app: a}}\n    \
        spec:\n      containers: [{name: a, image: x/a}]\n---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  \
        selector: {app: a}\n";
    let patch = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: LoadBalancer}\n";
    let reach = |files: &[(&str, &str)]| {
        let deployment = read(files);
        let doors = &service(&deployment, "a").doors;
        doors.iter().map(|door| door.reach).min()
    };
    assert_eq!(reach(&[("base/a.yaml", base)]), Some(Reach::Internal));
    let both = [("base/a.yaml", base), ("overlays/prod/a.yaml", patch)];
    assert_eq!(reach(&both), Some(Reach::Public));
}
