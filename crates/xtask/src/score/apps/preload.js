"use strict";
// Loaded before an application on Express or Nest. With ROUTES_TO it writes the routes that the application has when it
// begins to listen, as one JSON array of {method, route, own}, and ends it; with SERVE_AT it lets it listen on that
// port of the loopback instead of its own. STUBS names libraries in whose place a value stands that answers every call
// with itself: where the application wants a server that is not there.

const fs = require("fs");
const http = require("http");
const Module = require("module");
const net = require("net");

const stubs = new Set((process.env.STUBS || "").split(",").filter(Boolean));
const HTTP = ["get", "post", "put", "patch", "delete"];
const FRAMEWORKS = /node_modules\/(express|router|@nestjs\/(core|common|platform-express))\//;

function answered(back) {
  if (typeof back === "function") setImmediate(() => back(found()));
  return stub();
}

// What is looked for is there every second time, the first time too; what is written is there.
const LOOKS = /^(find(?!And)|get|one|any|count|exists|query|select)/i;
const asked = new Map();
function found(name) {
  if (!LOOKS.test(name)) return stub(false);
  asked.set(name, (asked.get(name) || 0) + 1);
  return asked.get(name) % 2 ? stub(false) : null;
}

// Answers with itself, now, later and to whoever waits for it.
function stub(waits = true, called = "") {
  const target = function () {};
  const answered = (back) => {
    if (typeof back === "function") setImmediate(() => back(found(called)));
    return stub();
  };
  const me = new Proxy(target, {
    get(_, name) {
      if (name === "then") return waits ? answered : undefined;
      if (name === "prototype") return target[name];
      if (name === "toJSON" || name === Symbol.toPrimitive) return () => "1";
      if (name === Symbol.iterator) return () => [stub(false)].values();
      return stub(true, String(name));
    },
    apply(_, self, given) {
      const back = given[given.length - 1];
      if (typeof back === "function") setImmediate(() => back(null, found(called)));
      return stub(true, called);
    },
    construct: () => stub(),
  });
  return me;
}

// Where a route was bound: by the application, or by a library that is no framework.
function isOwn() {
  Error.stackTraceLimit = 60;
  const frames = (new Error().stack || "").split("\n").slice(2);
  const files = frames.filter((frame) => /[(\s/]\/?.*:\d+:\d+\)?$/.test(frame) && !frame.includes("node:"));
  const first = files.find((frame) => !FRAMEWORKS.test(frame) && !frame.includes(__filename));
  return !first || !first.includes("node_modules");
}

const wrapped = new Map();
function noting(Made, note) {
  if (!wrapped.has(Made)) {
    const Noting = function (...given) {
      const made = new Made(...given);
      note(made, given);
      return made;
    };
    Noting.prototype = Made.prototype;
    wrapped.set(Made, Noting);
  }
  return wrapped.get(Made);
}

const load = Module._load;
Module._load = function (request, parent, isMain) {
  if (stubs.has(request)) return stub();
  const loaded = load.call(this, request, parent, isMain);
  if (!process.env.ROUTES_TO || !/layer|route|application/.test(request)) return loaded;
  const file = Module._resolveFilename(request, parent, isMain);
  if (/express\/lib\/application\.js$/.test(file) && !loaded.use.isNoting) {
    const use = loaded.use;
    loaded.use = function (...given) {
      const path = typeof given[0] === "string" ? given[0] : "/";
      const apps = given.flat(9).filter((one) => one && one.handle && one.set);
      this.mounted = (this.mounted || []).concat(apps.map((app) => ({ path, app })));
      return use.apply(this, given);
    };
    loaded.use.isNoting = true;
  }
  if (/(express\/lib\/router|router\/lib)\/layer\.js$/.test(file)) {
    return noting(loaded, (layer, given) => (layer.mountedAt = given[0]));
  }
  if (/(express\/lib\/router|router\/lib)\/route\.js$/.test(file)) {
    return noting(loaded, (route) => (route.isOwn = isOwn()));
  }
  return loaded;
};

function listed(stack, prefix, out) {
  for (const layer of stack) {
    const paths = [].concat(layer.route ? layer.route.path : layer.mountedAt || "/");
    for (const path of paths) {
      const route = (prefix + String(path)).replace(/\/+/g, "/");
      if (layer.route) {
        const methods = Object.keys(layer.route.methods).filter((name) => HTTP.includes(name));
        for (const method of layer.route.methods._all ? ["*"] : methods) {
          out.push({ method: method.toUpperCase(), route: route.replace(/(.)\/$/, "$1"), own: layer.route.isOwn });
        }
      } else if (layer.handle && layer.handle.stack) {
        listed(layer.handle.stack, route === "/" ? "" : route, out);
      }
    }
  }
  return out;
}

function routes(app, prefix) {
  const router = app._router || app.router;
  const out = listed(router ? router.stack : [], prefix, []);
  for (const { path, app: other } of app.mounted || []) {
    out.push(...routes(other, path === "/" ? prefix : prefix + path));
  }
  return out;
}

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const app = this instanceof http.Server && this.listeners("request")[0];
  if (!app) return listen.apply(this, given);
  if (process.env.ROUTES_TO) {
    fs.writeFileSync(process.env.ROUTES_TO, JSON.stringify(routes(app, "")));
    process.exit(0);
  }
  const back = given.find((one) => typeof one === "function");
  const place = { host: "127.0.0.1", port: Number(process.env.SERVE_AT) };
  return listen.call(this, place, ...(back ? [back] : []));
};

process.on("SIGTERM", () => process.exit(0));
process.on("uncaughtException", (error) => console.error(error));
process.on("unhandledRejection", (error) => console.error(error));
