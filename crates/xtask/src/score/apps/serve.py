"""Serves an application on the loopback and says, when it is told to end, which of its own functions ran.

Usage: serve.py FRAMEWORK FROM ROOT PORT OUT. FROM is `module:variable` of the application, the settings module of
Django, or a script that serves by itself. OUT gets one JSON array of {file, line, name}: `line` is where the function's
text begins, decorators included. Bodies of modules and classes, and comprehensions, are left out.
"""

import importlib
import inspect
import json
import os
import runpy
import signal
import sys
import threading

seen = set()


def note(frame, event, argument):
    if event == "call":
        seen.add(frame.f_code)


def executed(root):
    out = []
    for code in list(seen):
        path = os.path.realpath(code.co_filename)
        if code.co_filename.startswith("<"):
            continue
        if not path.startswith(root + os.sep) or "site-packages" in path:
            continue
        name = code.co_name
        if not code.co_flags & inspect.CO_OPTIMIZED or (name.startswith("<") and name != "<lambda>"):
            continue
        out.append({"file": os.path.relpath(path, root), "line": code.co_firstlineno, "name": name})
    return out


def found(source):
    """The application. Those that serve as soon as they are imported are not served by that."""
    for name, holder in [("flask", "Flask"), ("connexion", "App"), ("connexion", "FlaskApp")]:
        try:
            library = importlib.import_module(name)
        except ImportError:
            continue
        setattr(getattr(library, holder), "run", lambda *arguments, **named: None)
    module, variable = source.split(":")
    app = importlib.import_module(module)
    for name in variable.split("."):
        app = getattr(app, name)
    return app


def django(source, port):
    os.environ["DJANGO_SETTINGS_MODULE"] = source
    import django as library
    from django.conf import settings

    settings.ALLOWED_HOSTS = ["*"]
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    library.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.core.servers.basehttp import run
    from django.core.wsgi import get_wsgi_application
    from django.test import Client

    call_command("migrate", "--noinput", "--run-syncdb", verbosity=0)
    try:
        user = get_user_model().objects.create_superuser("walker", "walker@shelf.example", "Walk-12345")
        client = Client()
        client.force_login(user)
        for name, cookie in client.cookies.items():
            print("cookie %s=%s" % (name, cookie.value), file=real, flush=True)
    except Exception as error:
        print("no user could be made: %r" % error, file=sys.stderr)
    run("127.0.0.1", port, get_wsgi_application(), threading=True)


def serve(framework, source, port):
    if framework == "django":
        django(source, port)
    elif framework == "flask":
        from werkzeug.serving import run_simple

        app = found(source)
        app = app if hasattr(app, "url_map") else app.app
        run_simple("127.0.0.1", port, app, threaded=True)
    elif framework == "fastapi":
        import uvicorn

        uvicorn.run(found(source), host="127.0.0.1", port=port, log_level="warning")
    else:
        sys.argv = [source]
        runpy.run_path(source, run_name="__main__")


def main():
    framework, source, root, port, out = sys.argv[1:]
    root = os.path.realpath(root)
    sys.path.insert(0, os.getcwd())

    def end(number, frame):
        with open(out, "w") as file:
            json.dump(executed(root), file)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    # Servers that want the signal for themselves do not get it.
    signal.signal = lambda number, handler: signal.SIG_DFL
    threading.setprofile(note)
    sys.setprofile(note)
    serve(framework, source, int(port))


real, sys.stdout = sys.stdout, sys.stderr
main()
