//! The few sentences that the trees are made of, in each language.

/// A language that is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tongue {
    Python,
    JavaScript,
    Go,
    Java,
}

impl Tongue {
    pub const ALL: [Self; 4] = [Self::Python, Self::JavaScript, Self::Go, Self::Java];

    /// Its folder below `fixtures`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Go => "go",
            Self::Java => "java",
        }
    }

    /// The name of a file of this stem.
    pub fn file(self, stem: &str) -> String {
        let extension = match self {
            Self::Python => "py",
            Self::JavaScript => "js",
            Self::Go => "go",
            Self::Java => "java",
        };
        format!("{stem}.{extension}")
    }

    /// A file of these definitions, imports apart.
    pub fn unit(self, class: &str, definitions: &str) -> String {
        match self {
            Self::Python | Self::JavaScript => definitions.to_owned(),
            Self::Go => format!("package app\n{definitions}"),
            Self::Java => format!("package app;\npublic class {class} {{\n{definitions}}}\n"),
        }
    }

    /// A function of these parameters; every line is one statement, as [`Self::set`] and its like make them.
    pub fn function(self, name: &str, parameters: &[&str], lines: &[String]) -> String {
        let mut out = match self {
            Self::Python => format!("def {name}({}):\n", parameters.join(", ")),
            Self::JavaScript => format!("function {name}({}) {{\n", parameters.join(", ")),
            Self::Go => {
                let typed: Vec<String> = parameters.iter().map(|p| format!("{p} string")).collect();
                format!("func {name}({}) string {{\n", typed.join(", "))
            }
            Self::Java => {
                let typed: Vec<String> = parameters.iter().map(|p| format!("String {p}")).collect();
                format!("static String {name}({}) {{\n", typed.join(", "))
            }
        };
        for line in lines {
            if self == Self::Python {
                out.push_str("    ");
            }
            out.push_str(line);
            out.push('\n');
        }
        match self {
            Self::Python if lines.is_empty() => out.push_str("    pass\n"),
            Self::Python => {}
            _ => out.push_str("}\n"),
        }
        out
    }

    fn ended(self, statement: String) -> String {
        match self {
            Self::Python | Self::Go => statement,
            Self::JavaScript | Self::Java => statement + ";",
        }
    }

    pub fn set(self, name: &str, value: &str) -> String {
        self.ended(format!("{name} = {value}"))
    }

    /// A new variable.
    pub fn let_(self, name: &str, value: &str) -> String {
        match self {
            Self::Python => format!("{name} = {value}"),
            Self::JavaScript => format!("var {name} = {value};"),
            Self::Go => format!("var {name} = {value}"),
            Self::Java => format!("String {name} = {value};"),
        }
    }

    pub fn say(self, expression: &str) -> String {
        self.ended(expression.to_owned())
    }

    pub fn return_(self, value: &str) -> String {
        self.ended(format!("return {value}"))
    }

    /// One statement under a condition, on one line.
    pub fn when(self, condition: &str, statement: &str) -> String {
        match self {
            Self::Python => format!("if {condition}: {statement}"),
            Self::JavaScript | Self::Java => format!("if ({condition}) {{ {statement} }}"),
            Self::Go => format!("if {condition} {{ {statement} }}"),
        }
    }

    /// A function without a name, as a value.
    pub fn lambda(self, value: &str) -> String {
        match self {
            Self::Python => format!("lambda: {value}"),
            Self::JavaScript => format!("function () {{ return {value}; }}"),
            Self::Go => format!("func() interface{{}} {{ return {value} }}"),
            Self::Java => format!("() -> {value}"),
        }
    }

    /// A class of this base.
    pub fn class(self, name: &str, base: &str) -> String {
        match self {
            Self::Python => {
                format!("class {name}({base}):\n    def m(self, a):\n        return self.m(a)\n")
            }
            Self::JavaScript => {
                format!("class {name} extends {base} {{ m(a) {{ return super.m(a); }} }}\n")
            }
            Self::Go => format!(
                "type {name} struct {{ *{base} }}\nfunc (x *{name}) m(a string) string {{ return x.{base}.m(a) }}\n"
            ),
            Self::Java => format!(
                "static class {name} extends {base} {{ String m(String a) {{ return super.m(a); }} }}\n"
            ),
        }
    }

    /// What makes the file a program with a route, which hands `call(input)` to a shell; `definitions` beside it.
    pub fn application(self, definitions: &str, routes: &[(String, String)]) -> String {
        let mut out = match self {
            Self::Python => "import os\nfrom flask import Flask, request\napp = Flask(__name__)\n".to_owned(),
            Self::JavaScript => "const express = require('express');\nconst cp = require('child_process');\nconst app = express();\n".to_owned(),
            Self::Go => "package app\nimport (\n\"net/http\"\n\"os/exec\"\n)\n".to_owned(),
            Self::Java => "package app;\nimport org.springframework.web.bind.annotation.*;\n@RestController\npublic class Main {\n".to_owned(),
        };
        out.push_str(definitions);
        if self == Self::Go {
            out.push_str("func main() {\n");
        }
        for (name, call) in routes {
            out.push_str(&match self {
                Self::Python => format!("@app.route('/{name}')\ndef {name}():\n    a = request.args['a']\n    os.system({call})\n    return a\n"),
                Self::JavaScript => format!("app.get('/{name}', function (req, res) {{ const a = req.query.a; cp.exec({call}); res.end(); }});\n"),
                Self::Go => format!("http.HandleFunc(\"/{name}\", func(w http.ResponseWriter, r *http.Request) {{ a := r.URL.Query().Get(\"a\"); exec.Command(\"sh\", \"-c\", {call}).Run() }})\n"),
                Self::Java => format!("@GetMapping(\"/{name}\") String {name}(@RequestParam String a) throws Exception {{ Runtime.getRuntime().exec({call}); return a; }}\n"),
            });
        }
        if matches!(self, Self::Go | Self::Java) {
            out.push_str("}\n");
        }
        out
    }
}
