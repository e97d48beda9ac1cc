//! Patches from outside: tried like our own, and never a way to write anywhere.

use std::fs;

use serde_json::Value;

use crate::harness::Ran;
use crate::office::{APP, FLAW, Office, REPAIRED, Stage, check, text};

fn rejected(ran: Ran, by: &str) -> Value {
    let change = ran.expect(1).json();
    assert_eq!(change["verification"]["verdict"], "rejected", "{change:#}");
    let (result, reason) = check(&change, by);
    assert_eq!(result, "failed", "{by}: {:#}", change["verification"]);
    assert!(!reason.is_empty());
    assert!(change["not_proposed"].is_string());
    change
}

fn decided(change: &Value, by: &str) {
    let (_, reason) = check(change, by);
    assert_eq!(
        change["verification"]["reason"], reason,
        "{:#}",
        change["verification"]
    );
}

#[test]
fn an_honest_patch_by_hand_is_verified_and_waits_for_people() {
    let office = Office::at(Stage::Proven);
    let app = APP.replace(
        FLAW,
        "wanted = (name,)\n    cursor.execute(\"SELECT room FROM people WHERE name = ?\", wanted)",
    );
    office.repo.write("app.py", app.as_bytes());
    let change = office.propose().expect(0).json();
    assert_eq!(change["verification"]["verdict"], "verified", "{change:#}");
    assert_eq!(
        (
            &change["origin"],
            &change["disposition"],
            &change["not_proposed"]
        ),
        (&"outside".into(), &"needs_review".into(), &Value::Null)
    );
    assert_eq!(check(&change, "family").0, "passed");
    assert_eq!(office.source(), APP, "the checkout is as it was");
}

#[test]
fn sabotage_is_rejected_by_the_check_that_tells_most() {
    let office = Office::at(Stage::Proven);
    let give = |app: String| {
        office.repo.write("app.py", app.as_bytes());
        office.propose()
    };
    let words = rejected(
        give(APP.replace("    cursor.execute(", "    # repaired\n    cursor.execute(")),
        "attack_fails",
    );
    decided(&words, "attack_fails");
    let closed = APP.replace(
        "        query = parse_qs",
        "        self.send_error(404)\n        return\n        query = parse_qs",
    );
    decided(&rejected(give(closed), "twin_works"), "twin_works");
    let listed = APP.replace(
        "        body = ",
        "        if \"select\" in name.lower() or \"--\" in name:\n            name = \"\"\n        body = ",
    );
    let change = rejected(give(listed), "family");
    assert_eq!(check(&change, "scope").0, "passed", "{change:#}");
}

#[test]
fn a_patch_does_one_thing_and_never_touches_its_judges() {
    let office = Office::at(Stage::Proven);
    let repo = &office.repo;
    let repaired = APP
        .replace(FLAW, REPAIRED)
        .replace("('bo', '7')", "('bo', '8')");
    let judges: [(&str, &[u8]); 4] = [
        (
            "solvent-policy/governance.toml",
            b"[quorum]\nlow = 1\nmedium = 1\nhigh = 1\n",
        ),
        (
            "solvent-policy/more.cedar",
            b"permit (principal, action, resource);\n",
        ),
        (
            "solvent.toml",
            b"[target.start]\ncommand = [\"true\"]\nport = 8099\n",
        ),
        ("test_app.py", b"def test_nothing():\n    pass\n"),
    ];
    repo.write("app.py", repaired.as_bytes());
    for (path, content) in judges {
        repo.write(path, content);
    }
    let change = rejected(office.propose(), "scope");
    assert_eq!(check(&change, "attack_fails").0, "passed");
    let checks = change["verification"]["checks"].as_array().expect("checks");
    let scope = checks
        .iter()
        .find(|c| c["name"] == "scope")
        .expect("a check");
    let told = scope["detail"].to_string();
    for named in judges.iter().map(|(path, _)| *path).chain(["database"]) {
        assert!(told.contains(named), "no `{named}` in {told}");
    }
    let reasons = change["risk"]["reasons"].to_string();
    assert!(reasons.contains("solvent-policy"), "{reasons}");
    assert_eq!(office.source(), APP);
}

#[test]
fn patches_that_are_none_are_usage_errors_and_write_nothing() {
    let office = Office::at(Stage::Proven);
    let repo = &office.repo;
    let files = || {
        let mut names: Vec<String> = fs::read_dir(repo.path().join(".."))
            .expect("a folder")
            .chain(fs::read_dir(repo.path()).expect("a folder"))
            .chain(fs::read_dir(repo.path().join(".git/hooks")).expect("a folder"))
            .map(|e| e.expect("an entry").path().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    office.propose_bytes(b"").expect(2);
    let before = files();
    let adds = |path: &str| {
        format!(
            "diff --git a/{path} b/{path}\nnew file mode 100755\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+echo mine\n"
        )
    };
    let link = "diff --git a/out b/out\nnew file mode 120000\n--- /dev/null\n+++ b/out\n@@ -0,0 +1 @@\n+../../escape\n\\ No newline at end of file\n\
                diff --git a/out/x b/out/x\nnew file mode 100644\n--- /dev/null\n+++ b/out/x\n@@ -0,0 +1 @@\n+mine\n";
    let mut huge = b"diff --git a/app.py b/app.py\n".to_vec();
    huge.resize(64 << 20, b'+');
    let line = format!("    {FLAW}");
    let crlf = format!(
        "diff --git a/app.py b/app.py\r\n--- a/app.py\r\n+++ b/app.py\r\n@@ -19 +19 @@\r\n-{line}\r\n+    {REPAIRED}\r\n"
    );
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", b"this is no patch\n".to_vec()),
        ("bytes", (0..=255).collect()),
        ("huge", huge),
        ("upwards", adds("../escape.sh").into_bytes()),
        ("absolute", adds("/tmp/solvent-it-escape.sh").into_bytes()),
        ("hooks", adds(".git/hooks/post-commit").into_bytes()),
        ("hooks by another name", adds(".GIT/hooks/post-commit").into_bytes()),
        ("through a link", link.as_bytes().to_vec()),
        ("a submodule", b"diff --git a/sub b/sub\nnew file mode 160000\nindex 0000000..1111111\n--- /dev/null\n+++ b/sub\n@@ -0,0 +1 @@\n+Subproject commit 1111111111111111111111111111111111111111\n".to_vec()),
        ("line ends", crlf.into_bytes()),
        ("a cache", adds("__pycache__/app.cpython-311.pyc").into_bytes()),
        ("our own folder", adds(".solvent/ledger/head").into_bytes()),
        ("an environment", adds("env/pyvenv.cfg").into_bytes()),
        ("a link", link.split("diff --git a/out/x").next().unwrap_or_default().as_bytes().to_vec()),
        ("elsewhere", adds("new.py").replace("+++ b/new.py", "+++ b/app.py").into_bytes()),
        ("bytes of a program", b"diff --git a/x.bin b/x.bin\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..f76dd238ade08917e6712764a16a22005a50573d\nGIT binary patch\nliteral 1\nIcmZPo000310RR91\n\nliteral 0\nHcmV?d00001\n\n".to_vec()),
        ("binary", b"diff --git a/x.bin b/x.bin\nnew file mode 100644\nindex 0000000..0123456\nBinary files /dev/null and b/x.bin differ\n".to_vec()),
    ];
    for (name, patch) in cases {
        let ran = office.propose_bytes(&patch);
        assert_eq!(ran.code, 2, "{name}:\n{}\n{}", ran.out, ran.err);
        assert!(ran.err.contains("next:"), "{name}:\n{}", ran.err);
        assert_eq!(files(), before, "{name}");
    }
    repo.run(&["propose", &office.finding, "--patch", "nowhere.patch"])
        .expect(2)
        .says("cannot read the patch");
    repo.run(&["propose", "ffffffff", "--patch", "../a.patch"])
        .expect(2);
    assert!(!std::path::Path::new("/tmp/solvent-it-escape.sh").exists());
    assert_eq!(repo.git_says(&["status", "--porcelain"]), "");
    assert_eq!(
        text(&repo.run(&["changes", "--json"]).json()["changes"][0]),
        ""
    );
    office.ledger_is_sound();
}
