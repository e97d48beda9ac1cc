"""A small application of the standard library: each flaw beside its repaired twin."""
import html
import http.server
import json
import os
import re
import shlex
import socketserver
import sqlite3
import subprocess
import sys
import urllib.parse

FIXED = os.path.exists("fixed")
HERE = os.path.join(os.getcwd(), "data")
os.makedirs(HERE, exist_ok=True)
with open(os.path.join(HERE, "a1"), "w") as f:
    f.write("hello")
DATABASE = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
DATABASE.execute("CREATE TABLE users (name TEXT, age INT)")
DATABASE.execute("INSERT INTO users VALUES ('ann', 30), ('bob', 40)")
SESSIONS = {}


def shell(q):
    return subprocess.run("echo " + q, shell=True, capture_output=True, text=True).stdout


def shell_quoted(q):
    return subprocess.run("echo '" + q + "'", shell=True, capture_output=True, text=True).stdout


def shell_safe(q):
    return subprocess.run("echo " + shlex.quote(q), shell=True, capture_output=True, text=True).stdout


def argv_safe(q):
    return subprocess.run(["echo", q], capture_output=True, text=True).stdout


def read(q):
    with open(os.path.join(HERE, q)) as f:
        return f.read()


def read_safe(q):
    with open(os.path.join(HERE, os.path.basename(q))) as f:
        return f.read()


def read_checked(q):
    path = os.path.realpath(os.path.join(HERE, q))
    if not path.startswith(HERE + os.sep):
        return "outside"
    with open(path) as f:
        return f.read()


def exists(q):
    return "yes" if os.path.exists(os.path.join(HERE, q)) else "no"


def exists_safe(q):
    return "yes" if os.path.exists(os.path.join(HERE, os.path.basename(q))) else "no"


def listing(q):
    # Tells of a planted file without any help of the request.
    return ", ".join(sorted(os.listdir("/planted"))) + q


def write(q):
    with open(os.path.join(HERE, q), "w") as f:
        f.write("x")
    return "done"


def write_safe(q):
    with open(os.path.join(HERE, os.path.basename(q) or "x"), "w") as f:
        f.write("x")
    return "done"


def sql(q):
    return repr(DATABASE.execute("SELECT name FROM users WHERE name = '" + q + "'").fetchall())


def sql_number(q):
    return repr(DATABASE.execute("SELECT name FROM users WHERE age = " + q).fetchall())


def sql_insert(q):
    DATABASE.execute("INSERT INTO users VALUES ('%s', 1)" % q)
    return "stored"


def sql_safe(q):
    return repr(DATABASE.execute("SELECT name FROM users WHERE name = ?", (q,)).fetchall())


def sql_escaped(q):
    return repr(DATABASE.execute("SELECT name FROM users WHERE name = '" + q.replace("'", "''") + "'").fetchall())


def sql_digits(q):
    if not re.fullmatch(r"\d+", q):
        return "a number, please"
    return repr(DATABASE.execute("SELECT name FROM users WHERE age = " + q).fetchall())


def sql_words(q):
    # Another statement for every number of words, all bound.
    words = q.split() or [""]
    text = "SELECT name FROM users WHERE " + " OR ".join("name LIKE ?" for _ in words)
    return repr(DATABASE.execute(text, words).fetchall())


def echo(q):
    return html.escape(q) + q


REPAIRED = {"/shell": shell_safe, "/read": read_checked, "/sql": sql_safe}
ROUTES = {
    "/shell": shell, "/shell-quoted": shell_quoted, "/shell-safe": shell_safe, "/argv-safe": argv_safe,
    "/read": read, "/read-safe": read_safe, "/read-checked": read_checked, "/exists": exists,
    "/exists-safe": exists_safe, "/listing": listing, "/write": write, "/write-safe": write_safe,
    "/sql": sql, "/sql-number": sql_number, "/sql-insert": sql_insert, "/sql-safe": sql_safe,
    "/sql-escaped": sql_escaped, "/sql-digits": sql_digits, "/sql-words": sql_words, "/echo": echo,
}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, text, headers=()):
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

    def serve(self, fields):
        path = urllib.parse.urlsplit(self.path).path
        if path == "/":
            return self.answer(200, "welcome")
        if path == "/hang":
            import time
            time.sleep(1000)
        if path == "/die":
            os._exit(3)
        if path == "/private":
            if self.headers.get("Cookie", "").partition("=")[2] not in SESSIONS:
                return self.answer(302, "", [("Location", "/login")])
            return self.run(sql, fields)
        handler = (REPAIRED.get(path) if FIXED else None) or ROUTES.get(path)
        if handler is None:
            return self.answer(404, "nothing here")
        return self.run(handler, fields)

    def run(self, handler, fields):
        try:
            self.answer(200, handler(fields.get("q", "")))
        except Exception as error:
            self.answer(500, type(error).__name__)

    def do_GET(self):
        if self.path == "/login":
            return self.answer(200, '<form><input type=hidden name=csrf value="t-1"><input name=pw type=password>')
        self.serve(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query)))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.headers.get("Content-Type", "").startswith("application/json"):
            fields = json.loads(body).get("in", {})
        else:
            fields = dict(urllib.parse.parse_qsl(body))
        if self.path == "/login":
            if fields.get("csrf") != "t-1" or fields.get("pw") != "correct horse":
                return self.answer(403, "no")
            SESSIONS["k1"] = True
            return self.answer(302, "", [("Set-Cookie", "sid=k1; Path=/"), ("Location", "/")])
        self.serve(fields)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", 5000), Handler).serve_forever()
