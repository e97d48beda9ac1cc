"""What visitors browse: the front page, search, products and their pictures."""

import mimetypes

from flask import Blueprint, Response, abort, render_template, request

from . import products, storage
from .settings import LEGACY_SEARCH, PAGE_SIZE

bp = Blueprint("catalogue", __name__)


@bp.route("/")
def index():
    page = max(request.args.get("page", 1, type=int), 1)
    sort = request.args.get("sort", "name")
    return render_template(
        "index.html",
        products=products.list_active(sort, page),
        categories=products.categories(),
        page=page,
        pages=-(-products.count_active() // PAGE_SIZE),
        sort=sort,
    )


@bp.route("/category/<name>")
def category(name):
    found = products.in_category(name)
    if not found:
        abort(404)
    return render_template(
        "category.html",
        name=name,
        products=found,
        categories=products.categories(),
    )


@bp.route("/search")
def search():
    term = request.args.get("q", "").strip()
    if LEGACY_SEARCH:
        found = products.search_by_supplier(term)
    else:
        found = products.search(term) if term else []
    return render_template("search.html", term=term, products=found)


@bp.route("/products/<slug>")
def product(slug):
    item = products.by_slug(slug)
    if item is None:
        abort(404)
    return render_template("product.html", product=item)


@bp.route("/media/<path:name>")
def picture(name):
    content = storage.read_picture(name)
    if content is None:
        abort(404)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, mimetype=kind)
