"""Saltmarsh Supply: the web shop."""

import os
import secrets

from flask import Flask, render_template

from . import account, admin, api, auth, cart, catalogue, db, guides
from .format import money


def create_app(config=None):
    app = Flask(__name__, instance_relative_config=True)
    app.config.from_mapping(
        SECRET_KEY=os.environ.get("SHOP_SECRET_KEY") or secrets.token_hex(32),
        DATABASE=os.environ.get(
            "SHOP_DATABASE", os.path.join(app.instance_path, "shop.sqlite")
        ),
        IMPORT_LOG=os.path.join(app.instance_path, "import.log"),
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    if config:
        app.config.from_mapping(config)
    os.makedirs(app.instance_path, exist_ok=True)

    db.init_app(app)
    auth.init_app(app)
    app.jinja_env.filters["money"] = money

    app.register_blueprint(auth.bp)
    app.register_blueprint(catalogue.bp)
    app.register_blueprint(cart.bp)
    app.register_blueprint(account.bp)
    app.register_blueprint(admin.bp, url_prefix="/admin")
    app.register_blueprint(api.bp, url_prefix="/api")
    app.add_url_rule("/guides", view_func=guides.index, endpoint="guides")
    app.add_url_rule(
        "/guides/download", view_func=guides.download, endpoint="guide_download"
    )
    app.add_url_rule("/healthz", view_func=healthz)

    @app.errorhandler(403)
    @app.errorhandler(404)
    def show_error(error):
        return render_template("error.html", error=error), error.code

    return app


def healthz():
    db.get_db().execute("SELECT 1")
    return {"status": "ok"}
