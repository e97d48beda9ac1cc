// Starts a small application with its sinks replaced by recorders, attacks it, and says whether an input arrived.
//
// Arguments: its folder; path, line and kind of the sink; what a request needs besides. The last line that is
// printed is a JSON object.
'use strict';

const childProcess = require('child_process');
const fs = require('fs');
const http = require('http');
const Module = require('module');
const path = require('path');
const { Readable } = require('stream');
const vm = require('vm');

const [, , folder, sinkPath, sinkLine, kind, ...extra] = process.argv;
const SINK = `${path.join(fs.realpathSync(folder), sinkPath)}:${sinkLine}:`;
const MARK = 'zqxv';
const fixed = Object.fromEntries(
  extra.filter((line) => line.startsWith('with ')).map((line) => line.slice(5).split(/=(.*)/s)));
const VALUES = {
  sql: ['1 OR zqxv=1', "x' OR zqxv=1 --", 'x" OR zqxv=1 --'],
  shell: ['x; zqxv', "x'; zqxv '", 'x"; zqxv "', '$(zqxv)', 'x\nzqxv'],
  path: ['../'.repeat(10) + 'zqxv', '/zqxv', 'x/' + '../'.repeat(10) + 'zqxv'],
  html: ['<zqxv>', "'><zqxv>", '"><zqxv>'],
  code: ['zqxv()', "'+zqxv()+'", '"+zqxv()+"'],
}[kind].concat(extra.filter((line) => line.startsWith('send ')).map((line) => line.slice(5)));
const OF_THE_CONNECTION = ['content-type', 'content-length', 'host', 'connection', 'upgrade', 'expect'];
const arrived = [];
Error.stackTraceLimit = 100;

/** The text without its literals and comments. */
function outsideQuotes(text, backslash) {
  let out = '';
  let quoted = null;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (quoted) {
      if (backslash && c === '\\') i += 1;
      else if (c === quoted) quoted = null;
    } else if (c === "'" || c === '"' || (backslash && c === '`')) {
      quoted = c;
      out += ' ';
    } else if (!backslash && text.startsWith('--', i)) {
      break;
    } else {
      out += c;
    }
  }
  return out;
}

/** Whether a shell would run the mark as a command of its own. */
function runs(text) {
  let quoted = null;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (c === '\\' && quoted !== "'") {
      i += 1;
    } else if (quoted === "'") {
      if (c === "'") quoted = null;
    } else if (c === '"') {
      quoted = quoted ? null : '"';
    } else if (c === "'" && !quoted) {
      quoted = "'";
    } else if (text.startsWith(MARK, i)) {
      const before = text.slice(0, i).replace(/[ \t]+$/, '');
      if (/(\$\(|`)$/.test(before)) return true;
      if (!quoted && (before === '' || /[;|&\n(]$/.test(before))) return true;
    }
  }
  return false;
}

function harms(text) {
  if (kind === 'sql') return outsideQuotes(text, false).includes(MARK);
  if (kind === 'shell') return runs(text);
  if (kind === 'path') return path.posix.resolve('/srv/app', text).startsWith(`/${MARK}`);
  if (kind === 'code') return outsideQuotes(text, true).includes(MARK);
  return text.includes(`<${MARK}>`);
}

/** Looks at what a sink was given, if the marked line gave it. Answers whether it did. */
function note(value) {
  const here = new Error().stack.includes(SINK);
  if (here && harms(String(value))) arrived.push(String(value));
  return here;
}

const last = (args) => args.slice(1).reverse().find((arg) => typeof arg === 'function');

function replaceSinks(root) {
  for (const name of ['exec', 'execSync', 'spawn', 'spawnSync', 'execFile', 'execFileSync']) {
    childProcess[name] = (...args) => {
      note(args[0]);
      const done = last(args);
      if (done) done(null, '', '');
      return name.endsWith('Sync') ? Buffer.from('') : { on() {}, stdout: Readable.from(['']) };
    };
  }
  for (const name of ['readFile', 'readFileSync', 'readdir', 'readdirSync', 'createReadStream', 'writeFile', 'writeFileSync', 'unlink']) {
    const real = fs[name];
    fs[name] = function replaced(...args) {
      if (!note(args[0])) return real.apply(this, args);
      const done = last(args);
      if (done) done(null, '');
      return name === 'createReadStream' ? Readable.from(['']) : '';
    };
  }
  for (const name of ['runInNewContext', 'runInThisContext', 'runInContext']) {
    const real = vm[name];
    vm[name] = (...args) => (note(args[0]) ? undefined : real(...args));
  }
  global.eval = (source) => { note(source); return ''; };
  const database = () => ({
    query: (...args) => { note(args[0]); const done = last(args); if (done) done(null, []); },
    execute: (...args) => { note(args[0]); const done = last(args); if (done) done(null, []); },
  });
  const login = { authenticate: () => (req, res) => res.status(401).end() };
  const standIns = { mysql2: { createConnection: database, createPool: database }, passport: login };
  const load = Module._load;
  Module._load = function replaced(name, ...rest) {
    return standIns[name] || load.call(this, name, ...rest);
  };
}

/** Keeps what applications listen, and under which path everything is used. */
function watch(express) {
  const applications = [];
  express.application.listen = function listen() { applications.push(this); return { close() {} }; };
  const use = express.Router.use;
  express.Router.use = function watched(...args) {
    const before = this.stack.length;
    const out = use.apply(this, args);
    for (const layer of this.stack.slice(before)) layer.usedAt = typeof args[0] === 'string' ? args[0] : '';
    return out;
  };
  const useApplication = express.application.use;
  express.application.use = function watched(...args) {
    this.mountedHere = this.mountedHere || [];
    for (const arg of args) if (arg && arg.set && arg.handle) this.mountedHere.push([typeof args[0] === 'string' ? args[0] : '', arg]);
    return useApplication.apply(this, args);
  };
  return applications;
}

function routes(stack, prefix, out) {
  for (const layer of stack) {
    if (layer.route) {
      for (const method of Object.keys(layer.route.methods)) out.push([method === '_all' ? 'POST' : method.toUpperCase(), prefix + layer.route.path]);
    } else if (layer.handle && layer.handle.stack) {
      routes(layer.handle.stack, prefix + (layer.usedAt || ''), out);
    }
  }
  return out;
}

function routesOf(app, prefix) {
  const out = routes(app._router ? app._router.stack : [], prefix, []);
  for (const [at, sub] of app.mountedHere || []) out.push(...routesOf(sub, prefix + at));
  return out;
}

function namesInUse(root) {
  const found = new Set();
  for (const file of fs.readdirSync(root, { recursive: true })) {
    if (!file.endsWith('.js')) continue;
    const source = fs.readFileSync(path.join(root, file), 'utf8');
    for (const m of source.matchAll(/\b(?:query|body|params|headers|cookies|options)\.(\w+)/g)) found.add(m[1]);
    for (const m of source.matchAll(/\{([^{}]*)\}\s*=\s*req\b/g)) m[1].split(',').forEach((part) => found.add(part.split(':')[0].trim()));
    for (const m of source.matchAll(/\.(?:get|header)\('([a-z][\w-]*)'\)/g)) found.add(m[1]);
  }
  found.delete('');
  return [...found];
}

function send(port, method, target, headers, body) {
  return new Promise((resolve) => {
    const request = http.request({ port, method, path: target, headers, agent, timeout: 2000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => {
        if (kind === 'html' && String(answer.headers['content-type']).includes('html') && harms(text)) arrived.push(text);
        resolve();
      });
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve());
    request.end(body);
  });
}

const agent = new http.Agent({ keepAlive: true });

async function attack(app, names) {
  const server = http.createServer(app);
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  const listed = [...new Map([['GET', '/'], ...routesOf(app, '')].map((r) => [r.join(' '), r])).values()];
  let requests = 0;
  for (const [method, route] of listed) {
    for (const value of VALUES) {
      for (const other of ['1', 'abc']) {
        for (const name of names.length ? names : ['']) {
          const field = (n) => fixed[n] || (n === name ? value : other);
          const fields = Object.fromEntries(names.map((n) => [n, field(n)]));
          const inPath = route.replace(/:(\w+)(\([^)]*\))?/g, (_, n, pattern) => (pattern ? '1' : encodeURIComponent(field(n))));
          const target = `${inPath}?${new URLSearchParams(fields)}`;
          const headers = Object.fromEntries(Object.entries(fields).filter(([n, v]) => !OF_THE_CONNECTION.includes(n) && !v.includes('\n')));
          const bodies = method === 'GET' ? [[]] : [
            ['application/x-www-form-urlencoded', String(new URLSearchParams(fields))],
            ['application/json', JSON.stringify(fields)],
          ];
          for (const [type, body] of bodies) {
            await send(port, method, target, type ? { ...headers, 'content-type': type } : headers, body);
            requests += 1;
            if (arrived.length) return { requests, listed };
          }
        }
      }
    }
  }
  return { requests, listed };
}

async function main() {
  setTimeout(() => process.exit(9), 120000).unref();
  const root = fs.realpathSync(folder);
  const names = namesInUse(root);
  const applications = watch(require('express'));
  replaceSinks(root);
  console.log = () => {};
  require(path.join(root, 'app.js'));
  let requests = 0;
  let listed = [];
  for (const app of applications) {
    const done = await attack(app, names);
    requests += done.requests;
    listed = listed.concat(done.listed.map((r) => r.join(' ')));
  }
  process.stdout.write(`${JSON.stringify({ reached: arrived.length > 0, requests, routes: listed, with: arrived.slice(0, 1) })}\n`);
  process.exit(0);
}

main();
