"""Prints the routes that a framework itself lists, as one JSON array of {method, route, own}.

Usage: list.py FRAMEWORK FROM ROOT. FROM is `module:variable` of the application, or the settings module of Django.
`own` says whether the route is the application's: its handler stands below ROOT, or a table below ROOT names it.
"""

import importlib
import inspect
import json
import os
import re
import sys

HTTP = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def below(path, root):
    path = os.path.realpath(path or "")
    return path.startswith(root + os.sep) and "site-packages" not in path


def file_of(thing):
    thing = inspect.unwrap(thing) if callable(thing) else thing
    while hasattr(thing, "func"):
        thing = thing.func
    module = sys.modules.get(getattr(thing, "__module__", None) or type(thing).__module__)
    return getattr(module, "__file__", None)


def put(out, methods, route, own):
    for method in methods or ["*"]:
        out.append({"method": method, "route": route, "own": own})


def flask(app, root):
    out = []
    app = getattr(app, "app", app) if not hasattr(app, "url_map") else app
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        view = getattr(view, "view_class", view)
        own = rule.endpoint != "static" and not rule.endpoint.endswith(".static")
        own = own and below(file_of(view), root)
        put(out, sorted(m for m in rule.methods if m in HTTP), rule.rule, own)
    return out


def starlette(app, root, prefix=""):
    out = []
    for route in app.routes:
        if hasattr(route, "effective_route_contexts"):
            # A router that is included, as newer versions of FastAPI list it.
            for one in route.effective_route_contexts():
                one = getattr(one, "starlette_route", None) or one
                methods = sorted(m for m in getattr(one, "methods", None) or [] if m in HTTP)
                put(out, methods, prefix + one.path, below(file_of(one.endpoint), root))
            continue
        path = prefix + (getattr(route, "path", "") or "")
        if getattr(route, "routes", None) is not None and not hasattr(route, "endpoint"):
            out.extend(starlette(route, root, path))
        elif hasattr(route, "endpoint"):
            methods = sorted(m for m in getattr(route, "methods", None) or [] if m in HTTP)
            put(out, methods, path, below(file_of(route.endpoint), root))
    return out


def of_pattern(text):
    """A regular expression as a route: groups by their names, `var` for those that have none."""
    out, i = [], 0
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text):
            if text[i + 1] not in "AZbB":
                out.append(text[i + 1] if not text[i + 1].isalnum() else text[i : i + 2])
            i += 2
            continue
        if c == "(" and not text.startswith("(?:", i):
            end, depth, inside = i, 0, False
            while end < len(text):
                if text[end] == "\\":
                    end += 1
                elif text[end] == "[":
                    inside = True
                elif text[end] == "]":
                    inside = False
                elif not inside and text[end] in "()":
                    depth += 1 if text[end] == "(" else -1
                    if depth == 0:
                        break
                end += 1
            name = re.match(r"\(\?P<(\w+)>", text[i:])
            if name or not text.startswith("(?", i):
                out.append("<%s>" % (name.group(1) if name else "var"))
            i = end + 1
            continue
        if text.startswith("(?:", i):
            i += 3
            continue
        if c not in "^$?*+)":
            out.append(c)
        i += 1
    return "".join(out)


def simplified(pattern):
    from django.urls.resolvers import RoutePattern

    text = str(pattern)
    if isinstance(pattern, RoutePattern):
        return text
    return of_pattern(text)


def django_methods(callback):
    actions = getattr(callback, "actions", None)
    if actions:
        return [m.upper() for m in actions if m.upper() in HTTP]
    view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    if view is None:
        return None
    names = getattr(view, "http_method_names", [])
    return [m.upper() for m in names if m.upper() in HTTP and hasattr(view, m)]


def django(resolver, root, prefix="/", named=True):
    out = []
    for one in resolver.url_patterns:
        path = prefix + simplified(one.pattern)
        if hasattr(one, "url_patterns"):
            module = getattr(one.urlconf_module, "__file__", None)
            out.extend(django(one, root, path, module is not None and below(module, root)))
            continue
        if "<format>" in path:
            # The same route with the name of a format behind it.
            continue
        view = getattr(one.callback, "view_class", None) or getattr(one.callback, "cls", None)
        own = named or below(file_of(view or one.callback), root)
        put(out, django_methods(one.callback), path, own)
    return out


def keep_from_serving():
    """Applications that serve as soon as they are imported are not served here."""

    def nothing(*arguments, **named):
        return None

    for module, holder in [("flask", "Flask"), ("uvicorn", None), ("connexion", "App"), ("connexion", "FlaskApp")]:
        try:
            library = importlib.import_module(module)
        except ImportError:
            continue
        setattr(getattr(library, holder) if holder else library, "run", nothing)


def main():
    framework, source, root = sys.argv[1], sys.argv[2], os.path.realpath(sys.argv[3])
    sys.path.insert(0, os.getcwd())
    real, sys.stdout = sys.stdout, sys.stderr
    if framework == "django":
        os.environ["DJANGO_SETTINGS_MODULE"] = source
        import django as library

        library.setup()
        from django.urls import get_resolver

        resolver = get_resolver()
        listed = django(resolver, root, named=below(resolver.urlconf_module.__file__, root))
    else:
        keep_from_serving()
        module, variable = source.split(":")
        app = importlib.import_module(module)
        for name in variable.split("."):
            app = getattr(app, name)
        listed = {"flask": flask, "fastapi": starlette}[framework](app, root)
    json.dump(listed, real)


main()
