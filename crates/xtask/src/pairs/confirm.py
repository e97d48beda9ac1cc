"""Starts a small application with its sinks replaced by recorders, attacks it, and says whether an input arrived.

Arguments: its folder; path, line and kind of the sink; what a request needs besides. The last line that is
printed is a JSON object.
"""

import builtins
import http.client
import io
import json
import logging
import os
import posixpath
import re
import runpy
import signal
import socketserver
import sqlite3
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import quote, urlencode

FOLDER, SINK_PATH, SINK_LINE, KIND = os.path.realpath(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
SINK_FILE = os.path.join(FOLDER, SINK_PATH)
FIXED = dict(line[5:].split("=", 1) for line in sys.argv[5:] if line.startswith("with "))
MARK = "zqxv"
VALUES = {
    "sql": ["1 OR zqxv=1", "x' OR zqxv=1 --", 'x" OR zqxv=1 --'],
    "shell": ["x; zqxv", "x'; zqxv '", 'x"; zqxv "', "$(zqxv)", "x\nzqxv"],
    "path": ["../" * 10 + "zqxv", "/zqxv", "x/" + "../" * 10 + "zqxv"],
    "html": ["<zqxv>", "'><zqxv>", '"><zqxv>'],
    "code": ["zqxv()", "'+zqxv()+'", '"+zqxv()+"'],
}[KIND] + [line[5:] for line in sys.argv[5:] if line.startswith("send ")]

ARRIVED = []


def outside_quotes(text, backslash):
    """The text without its literals and comments."""
    out, quoted, i = [], None, 0
    while i < len(text):
        c = text[i]
        if quoted:
            if backslash and c == "\\":
                i += 1
            elif c == quoted:
                quoted = None
        elif c in "'\"":
            quoted = c
            out.append(" ")
        elif not backslash and text.startswith("--", i):
            break
        else:
            out.append(c)
        i += 1
    return "".join(out)


def runs(text):
    """Whether a shell would run the mark as a command of its own."""
    quoted, i = None, 0
    while i < len(text):
        c = text[i]
        if c == "\\" and quoted != "'":
            i += 2
            continue
        if quoted == "'":
            quoted = None if c == "'" else quoted
        elif c == '"':
            quoted = None if quoted else '"'
        elif c == "'" and not quoted:
            quoted = "'"
        elif text.startswith(MARK, i):
            before = text[:i].rstrip(" \t")
            if before.endswith(("$(", "`")) or not quoted and (not before or before[-1] in ";|&\n("):
                return True
        i += 1
    return False


def harms(text):
    if KIND == "sql":
        return MARK in outside_quotes(text, False)
    if KIND == "shell":
        return runs(text)
    if KIND == "path":
        return posixpath.normpath(posixpath.join("/srv/app", text)).startswith("/" + MARK)
    if KIND == "code":
        return MARK in outside_quotes(text, True)
    return "<" + MARK + ">" in text


def note(value):
    """Looks at what a sink was given, if the marked line gave it."""
    frame = sys._getframe(1)
    while frame:
        if frame.f_code.co_filename == SINK_FILE and frame.f_lineno == SINK_LINE:
            text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            if harms(text):
                ARRIVED.append(text)
            return
        frame = frame.f_back


def from_the_program():
    return sys._getframe(2).f_code.co_filename.startswith(FOLDER + os.sep)


class Cursor:
    """A database that knows nothing."""

    def execute(self, statement, *_):
        note(statement)
        return self

    executemany = executescript = execute

    def cursor(self):
        return self

    def fetchall(self):
        return []

    def fetchone(self):
        return None

    def __iter__(self):
        return iter(())

    def commit(self):
        pass

    close = commit


def shell(answer):
    def call(command=None, *_, **options):
        if isinstance(command, str):
            note(command)
        return answer

    return call


class Opened:
    """Decides for each caller: the application's files are not there, everybody else's are."""

    def __init__(self, real):
        self.real = real

    def __call__(self, file, mode="r", *args, **options):
        if not from_the_program():
            return self.real(file, mode, *args, **options)
        note(file)
        return io.BytesIO() if "b" in mode else io.StringIO()


def evaluator(real):
    def call(source, *args):
        if not from_the_program():
            return real(source, *args)
        note(source)
        return ""

    return call


def replace_sinks():
    os.system = shell(0)
    os.popen = shell(io.StringIO())
    done = subprocess.CompletedProcess("", 0, b"", b"")
    for name, answer in [("run", done), ("call", 0), ("check_call", 0), ("check_output", b""), ("getoutput", ""), ("Popen", done)]:
        setattr(subprocess, name, shell(answer))
    sqlite3.connect = lambda *_, **__: Cursor()
    builtins.open = Opened(builtins.open)
    builtins.eval, builtins.exec = evaluator(builtins.eval), evaluator(builtins.exec)


def start():
    """The application and, where it is one of the standard library's, the server."""
    import flask

    applications, servers = [], []
    flask.Flask.run = lambda self, *_, **__: applications.append(self)
    serve = socketserver.BaseServer.serve_forever
    socketserver.BaseServer.serve_forever = lambda self, *_, **__: servers.append(self)
    BaseHTTPRequestHandler.log_message = lambda *_: None
    sys.path.insert(0, FOLDER)
    os.chdir(FOLDER)
    names = runpy.run_path(os.path.join(FOLDER, "app.py"), run_name="__main__")
    applications += [v for v in names.values() if isinstance(v, flask.Flask) and v not in applications]
    for server in servers:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
    return applications, servers


def names_in_use():
    found = set()
    for folder, _, files in os.walk(FOLDER):
        for file in files:
            if file.endswith(".py"):
                with io.open(os.path.join(folder, file)) as source:
                    found.update(re.findall(r"""["']([A-Za-z][\w-]{0,30})["']""", source.read()))
    return sorted(found - {"POST", "GET", "PUT", "Content-Type", "Content-Length", "Host", "Cookie"})


def attacks(names):
    for value in VALUES:
        for other in ("1", "abc"):
            for name in names or [""]:
                yield {n: FIXED.get(n, value if n == name else other) for n in names}, value
    # A route's own parameters may have names that no text of the program has.
    for value in VALUES:
        yield {n: FIXED.get(n, "1") for n in names}, value


def headers(fields):
    plain = {n: v for n, v in fields.items() if "\n" not in v}
    cookies = "; ".join(f"{n}={json.dumps(v)}" for n, v in plain.items() if "-" not in n and '"' not in v)
    return [(n.replace("_", "-"), v) for n, v in plain.items()] + [("Cookie", cookies)]


def look(answer, kind):
    """A page is the sink of what makes it."""
    if KIND == "html" and "html" in kind and harms(answer):
        ARRIVED.append(answer)


def attack_flask(app, names):
    logging.disable(logging.CRITICAL)
    sent = 0
    client = app.test_client(use_cookies=False)
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]
    for rule in rules:
        for fields, value in attacks(names):
            path = re.sub(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>", lambda m: parameter(m, value), rule.rule)
            query = urlencode(fields)
            for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
                bodies = [{}] if method == "GET" else [{"data": fields}, {"json": fields}]
                for body in bodies:
                    answer = client.open(path, method=method, query_string=query, headers=headers(fields), **body)
                    look(answer.get_data(as_text=True), answer.content_type or "")
                    sent += 1
                    if ARRIVED:
                        return sent, rules
    return sent, rules


def parameter(match, value):
    return {"int": "1", "float": "1.0", "any": "web"}.get(match[1], quote(value, safe="/" if match[1] == "path" else ""))


def attack_server(server, names):
    sent = 0
    for fields, _ in attacks(names):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
        connection.request("GET", "/?" + urlencode(fields))
        answer = connection.getresponse()
        look(answer.read().decode(errors="replace"), answer.headers.get("Content-Type", ""))
        connection.close()
        sent += 1
    return sent


def main():
    signal.alarm(120)
    replace_sinks()
    applications, servers = start()
    names = names_in_use()
    sent, routes = 0, []
    for app in applications:
        count, rules = attack_flask(app, names)
        sent += count
        routes += [rule.rule for rule in rules]
    for server in servers:
        sent += attack_server(server, names)
    print(json.dumps({"reached": bool(ARRIVED), "requests": sent, "routes": routes, "with": ARRIVED[:1]}))


main()
