"""A customer's own pages: orders, invoices, password."""

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    g,
    redirect,
    render_template,
    request,
    url_for,
)

from . import orders, users
from .auth import login_required

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.route("/")
@login_required
def overview():
    return render_template("account.html", orders=orders.of_user(g.user["id"]))


@bp.route("/orders/<int:order_id>")
@login_required
def order(order_id):
    found = orders.find(order_id, g.user["id"])
    if found is None:
        abort(404)
    return render_template("order.html", order=found, lines=orders.lines_of(order_id))


@bp.route("/orders/<int:order_id>/invoice")
@login_required
def invoice(order_id):
    found = orders.find(order_id, g.user["id"])
    if found is None:
        abort(404)
    text = render_template(
        "invoice.txt", order=found, lines=orders.lines_of(order_id), customer=g.user
    )
    return Response(
        text,
        mimetype="text/plain",
        headers={"Content-Disposition": f"attachment; filename=invoice-{order_id}.txt"},
    )


@bp.route("/password", methods=["POST"])
@login_required
def password():
    current = request.form.get("current", "")
    wanted = request.form.get("password", "")
    if users.authenticate(g.user["email"], current) is None:
        flash("Your current password is something else.")
    elif len(wanted) < 10:
        flash("Ten characters or more, please.")
    else:
        users.change_password(g.user["id"], wanted)
        flash("Your password is changed.")
    return redirect(url_for("account.overview"))
