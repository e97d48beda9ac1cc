//! What is said of each function: that something runs it, that nothing does, or that this is not known.

use std::collections::BTreeMap;

use solvent_base::{FilePath, Interner};
use solvent_models::ModelSet;
use solvent_taint::Limits;

/// The verdict on each function by its name, and the labels of the entry points.
fn standings(files: &[(&str, &str)]) -> (BTreeMap<String, String>, Vec<String>) {
    let names = Interner::new();
    let units: Vec<_> = files
        .iter()
        .filter_map(|(path, text)| {
            let path = FilePath::new(path)?;
            Some(solvent_lang::lower(&path, text.as_bytes(), &names))
        })
        .collect();
    let (language, units) = solvent_graph::by_language(units).remove(0);
    let models = ModelSet::of(language);
    let mut graph = solvent_graph::build(units, models, &names);
    let text = |path: &FilePath| {
        let found = files.iter().find(|(known, _)| *known == path.as_str());
        found.map(|(_, text)| (*text).to_owned())
    };
    let limits = Limits::STANDARD;
    let (reach, all) = solvent_taint::reach_each(&mut graph, models, &names, &text, &limits);
    let verdicts = all
        .iter()
        .map(|one| {
            let symbol = graph.program.symbol(one.function, &names);
            (symbol.qualname, one.verdict.word().to_owned())
        })
        .collect();
    let entries = reach.entry_points.iter().map(|e| e.label()).collect();
    (verdicts, entries)
}

fn verdict<'v>(all: &'v BTreeMap<String, String>, name: &str) -> &'v str {
    all.get(name).map_or("not there", String::as_str)
}

#[test]
fn what_handlers_call_runs_and_what_nobody_calls_does_not() {
    let app = "
from flask import Flask
app = Flask(__name__)

class Store:
    def find(self):
        return self.query()
    def query(self):
        return 1

@app.route('/')
def index():
    return Store().find()

def forgotten():
    return helper()

def helper():
    return 2
";
    let (all, _) = standings(&[("app.py", app)]);
    for name in ["", "index", "Store.find", "Store.query"] {
        assert_eq!(verdict(&all, name), "reachable", "{name}");
    }
    for name in ["forgotten", "helper"] {
        assert_eq!(verdict(&all, name), "no_path", "{name}");
    }
}

#[test]
fn what_is_handed_to_a_library_is_taken_to_run() {
    let app = "
const express = require('express');
const cors = require('cors');
const app = express();
app.use(cors({ origin: function origin(from, done) { done(null, allowed(from)); } }));
function allowed(from) { return from !== ''; }
function never(from) { return from; }
app.get('/', function index(req, res) { res.json({}); });
app.listen(3000, function listening() { console.log('ready'); });
";
    let (all, _) = standings(&[("app.js", app)]);
    for name in ["origin", "allowed", "index", "listening"] {
        assert_eq!(verdict(&all, name), "reachable", "{name}");
    }
    assert_eq!(verdict(&all, "never"), "no_path");
}

#[test]
fn what_a_text_names_is_taken_to_run() {
    let settings = "
MIDDLEWARE = ['shop.middleware.Login']
CONTEXT = ['shop.context.branding']
def is_fixed(path):
    return path.endswith('.png')
FIXED = is_fixed
";
    let middleware = "
class Based:
    def process(self, request):
        return None
class Login(Based):
    def __init__(self, after):
        self.after = after
    def __call__(self, request):
        return self.after(request)
class Other:
    def __call__(self, request):
        return request
";
    let context = "
def branding(request):
    return {'name': name()}
def name():
    return 'a'
def unnamed(request):
    return {}
";
    let start = "
import os
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')
";
    let tests = "
from unittest.mock import patch
def test_it():
    with patch('shop.context.unnamed'):
        return 1
";
    let (all, _) = standings(&[
        ("shop/settings.py", settings),
        ("shop/middleware.py", middleware),
        ("shop/context.py", context),
        ("shop/tests.py", tests),
        ("manage.py", start),
    ]);
    for name in [
        "Based.process",
        "Login.__init__",
        "Login.__call__",
        "branding",
        "name",
        "is_fixed",
    ] {
        assert_eq!(verdict(&all, name), "reachable", "{name}");
    }
    for name in ["Other.__call__", "unnamed", "test_it"] {
        assert_eq!(verdict(&all, name), "no_path", "{name}");
    }
}

#[test]
fn tables_that_functions_fill_are_not_empty_below() {
    let app = "
BY_NAME = {}
ALL = []
def register(f):
    BY_NAME[f.__name__] = f
    ALL.append(f)
    return f
@register
def one():
    return 1
@register
def two():
    return 2
def never():
    return 3
for f in BY_NAME.values():
    f()
";
    let (all, _) = standings(&[("app.py", app)]);
    for name in ["one", "two"] {
        assert_eq!(verdict(&all, name), "reachable", "{name}");
    }
    assert_eq!(verdict(&all, "never"), "no_path");
    let app = "
const fs = require('fs');
const models = {};
fs.readdirSync(__dirname).filter((file) => file !== 'index.js').forEach((file) => { models[file] = 1; });
Object.keys(models).forEach(function each(name) { console.log(name); });
";
    let (all, _) = standings(&[("models/index.js", app)]);
    assert_eq!(verdict(&all, "each"), "reachable");
}

#[test]
fn files_of_a_folder_that_is_listed_are_taken_to_be_loaded() {
    let index = "
const fs = require('fs');
const path = require('path');
const { Sequelize } = require('sequelize');
const sequelize = new Sequelize(process.env.DATABASE_URL);
fs.readdirSync(__dirname).forEach((file) => { sequelize.import(path.join(__dirname, file)); });
";
    let user =
        "module.exports = function model(sequelize) { return sequelize.define('User', {}); };";
    let files = [
        ("models/index.js", index),
        ("models/user.js", user),
        (
            "old/thing.js",
            "module.exports = function unused() { return 1; };",
        ),
    ];
    let (all, _) = standings(&files);
    assert_eq!(verdict(&all, "model"), "reachable");
    assert_eq!(verdict(&all, "unused"), "no_path");
}

#[test]
fn a_function_put_into_a_library_s_object_may_run() {
    let app = "
import json
import flask
def encode(value):
    return str(value)
def other(value):
    return value
json.JSONEncoder.default = encode
";
    let (all, _) = standings(&[("app.py", app)]);
    assert_eq!(verdict(&all, "encode"), "reachable");
    assert_eq!(verdict(&all, "other"), "no_path");
}

#[test]
fn what_only_unreached_code_hands_over_is_not_known() {
    let app = "
import helpers
def unused():
    helpers.later(task)
def task():
    return 1
";
    let (all, _) = standings(&[("app.py", app)]);
    assert_eq!(verdict(&all, "unused"), "no_path");
    assert_eq!(verdict(&all, "task"), "undecided");
}

#[test]
fn what_a_base_of_a_library_may_call_is_not_known_and_a_test_does_not_run() {
    let app = "
import unittest
from worker import Worker

class Mine(Worker):
    def step(self):
        return 1

class Tests(unittest.TestCase):
    def test_it(self):
        return self.helper()
    def helper(self):
        return 2
";
    let (all, _) = standings(&[("app.py", app)]);
    assert_eq!(verdict(&all, "Mine.step"), "undecided");
    assert_eq!(verdict(&all, "Tests.test_it"), "no_path");
    assert_eq!(verdict(&all, "Tests.helper"), "no_path");
}

#[test]
fn callbacks_of_a_test_runner_do_not_run() {
    let app = "
describe('shop', function suite() {
  it('sells', function sells() { return sold(); });
});
function sold() { return 1; }
";
    let (all, _) = standings(&[("shop.spec.js", app)]);
    for name in ["suite", "suite.sells", "sold"] {
        assert_eq!(verdict(&all, name), "no_path", "{name}");
    }
}

#[test]
fn routes_that_a_library_answers_are_entry_points() {
    let app = "
const express = require('express');
const passport = require('passport');
const app = express();
const names = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8', 'a9', 'a10', 'a11'];
for (const name of names) {
  app.get(`/pages/${name}`, (req, res) => res.render(name));
}
app.use(express.json());
app.set('view engine', 'ejs');
app.get('view engine');
app.post('/login', passport.authenticate('local', { successRedirect: '/' }));
app.listen(3000);
";
    let (_, entries) = standings(&[("app.js", app)]);
    assert_eq!(entries.len(), 12, "{entries:?}");
    assert!(entries.contains(&"POST /login".to_owned()), "{entries:?}");
    assert!(
        entries.contains(&"GET /pages/a11".to_owned()),
        "{entries:?}"
    );
}

#[test]
fn a_prefix_stands_in_front_of_all_controllers() {
    let main = "
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';
async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  app.setGlobalPrefix('api');
  await app.listen(3000);
}
bootstrap();
";
    let cats = "
import { Controller, Get } from '@nestjs/common';
@Controller('cats')
export class CatsController {
  @Get(':id')
  one() { return {}; }
}
";
    let (_, entries) = standings(&[("src/main.ts", main), ("src/cats/cats.controller.ts", cats)]);
    assert_eq!(entries, ["GET /api/cats/:id"]);
}

#[test]
fn files_for_machines_and_handlers_of_libraries_are_routes_of_next() {
    let robots = "export default function robots() { return { rules: {} }; }";
    let auth = "
import NextAuth from 'next-auth';
export default NextAuth({ providers: [] });
";
    let files = [
        ("app/robots.ts", robots),
        ("pages/api/auth/[...all].ts", auth),
    ];
    let (_, mut entries) = standings(&files);
    entries.sort();
    let routes: Vec<&str> = entries.iter().filter_map(|e| e.split(' ').nth(1)).collect();
    assert_eq!(routes, ["/api/auth/:all(*)", "/robots.txt"]);
}
