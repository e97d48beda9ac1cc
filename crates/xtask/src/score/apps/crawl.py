"""Crawls an application on the loopback: links, forms, and the routes that it is given.

Usage: crawl.py BASE ROUTES HEADERS [COOKIES]. ROUTES is a JSON file: an array of {methods, route, fields}. HEADERS is a
JSON object, sent with every request; COOKIES, `a=b; c=d`, are those of a user, for a second round. Prints how many
requests were answered.
"""

import html.parser
import http.cookiejar
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

MAX_REQUESTS = 1500
SECONDS = 150
VALUES = {"email": "walker@shelf.example", "password": "Walk-12345", "number": "1", "date": "2026-01-02", "url": "http://127.0.0.1:9/"}


# What is sent where no field is known.
COMMON = ["name", "title", "username", "email", "password", "code", "content", "text", "body", "description", "url", "id"]


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.links, self.forms = [], []

    def handle_starttag(self, tag, attributes):
        has = {name: value or "" for name, value in attributes}
        for name in ("href", "src"):
            if has.get(name):
                self.links.append(has[name])
        if tag == "form":
            self.forms.append({"action": has.get("action", ""), "method": has.get("method", "get").upper(), "fields": {}})
        elif self.forms and has.get("name") and tag in ("input", "textarea", "select", "button"):
            self.forms[-1]["fields"][has["name"]] = has.get("value") or value_of(has["name"], has.get("type", ""))


def value_of(name, kind):
    name = name.lower()
    for word, value in VALUES.items():
        if word == kind or word in name:
            return value
    if "pass" in name:
        return VALUES["password"]
    if "mail" in name:
        return VALUES["email"]
    if "user" in name or name in ("name", "login"):
        return "walker"
    return "1" if re.search(r"(^|_)id$|num|count|page|size|qty|quantity|amount|price|age", name) else "walk"


def filled(route):
    route = re.sub(r"<(?:\w+:)?[^<>]*>|\{[^{}]*\}", "1", route)
    route = re.sub(r":(\w+)(\([^()]*\))?\??", "1", route)
    return re.sub(r"[\^$\\]|\(\?[:P].*|\.\*", "", route) or "/"


def cookie(name, value):
    return http.cookiejar.Cookie(
        0, name, value, None, False, "127.0.0.1", False, False, "/", True, False, None, True, None, None, {}
    )


class Crawler:
    def __init__(self, base, headers, cookies):
        self.base, self.headers = base, headers
        self.jar = http.cookiejar.CookieJar()
        for name, _, value in (one.partition("=") for one in filter(None, (cookies or "").split("; "))):
            self.jar.set_cookie(cookie(name, value))
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.seen, self.queue, self.asked, self.answered = set(), [], 0, 0
        self.until = time.monotonic() + SECONDS

    def ask(self, method, url, data=None, kind=None):
        if self.asked >= MAX_REQUESTS or time.monotonic() > self.until:
            return
        self.asked += 1
        headers = {"Referer": self.base + "/", **self.headers}
        if kind:
            headers["Content-Type"] = kind
        for one in self.jar:
            if one.name == "csrftoken":
                headers["X-CSRFToken"] = one.value
        try:
            request = urllib.request.Request(url, data=data, headers=headers, method=method)
            with self.opener.open(request, timeout=8) as answer:
                body, place = answer.read(1 << 20), answer.url
        except urllib.error.HTTPError as error:
            try:
                body, place = error.read(1 << 20), url
            except OSError:
                return
        except (OSError, ValueError, http.client.HTTPException):
            return
        self.answered += 1
        if not place.startswith(self.base):
            return
        page = Page()
        try:
            page.feed(body.decode("utf-8", "replace"))
        except (AssertionError, ValueError):
            return
        for link in page.links:
            self.want("GET", urllib.parse.urljoin(place, link), None)
        for form in page.forms:
            url = urllib.parse.urljoin(place, form["action"] or place)
            if form["method"] == "POST":
                self.want("POST", url, form["fields"])
            else:
                self.want("GET", url.split("?")[0] + "?" + urllib.parse.urlencode(form["fields"]), None)

    def want(self, method, url, fields):
        url = url.split("#")[0]
        # What ends the session is asked last, by its route.
        if not url.startswith(self.base) or re.search(r"log-?_?out|sign-?_?out", url):
            return
        key = (method, url.split("?")[0], tuple(sorted(fields or urllib.parse.parse_qs(url.partition("?")[2]))))
        if key not in self.seen:
            self.seen.add(key)
            self.queue.append((method, url, fields))

    def walk(self):
        while self.queue:
            method, url, fields = self.queue.pop(0)
            data = urllib.parse.urlencode(fields).encode() if fields is not None else None
            self.ask(method, url, data)

    def routes(self, routes):
        for one in routes:
            url = self.base + urllib.parse.quote(filled(one["route"]), safe="/:?=&@")
            fields = {name: value_of(name, "") for name in one["fields"]}
            query = "?" + urllib.parse.urlencode(fields) if fields else ""
            fields = fields or {name: value_of(name, "") for name in COMMON}
            for method in one["methods"] or ["GET", "POST"]:
                self.ask(method, url + query)
                if method not in ("GET", "HEAD", "DELETE"):
                    self.ask(method, url, urllib.parse.urlencode(fields).encode(), "application/x-www-form-urlencoded")
                    self.ask(method, url, json.dumps(fields).encode(), "application/json")
            self.walk()


def main():
    base = sys.argv[1]
    with open(sys.argv[2]) as file:
        routes = json.load(file)
    leaving = re.compile(r"log-?_?out|sign-?_?out|delete|close|reset", re.I)
    routes.sort(key=lambda one: (bool(leaving.search(one["route"])), bool(re.search("[<{:]", one["route"]))))
    answered = 0
    for cookies in [None, *sys.argv[4:5]]:
        crawler = Crawler(base, json.loads(sys.argv[3]), cookies)
        crawler.want("GET", base + "/", None)
        crawler.walk()
        crawler.routes(routes)
        answered += crawler.answered
    print(answered)


main()
