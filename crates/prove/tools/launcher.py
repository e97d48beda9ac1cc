"""Starts an application under test: debug mode, reloader and TLS off, threaded, on a port of ours.

launcher.py PORT app MODULE VARIABLE | factory MODULE FUNCTION | script PATH | module NAME |
            console MODULE FUNCTION
"""
import os
import runpy
import sys


def serve(application, port):
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *args, **kwargs):
            pass

        def log_request(self, *args, **kwargs):
            pass

    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Handler)
    server.daemon_threads = True
    server.serve_forever()


def take_over(port, serving):
    """Makes `app.run(..)` and `run_simple(..)` serve our way, or do nothing while only importing."""
    try:
        import flask
        import werkzeug.serving
    except ImportError:
        return

    def run(self, *args, **kwargs):
        if serving:
            self.debug = False
            serve(self, port)

    def run_simple(hostname, own_port, application, *args, **kwargs):
        if serving:
            serve(application, port)

    flask.Flask.run = run
    werkzeug.serving.run_simple = run_simple
    try:
        import werkzeug
        if hasattr(werkzeug, "run_simple"):
            werkzeug.run_simple = run_simple
    except Exception:
        pass


def find(module, path):
    __import__(module)
    value = sys.modules[module]
    for part in path.split("."):
        value = getattr(value, part)
    return value


def main():
    port, mode, first = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    second = sys.argv[4] if len(sys.argv) > 4 else None
    # The interpreter put this file's folder first; the application expects its own root there.
    sys.path[0] = os.getcwd()
    os.environ.setdefault("FLASK_SKIP_DOTENV", "1")
    if mode in ("app", "factory"):
        take_over(port, serving=False)
        sys.argv = [first]
        value = find(first, second)
        if mode == "factory":
            value = value()
        application = getattr(value, "wsgi_app", None) and value or value
        serve(application, port)
    elif mode == "script":
        take_over(port, serving=True)
        sys.argv = [first]
        sys.path[0] = os.path.dirname(os.path.abspath(first))
        runpy.run_path(first, run_name="__main__")
    elif mode == "module":
        take_over(port, serving=True)
        sys.argv = [first]
        runpy.run_module(first, run_name="__main__", alter_sys=True)
    elif mode == "console":
        take_over(port, serving=True)
        sys.argv = [first.split(".")[0]]
        sys.exit(find(first, second)())
    else:
        sys.exit("launcher: unknown mode " + mode)


main()
