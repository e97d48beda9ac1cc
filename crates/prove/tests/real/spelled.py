"""Inputs without a name of their own: what the program spells out decides whether they are read."""

import os
import shlex
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, unquote_plus


def searched(raw):
    at = raw.find("cmd=")
    if at == -1:
        return "no cmd"
    value = unquote_plus(raw[at + len("cmd="):].split("&")[0])
    return run(f"echo {value}")


def searched_safe(raw):
    at = raw.find("cmd=")
    if at == -1:
        return "no cmd"
    value = unquote_plus(raw[at + len("cmd="):].split("&")[0])
    return run(f"echo {shlex.quote(value)}")


def by_value(pairs):
    return run("echo " + "".join(name for name, value in pairs if value == "run me"))


def repeated(pairs):
    fields = dict(pairs)
    if fields.get("password") != fields.get("password_again"):
        return "they differ"
    return run("echo " + fields.get("password", ""))


def run(command):
    done = subprocess.run(command, shell=True, capture_output=True)
    return f"status {done.returncode}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        path, _, raw = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        match path:
            case "/searched":
                text = searched(raw)
            case "/searched-safe":
                text = searched_safe(raw)
            case "/by-value":
                text = by_value(parse_qsl(raw))
            case "/repeated":
                text = repeated(parse_qsl(body))
            case _:
                text = "hello"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
