"""JSON for the till and the mobile app."""

from flask import Blueprint, abort, g, jsonify, request
from flask.views import MethodView

from . import orders, products
from .auth import admin_required, login_required

bp = Blueprint("api", __name__)


def as_json(product):
    return {
        "id": product["id"],
        "slug": product["slug"],
        "name": product["name"],
        "price_cents": product["price_cents"],
        "stock": product["stock"],
    }


@bp.route("/products")
def list_products():
    page = max(request.args.get("page", 1, type=int), 1)
    found = products.list_active(page=page)
    return jsonify(products=[as_json(product) for product in found], page=page)


@bp.route("/orders")
@login_required
def list_orders():
    return jsonify(orders=[dict(order) for order in orders.of_user(g.user["id"])])


class ProductItem(MethodView):
    def get(self, product_id):
        product = products.by_id(product_id)
        if product is None:
            abort(404)
        return jsonify(as_json(product))

    @admin_required
    def patch(self, product_id):
        if products.by_id(product_id) is None:
            abort(404)
        body = request.get_json(silent=True) or {}
        stock = body.get("stock")
        if not isinstance(stock, int) or stock < 0:
            return jsonify(error="stock must be a number of pieces"), 400
        products.set_stock(product_id, stock)
        return jsonify(as_json(products.by_id(product_id)))


bp.add_url_rule(
    "/products/<int:product_id>", view_func=ProductItem.as_view("product_item")
)
