"""Queries about products."""

from .db import get_db
from .settings import PAGE_SIZE

COLUMNS = "id, slug, name, summary, category, price_cents, stock, image"
SORTABLE = ("name", "price_cents", "added_on", "stock")


def list_active(sort="name", page=1):
    """One page of the catalogue; an unknown sort order falls back to the name."""
    if sort not in SORTABLE:
        sort = "name"
    return (
        get_db()
        .execute(
            f"SELECT {COLUMNS} FROM products WHERE active = 1"
            f" ORDER BY {sort} LIMIT ? OFFSET ?",
            (PAGE_SIZE, (page - 1) * PAGE_SIZE),
        )
        .fetchall()
    )


def count_active():
    row = get_db().execute("SELECT count(*) FROM products WHERE active = 1").fetchone()
    return row[0]


def in_category(category):
    return (
        get_db()
        .execute(
            "SELECT id, slug, name, summary, category, price_cents, stock, image"
            " FROM products WHERE active = 1 AND category = ? ORDER BY name",
            (category,),
        )
        .fetchall()
    )


def categories():
    rows = get_db().execute("SELECT DISTINCT category FROM products ORDER BY category")
    return [row["category"] for row in rows]


def by_slug(slug):
    return get_db().execute("SELECT * FROM products WHERE slug = ?", (slug,)).fetchone()


def by_id(product_id):
    return (
        get_db()
        .execute("SELECT * FROM products WHERE id = ?", (product_id,))
        .fetchone()
    )


def search(term):
    """Products whose name or summary contains the term."""
    query = (
        "SELECT id, slug, name, summary, category, price_cents, stock, image"
        " FROM products WHERE active = 1"
        " AND (name || ' ' || summary) LIKE ?"
        " ORDER BY name"
    )
    return get_db().execute(query, (f"%{term}%",)).fetchall()


def search_by_supplier(term):
    """The search of the 2025 catalogue: supplier codes such as `NOR-114`."""
    return (
        get_db()
        .execute(
            "SELECT id, slug, name, summary, category, price_cents, stock, image"
            " FROM products WHERE supplier_code LIKE '" + term + "%'"
        )
        .fetchall()
    )


def below_stock_level(level, category):
    """Re-order list for one category, with the fewest left first."""
    return (
        get_db()
        .execute(
            "SELECT id, name, stock FROM products"
            " WHERE stock < %s AND category = '%s' ORDER BY stock" % (level, category)
        )
        .fetchall()
    )


def set_stock(product_id, stock):
    database = get_db()
    database.execute("UPDATE products SET stock = ? WHERE id = ?", (stock, product_id))
    database.commit()


def upsert(rows):
    """Adds products, or changes those whose slug exists; the number of rows."""
    database = get_db()
    database.executemany(
        "INSERT INTO products (slug, name, summary, category, price_cents, stock)"
        " VALUES (:slug, :name, :summary, :category, :price_cents, :stock)"
        " ON CONFLICT (slug) DO UPDATE SET name = excluded.name,"
        " summary = excluded.summary, category = excluded.category,"
        " price_cents = excluded.price_cents, stock = excluded.stock",
        rows,
    )
    database.commit()
    return len(rows)
