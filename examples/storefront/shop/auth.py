"""Sign-in, sign-out, and who may see what."""

from functools import wraps
from urllib.parse import urlsplit

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

from . import users

bp = Blueprint("auth", __name__)


def init_app(app):
    app.before_request(load_user)
    app.before_request(refuse_foreign_posts)


def load_user():
    user_id = session.get("user_id")
    g.user = users.by_id(user_id) if user_id is not None else None


def refuse_foreign_posts():
    """A form on another site must not act for our visitor."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.host:
        abort(403)


def login_required(view):
    @wraps(view)
    def wrapped(*args, **kwargs):
        if g.user is None:
            return redirect(url_for("auth.login", next=request.path))
        return view(*args, **kwargs)

    return wrapped


def admin_required(view):
    @wraps(view)
    def wrapped(*args, **kwargs):
        if g.user is None:
            return redirect(url_for("auth.login", next=request.path))
        if g.user["role"] != "admin":
            abort(403)
        return view(*args, **kwargs)

    return wrapped


def local_path(target):
    """Only paths of this site: `/account`, never `//elsewhere` or `https://elsewhere`."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not target.startswith("/"):
        return None
    if target.startswith("//") or "\\" in target:
        return None
    return target


@bp.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        user = users.authenticate(
            request.form.get("email", ""), request.form.get("password", "")
        )
        if user is None:
            flash("That address and password do not match.")
            return render_template("login.html"), 401
        cart = session.get("cart", {})
        session.clear()
        session["user_id"] = user["id"]
        session["cart"] = cart
        target = local_path(request.args.get("next", ""))
        return redirect(target or url_for("account.overview"))
    return render_template("login.html")


@bp.route("/logout", methods=["POST"])
def logout():
    session.clear()
    return redirect(url_for("catalogue.index"))
