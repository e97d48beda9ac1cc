"""The basket, kept in the session, and checkout."""

from flask import (
    Blueprint,
    abort,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

from . import orders, products
from .auth import login_required

bp = Blueprint("cart", __name__)

MAX_QUANTITY = 20


def lines():
    """`[(product, quantity)]` for what is in the basket and still sold."""
    found = []
    for product_id, quantity in session.get("cart", {}).items():
        product = products.by_id(int(product_id))
        if product is not None and product["active"]:
            found.append((product, quantity))
    return found


def total(content):
    return sum(product["price_cents"] * quantity for product, quantity in content)


def put(product_id, quantity):
    cart = dict(session.get("cart", {}))
    if quantity <= 0:
        cart.pop(str(product_id), None)
    else:
        cart[str(product_id)] = min(quantity, MAX_QUANTITY)
    session["cart"] = cart


@bp.route("/cart")
def show():
    content = lines()
    return render_template("cart.html", lines=content, total=total(content))


@bp.route("/cart/add", methods=["POST"])
def add():
    product = products.by_id(request.form.get("product_id", type=int))
    if product is None:
        abort(404)
    quantity = request.form.get("quantity", 1, type=int)
    put(product["id"], quantity)
    flash(f"{product['name']} is in your basket.")
    return redirect(url_for("cart.show"))


@bp.route("/checkout", methods=["POST"])
@login_required
def checkout():
    content = lines()
    if not content:
        flash("Your basket is empty.")
        return redirect(url_for("cart.show"))
    for product, quantity in content:
        if product["stock"] < quantity:
            flash(f"Only {product['stock']} of {product['name']} left.")
            return redirect(url_for("cart.show"))
    note = request.form.get("note", "")[:200]
    order_id = orders.place(g.user["id"], content, note)
    session["cart"] = {}
    return redirect(url_for("account.order", order_id=order_id))
