"""Reports SQL statements and marked arguments of effects, and changes nothing that a program can notice.

One line of JSON per event goes to the file named by SOLVENT_SENSOR. A failure of the sensor is never a
failure of the application: everything here is caught.
"""
import json
import os
import sys

_PATH = os.environ.get("SOLVENT_SENSOR")
# Every token of the prober begins with this, so that ordinary arguments are never reported.
_MARK = "slv"
_CAP = 60000


def _report(event):
    try:
        line = json.dumps(event).encode() + b"\n"
        handle = os.open(_PATH, os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
    except Exception:
        pass


def _sql(statement, error, rows):
    if isinstance(statement, str):
        _report({"kind": "sql", "dialect": "sqlite", "text": statement[:_CAP], "cut": len(statement) > _CAP,
                 "error": error, "rows": rows})


def _watch_sqlite():
    import sqlite3

    def observed(method):
        def call(self, *args, **kwargs):
            try:
                result = getattr(super(type_of(self), self), method)(*args, **kwargs)
            except BaseException as error:
                if args:
                    _sql(args[0], type(error).__name__ + ": " + str(error)[:200], -1)
                raise
            if args:
                rows = getattr(self, "rowcount", -1)
                _sql(args[0], None, rows if isinstance(rows, int) else -1)
            return result
        call.__name__ = method
        return call

    cursors = {}
    connections = {}
    own = set()

    def type_of(value):
        # The class of ours in the value's ancestry, also when a program derives from it.
        for kind in type(value).__mro__:
            if kind in own:
                return kind
        raise TypeError("not observed")

    def cursor_class(base):
        if base in own or not isinstance(base, type):
            return base
        if base not in cursors:
            body = {name: observed(name) for name in ("execute", "executemany", "executescript")}
            body["__module__"] = base.__module__
            kind = type(base.__name__, (base,), body)
            kind.__qualname__ = base.__qualname__
            own.add(kind)
            cursors[base] = kind
        return cursors[base]

    def connection_class(base):
        if base in own or not isinstance(base, type):
            return base
        if base not in connections:
            class Connection(base):
                def cursor(self, *args, **kwargs):
                    if args:
                        args = (cursor_class(args[0]),) + args[1:]
                    else:
                        kwargs["factory"] = cursor_class(kwargs.get("factory", sqlite3.Cursor))
                    return base.cursor(self, *args, **kwargs)

                def execute(self, *args, **kwargs):
                    return self.cursor().execute(*args, **kwargs)

                def executemany(self, *args, **kwargs):
                    return self.cursor().executemany(*args, **kwargs)

                def executescript(self, *args, **kwargs):
                    return self.cursor().executescript(*args, **kwargs)

            Connection.__name__ = base.__name__
            Connection.__qualname__ = base.__qualname__
            Connection.__module__ = base.__module__
            own.add(Connection)
            connections[base] = Connection
        return connections[base]

    real = sqlite3.connect

    def connect(*args, **kwargs):
        if len(args) > 5:
            args = args[:5] + (connection_class(args[5]),) + args[6:]
        else:
            kwargs["factory"] = connection_class(kwargs.get("factory", sqlite3.Connection))
        return real(*args, **kwargs)

    connect.__name__ = "connect"
    connect.__doc__ = real.__doc__
    sqlite3.connect = connect
    sqlite3.dbapi2.connect = connect


def _watch_audit():
    wanted = {"open", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn"}

    def hook(event, arguments):
        if event not in wanted:
            return
        try:
            if event == "open":
                path = arguments[0]
                if isinstance(path, bytes):
                    path = path.decode("utf-8", "replace")
                if isinstance(path, str) and _MARK in path and not path.startswith("/slv/"):
                    _report({"kind": "open", "text": path[:4096]})
                return
            text = repr(arguments[:2])
            if _MARK in text:
                _report({"kind": "exec", "text": text[:8192]})
        except Exception:
            pass

    sys.addaudithook(hook)


def _next():
    """Runs the `sitecustomize` that this one hides, when there is one."""
    import importlib.machinery
    import importlib.util
    here = os.path.dirname(os.path.abspath(__file__))
    rest = [p for p in sys.path if os.path.abspath(p or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


try:
    _next()
except Exception:
    pass
if _PATH:
    try:
        _watch_sqlite()
    except Exception:
        pass
    try:
        if hasattr(sys, "addaudithook"):
            _watch_audit()
    except Exception:
        pass
