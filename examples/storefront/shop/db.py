"""One SQLite connection per request, and the first start of an empty database."""

import os
import sqlite3

import click
from flask import current_app, g

from .settings import PACKAGE

ROOT = os.path.dirname(PACKAGE)


def get_db():
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
        g.db.execute("PRAGMA foreign_keys = ON")
    return g.db


def close_db(_error=None):
    connection = g.pop("db", None)
    if connection is not None:
        connection.close()


def create_schema():
    """Drops everything and loads the demo catalogue."""
    database = get_db()
    for script in ("schema.sql", "seed.sql"):
        with open(os.path.join(ROOT, script), encoding="utf-8") as source:
            database.executescript(source.read())
    database.commit()


@click.command("init-db")
def init_db_command():
    create_schema()
    click.echo("database is ready")


def init_app(app):
    app.teardown_appcontext(close_db)
    app.cli.add_command(init_db_command)
    with app.app_context():
        known = get_db().execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'products'"
        )
        if known.fetchone()[0] == 0:
            create_schema()
