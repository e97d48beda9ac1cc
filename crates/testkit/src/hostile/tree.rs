//! Trees of one evil each, at any size: 100,000 is what the bar asks for, a test takes a few hundred.

use std::fmt::Write as _;

use super::Tongue;

/// A tree of files that wants to break a reader.
#[derive(Clone, Debug)]
pub struct Tree {
    pub name: &'static str,
    /// Names below the tree and what the files hold.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether there is something to be found in it: who does not find it has to say that the search was cut.
    pub must_tell: bool,
}

impl Tree {
    pub fn bytes(&self) -> usize {
        self.files.iter().map(|(_, text)| text.len()).sum()
    }

    pub fn lines(&self) -> usize {
        let lines = |text: &[u8]| 1 + text.iter().filter(|b| **b == b'\n').count();
        self.files.iter().map(|(_, text)| lines(text)).sum()
    }
}

fn one(tongue: Tongue, name: &'static str, text: String) -> Tree {
    Tree {
        name,
        files: vec![(tongue.file("app/Main"), text.into_bytes())],
        must_tell: false,
    }
}

fn telling(tree: Tree) -> Tree {
    Tree {
        must_tell: true,
        ..tree
    }
}

/// What one program hands to a shell through `call(a)`, with these functions beside it.
fn served(tongue: Tongue, name: &'static str, definitions: &str, call: &str) -> Tree {
    let routes = [("run".to_owned(), call.to_owned())];
    one(tongue, name, tongue.application(definitions, &routes))
}

/// All trees of a language; sizes are counts of what is repeated.
pub fn all(tongue: Tongue, size: usize) -> Vec<Tree> {
    let mut out = nested(tongue, size);
    out.extend(long(tongue, size));
    out.extend(many(tongue, size));
    out.extend(circles(tongue, size));
    out.extend(bundles(tongue, size));
    out
}

/// What goes deep.
fn nested(tongue: Tongue, size: usize) -> Vec<Tree> {
    let expression = |name, value: String| {
        let lines = [tongue.let_("x", &value), tongue.return_("x")];
        served(tongue, name, &tongue.function("f", &["a"], &lines), "f(a)")
    };
    let around = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(size), close.repeat(size))
    };
    let (no, list, map) = match tongue {
        Tongue::Python => ("not ", ("[", "]"), ("{1:", "}")),
        Tongue::JavaScript => ("!", ("[", "]"), ("{a:", "}")),
        Tongue::Go => ("!", ("[]any{", "}"), ("map[string]any{\"a\":", "}")),
        Tongue::Java => ("!", ("List.of(", ")"), ("Map.of(1,", ")")),
    };
    let mut out = vec![
        telling(expression("parentheses", around("(", "a", ")"))),
        telling(expression("a sum", format!("a{}", " + a".repeat(size)))),
        expression("calls inside calls", around("f(", "a", ")")),
        expression("indexes inside indexes", around("a[", "a", "]")),
        expression("lists inside lists", around(list.0, "a", list.1)),
        expression("maps inside maps", around(map.0, "a", map.1)),
        expression("no no no", format!("{}a", no.repeat(size))),
        expression("a comparison", format!("a{}", " == a".repeat(size))),
        expression(
            "attributes of attributes",
            format!("a{}", ".b".repeat(size)),
        ),
        expression(
            "calls of what calls give",
            format!("f{}", "(a)".repeat(size)),
        ),
        expression(
            "methods of what methods give",
            format!("a{}", ".f(a)".repeat(size)),
        ),
        expression("only opened", "([{".repeat(size)),
        expression("only closed", ")]}".repeat(size)),
    ];
    // Functions inside functions: lines of a language that indents grow with their depth.
    let deep = match tongue {
        Tongue::Python => size.min(1_000),
        _ => size,
    };
    let mut blocks = String::new();
    let mut functions = String::new();
    for depth in 0..deep {
        let (indent, open, inner) = match tongue {
            Tongue::Python => (
                " ".repeat(depth),
                "if x:".to_owned(),
                format!("def f{depth}(a{depth}):"),
            ),
            Tongue::JavaScript => (
                String::new(),
                "if (x) {".to_owned(),
                format!("function f{depth}(a{depth}) {{"),
            ),
            Tongue::Go => (
                String::new(),
                "if x {".to_owned(),
                format!("f{depth} := func(a{depth} string) {{"),
            ),
            Tongue::Java => (
                String::new(),
                "if (x) {".to_owned(),
                format!("Function<String, Object> f{depth} = a{depth} -> {{"),
            ),
        };
        let _ = writeln!(blocks, " {indent}{open}");
        let _ = writeln!(functions, " {indent}{inner}");
    }
    let indent = " ".repeat(if tongue == Tongue::Python { deep } else { 0 });
    let _ = writeln!(blocks, " {indent}{}", tongue.say("f(x)"));
    let all: Vec<String> = (0..deep.min(500)).map(|d| format!("a{d}")).collect();
    let _ = writeln!(
        functions,
        " {indent}{}",
        tongue.say(&format!("f({})", all.join(", ")))
    );
    if tongue != Tongue::Python {
        blocks.push_str(&"}\n".repeat(deep));
        functions.push_str(&"}\n".repeat(deep));
    }
    for (name, body) in [
        ("blocks inside blocks", blocks),
        ("functions inside functions", functions),
    ] {
        let text = tongue.function("f", &["x"], &["@".to_owned()]);
        let text = text.replace("    @\n", &body).replace("@\n", &body);
        out.push(served(tongue, name, &text, "f(a)"));
    }
    out
}

/// What is long.
fn long(tongue: Tongue, size: usize) -> Vec<Tree> {
    let body = |name, line: &dyn Fn(usize) -> String, count: usize| {
        let mut lines = vec![tongue.let_("x", "a")];
        lines.extend((0..count).map(line));
        lines.push(tongue.return_("x"));
        served(tongue, name, &tongue.function("f", &["a"], &lines), "f(a)")
    };
    let text = |count: usize| format!("\"{}\"", "z".repeat(count));
    let items = |count: usize| "\"abc\", ".repeat(count);
    let list = match tongue {
        Tongue::Python | Tongue::JavaScript => format!("[{}]", items(size)),
        Tongue::Go => format!("[]string{{{}}}[0]", items(size)),
        Tongue::Java => format!("List.of({} \"\").get(0)", items(size)),
    };
    let mut map = String::new();
    for i in 0..size {
        let _ = match tongue {
            Tongue::Go | Tongue::Python | Tongue::JavaScript => write!(map, "\"k{i}\": a, "),
            Tongue::Java => write!(map, "\"k{i}\", a, "),
        };
    }
    let map = match tongue {
        Tongue::Python | Tongue::JavaScript => format!("{{{map}}}[\"k1\"]"),
        Tongue::Go => format!("map[string]string{{{map}}}[\"k1\"]"),
        Tongue::Java => format!("Map.of({map} \"\", \"\").get(\"k1\")"),
    };
    let arguments = "a, ".repeat(size) + "a";
    vec![
        body("a long text", &|_| tongue.set("x", &text(size * 20)), 1),
        body("a long number", &|_| tongue.set("x", &"9".repeat(size)), 1),
        body(
            "a long name",
            &|_| tongue.set("x", &"z".repeat(size * 20)),
            1,
        ),
        body("a long list", &|_| tongue.set("x", &list), 1),
        body("a long map", &|_| tongue.set("x", &map), 1),
        body(
            "many arguments",
            &|_| tongue.set("x", &format!("f({arguments})")),
            1,
        ),
        body(
            "set again and again",
            &|i| tongue.set("x", &format!("\"{i}\"")),
            size,
        ),
        body("grown again and again", &|_| tongue.set("x", "x + a"), size),
        body(
            "set under conditions",
            &|i| tongue.when(&format!("a == \"{i}\""), &tongue.set("x", "f(x)")),
            size / 2,
        ),
        body(
            "returned under conditions",
            &|i| tongue.when(&format!("a == \"{i}\""), &tongue.return_("x")),
            size / 2,
        ),
        body(
            "changed again and again",
            &|_| tongue.say("x.append(a)"),
            size,
        ),
        body(
            "many variables",
            &|i| tongue.let_(&format!("x{i}"), "f(a)"),
            size,
        ),
        at_the_top(tongue, size),
    ]
}

/// Statements of a file itself, or fields where it holds none.
fn at_the_top(tongue: Tongue, size: usize) -> Tree {
    let mut definitions = tongue.function("g", &["a"], &[tongue.return_("a")]);
    let mut field = |i: usize, value: &str| {
        let _ = match tongue {
            Tongue::Python => writeln!(
                definitions,
                "x = {value}\nif g(x): x = g(x + \"{i}\")\nx.append(g)"
            ),
            Tongue::JavaScript => writeln!(
                definitions,
                "var x = {value};\nif (g(x)) {{ x = g(x + \"{i}\"); }}\nx.push(g);"
            ),
            Tongue::Go => writeln!(definitions, "var x{i} = {value}"),
            Tongue::Java => writeln!(
                definitions,
                "static String x{i} = {value};\nstatic {{ x{i} = g(x{i}); }}"
            ),
        };
    };
    for i in 0..size / 4 {
        field(i, "g(\"1\")");
    }
    served(tongue, "statements of the file", &definitions, "g(a)")
}

/// What is many.
fn many(tongue: Tongue, size: usize) -> Vec<Tree> {
    let few = size / 10;
    let mut out = Vec::new();
    // Everybody calls twenty others, none of them a leaf.
    let mut definitions = String::new();
    for i in 0..few {
        let lines: Vec<String> = (1..=20)
            .map(|n| {
                tongue.let_(
                    &format!("x{n}"),
                    &format!("g{}(a)", (i * 7 + n * n) % few.max(1)),
                )
            })
            .chain([tongue.return_("x1 + x20")])
            .collect();
        definitions.push_str(&tongue.function(&format!("g{i}"), &["a"], &lines));
    }
    out.push(served(
        tongue,
        "functions that call twenty others",
        &definitions,
        "g0(a)",
    ));
    // Routes.
    let routes: Vec<(String, String)> = (0..few)
        .map(|i| (format!("r{i}"), "g(a)".to_owned()))
        .collect();
    let plain = tongue.function("g", &["a"], &[tongue.return_("a")]);
    out.push(one(tongue, "routes", tongue.application(&plain, &routes)));
    // Functions as values that functions take.
    let mut definitions = String::new();
    for i in 0..few {
        let callee = format!("h{}", i + 1);
        let lines = [tongue.return_(&format!("{callee}({})", tongue.lambda("a")))];
        definitions.push_str(&tongue.function(&format!("h{i}"), &["a"], &lines));
    }
    definitions.push_str(&tongue.function(&format!("h{few}"), &["a"], &[tongue.return_("a()")]));
    out.push(served(
        tongue,
        "functions that wrap functions",
        &definitions,
        "h0(a)",
    ));
    // Texts of many parts that branches multiply.
    let lines: Vec<String> = [tongue.let_("x", "\"\"")]
        .into_iter()
        .chain((0..few).flat_map(|i| {
            let condition = format!("a == \"{i}\"");
            [tongue.when(&condition, &tongue.set("x", &format!("x + \"{i}\" + a")))]
        }))
        .chain([tongue.return_("x")])
        .collect();
    let definitions = tongue.function("f", &["a"], &lines);
    out.push(served(
        tongue,
        "texts that branches multiply",
        &definitions,
        "f(a)",
    ));
    // One file each.
    let mut files = Vec::new();
    for i in 0..few / 4 {
        let class = format!("M{i}");
        let definitions = tongue.function("f", &["a"], &[tongue.return_("a")]);
        files.push((
            tongue.file(&format!("app/{class}")),
            tongue.unit(&class, &definitions).into_bytes(),
        ));
    }
    out.push(Tree {
        name: "files",
        files,
        must_tell: false,
    });
    out
}

/// What leads back to itself.
fn circles(tongue: Tongue, size: usize) -> Vec<Tree> {
    let few = size / 10;
    let mut out = Vec::new();
    let mut definitions = String::new();
    for i in 0..few {
        let next = (i + 1) % few.max(1);
        let lines = [
            tongue.let_("x", &format!("c{next}(a + \"{i}\")")),
            tongue.when("a == \"\"", &tongue.return_("a")),
            tongue.return_("x"),
        ];
        definitions.push_str(&tongue.function(&format!("c{i}"), &["a"], &lines));
    }
    out.push(served(
        tongue,
        "functions that call each other in a circle",
        &definitions,
        "c0(a)",
    ));
    let mut definitions = String::new();
    for i in 0..few {
        definitions
            .push_str(&tongue.class(&format!("C{i}"), &format!("C{}", (i + 1) % few.max(1))));
    }
    definitions.push_str(&tongue.class("S", "S"));
    let call = match tongue {
        Tongue::Python => "C0().m(a)",
        Tongue::JavaScript | Tongue::Java => "new C0().m(a)",
        Tongue::Go => "(&C0{}).m(a)",
    };
    out.push(served(
        tongue,
        "classes that inherit in a circle",
        &definitions,
        call,
    ));
    // Files.
    let files = (size / 100).max(3);
    let mut tree = Vec::new();
    for i in 0..files {
        let (next, after) = ((i + 1) % files, (i * 3 + 1) % files);
        let text = match tongue {
            Tongue::Python => format!(
                "from app.m{next} import *\nfrom app.m{after} import f{after}, g as h\nimport app.m{i}\ndef f{i}(a):\n    return f{next}(a) + h(a)\nx{i} = f{next}(y)\n"
            ),
            Tongue::JavaScript => format!(
                "export * from './m{next}';\nexport {{ f{after} as g, default }} from './m{after}';\nimport * as all from './m{i}';\nimport {{ f{next}, g }} from './m{next}';\nexport function f{i}(a) {{ return f{next}(a) + g(a) + all.f{after}(a); }}\nexport const x{i} = f{next}(1);\n"
            ),
            Tongue::Go => format!(
                "package p{i}\nimport \"app/p{next}\"\nimport . \"app/p{after}\"\nfunc F(a string) string {{ return p{next}.F(a) }}\nvar X = p{next}.X\n"
            ),
            Tongue::Java => format!(
                "package p{i};\nimport p{next}.*;\nimport static p{after}.M{after}.*;\npublic class M{i} extends M{next} {{ static String f(String a) {{ return M{next}.f(a); }} static String x = M{next}.x; }}\n"
            ),
        };
        let name = match tongue {
            Tongue::Python | Tongue::JavaScript => tongue.file(&format!("app/m{i}")),
            Tongue::Go => tongue.file(&format!("p{i}/m")),
            Tongue::Java => tongue.file(&format!("p{i}/M{i}")),
        };
        tree.push((name, text.into_bytes()));
    }
    if tongue == Tongue::Go {
        tree.push(("go.mod".to_owned(), b"module app\n".to_vec()));
    }
    out.push(Tree {
        name: "files that import each other in a circle",
        files: tree,
        must_tell: false,
    });
    // Values that hold themselves.
    let lines: Vec<String> = (0..few)
        .map(|i| match tongue {
            Tongue::Python => format!("x = {{\"k{i}\": x, \"f\": lambda: x, \"a\": [x, a]}}"),
            Tongue::JavaScript => format!("x = {{ k{i}: x, f: () => x, a: [x, a] }};"),
            Tongue::Go => format!("x = map[string]any{{\"k{i}\": x, \"f\": func() any {{ return x }}, \"a\": []any{{x, a}}}}"),
            Tongue::Java => format!("x = Map.of(\"k{i}\", x, \"f\", () -> x, \"a\", List.of(x, a));"),
        })
        .collect();
    let lines: Vec<String> = [tongue.let_("x", "a")]
        .into_iter()
        .chain(lines)
        .chain([tongue.return_("x")])
        .collect();
    let definitions = tongue.function("f", &["a"], &lines);
    out.push(served(
        tongue,
        "values that hold themselves",
        &definitions,
        "f(a)",
    ));
    out
}

/// What programs write: one function around thousands that share its variables, and everything on one line.
fn bundles(tongue: Tongue, size: usize) -> Vec<Tree> {
    let few = size / 10;
    let mut inner = String::new();
    for i in 0..few {
        let (a, b) = ((i * 31 + 7) % few.max(1), (i * 17 + 3) % few.max(1));
        let _ = match tongue {
            Tongue::Python => writeln!(
                inner,
                "    v{i} = {{}}\n    def f{i}(a):\n        nonlocal v{b}\n        v{b} = f{a}\n        return f{b}(v{a}, a)"
            ),
            Tongue::JavaScript => writeln!(
                inner,
                "var v{i} = {{}};\nfunction f{i}(a) {{ v{b} = f{a}; return f{b}(v{a}, a); }}\nv{i}.run = f{i};"
            ),
            Tongue::Go => writeln!(
                inner,
                "var v{i} any\nvar f{i} func(a any) any\nf{i} = func(a any) any {{ v{b} = f{a}; return f{b}(v{a}) }}"
            ),
            Tongue::Java => writeln!(
                inner,
                "Object v{i} = null;\nFunction<Object, Object> f{i} = a -> {{ v{b} = f{a}; return f{b}.apply(v{a}); }};"
            ),
        };
    }
    let (wrapped, call) = match tongue {
        Tongue::Python => (
            format!("def bundle():\n{inner}    return f0\n"),
            "bundle()(a)",
        ),
        Tongue::JavaScript => (
            format!("var lib = (function () {{\n{inner}return {{ f: f0 }};\n}})();\n"),
            "lib.f(a)",
        ),
        Tongue::Go => (
            format!("func bundle() func(any) any {{\n{inner}return f0\n}}\n"),
            "bundle()(a)",
        ),
        Tongue::Java => (
            format!("static Function<Object, Object> bundle() {{\n{inner}return f0;\n}}\n"),
            "bundle().apply(a)",
        ),
    };
    let around = served(tongue, "functions that share all variables", &wrapped, call);
    let line = match tongue {
        Tongue::Python => "x=f(x);",
        Tongue::JavaScript => "x=function(a,b){return f(a,x)};",
        Tongue::Go => "x=f(x);",
        Tongue::Java => "x=f(x);",
    };
    let mut minified = tongue.function("f", &["a"], &[tongue.return_("a")]);
    let bytes = size * 500;
    let body = line.repeat(bytes / line.len());
    minified.push_str(&tongue.function("g", &["x"], &[body]));
    let minified = Tree {
        name: "a bundle on one line",
        files: vec![(
            tongue.file("app/bundle"),
            tongue.unit("bundle", &minified).into_bytes(),
        )],
        must_tell: true,
    };
    // As long as it may be to be read.
    let bytes = size * 60;
    let body = line.repeat(bytes / line.len());
    let lines = [body, tongue.return_("x")];
    let definitions = tongue.function("f", &["x"], &lines);
    vec![
        around,
        minified,
        served(tongue, "one line that is just read", &definitions, "f(a)"),
    ]
}
