use super::*;

const WHOLE: &str = r#"
[target]
root = "bad"
python = "3.11"
[target.prepare]
dependencies = ["Flask==2.0.3"]
setup = ["python db_init.py", ["sh", "-c", "true"]]
as_of = 2021-06-01
[target.start]
app = "vulpy:app"
port = 5000
env = { MODE = "test" }
[login]
path = "/user/login"
fields = { username = "admin", password = "hunter2" }
check = { cookie = "vulpy_session" }
"#;

#[test]
fn a_whole_recipe_is_read() {
    let partial = parse(WHOLE.as_bytes()).expect("reads");
    assert_eq!(partial.root.as_deref(), Some("bad"));
    assert_eq!(partial.setup.as_ref().map(Vec::len), Some(2));
    assert_eq!(partial.as_of.as_deref(), Some("2021-06-01"));
    assert_eq!(
        partial.start,
        Some(Start::App {
            module: "vulpy".into(),
            variable: "app".into(),
            factory: false
        })
    );
    assert_eq!(
        partial.login.and_then(|l| l.cookie).as_deref(),
        Some("vulpy_session")
    );
}

#[test]
fn an_unknown_key_is_named_with_its_nearest_neighbour() {
    for (text, wanted) in [
        ("[traget]\n", "did you mean `target`"),
        ("[target]\npyhton = \"3\"\n", "did you mean `python`"),
        ("[target.start]\nap = \"a:b\"\n", "did you mean `app`"),
        ("[login]\nfeilds = {}\n", "did you mean `fields`"),
        (
            "[target.prepare]\nwhatever = 1\n",
            "unknown key `target.prepare.whatever`",
        ),
    ] {
        let message = parse(text.as_bytes()).expect_err(text).to_string();
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn a_recipe_cut_in_half_never_panics_and_a_broken_one_says_so() {
    for end in 0..WHOLE.len() {
        let _ = parse(&WHOLE.as_bytes()[..end]);
    }
    let message = parse(b"[target.start\napp = \"a")
        .expect_err("cut")
        .to_string();
    assert!(message.contains("not whole or not TOML"), "{message}");
}

#[test]
fn a_recipe_cannot_leave_its_repository_or_pass_options_to_pip() {
    for text in [
        "[target]\nroot = \"../x\"\n",
        "[target.start]\nscript = \"/etc/x.py\"\n",
        "[target.prepare]\ndependencies = [\"--index-url=http://x\"]\n",
        "[target.start]\napp = \"a:b; import os\"\n",
    ] {
        assert!(
            matches!(parse(text.as_bytes()), Err(RecipeError::Value { .. })),
            "{text}"
        );
    }
}

#[test]
fn two_ways_to_start_are_refused() {
    let text = "[target.start]\napp = \"a:b\"\nscript = \"x.py\"\n";
    assert!(parse(text.as_bytes()).is_err_and(|e| e.to_string().contains("one way")));
}

#[test]
fn other_tables_are_left_to_others_and_size_is_capped() {
    assert!(parse(b"[policy]\nx = 1\n").is_ok());
    assert!(matches!(
        parse(&vec![b'#'; MAX_BYTES + 1]),
        Err(RecipeError::TooLarge { .. })
    ));
    assert_eq!(parse(&[0xff]), Err(RecipeError::Encoding));
}
