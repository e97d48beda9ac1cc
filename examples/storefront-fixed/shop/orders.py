"""Orders: placing them, and what was sold."""

from .db import get_db


def place(user_id, lines, note=""):
    """Stores an order for `[(product, quantity)]` and takes it off the stock; its number."""
    database = get_db()
    total = sum(product["price_cents"] * quantity for product, quantity in lines)
    cursor = database.execute(
        "INSERT INTO orders (user_id, placed_on, total_cents, note)"
        " VALUES (?, date('now'), ?, ?)",
        (user_id, total, note),
    )
    order_id = cursor.lastrowid
    for product, quantity in lines:
        database.execute(
            "INSERT INTO order_lines (order_id, product_id, quantity, price_cents)"
            " VALUES (?, ?, ?, ?)",
            (order_id, product["id"], quantity, product["price_cents"]),
        )
        database.execute(
            "UPDATE products SET stock = stock - ? WHERE id = ?",
            (quantity, product["id"]),
        )
    database.commit()
    return order_id


def of_user(user_id):
    return (
        get_db()
        .execute(
            "SELECT id, placed_on, total_cents FROM orders WHERE user_id = ?"
            " ORDER BY id DESC",
            (user_id,),
        )
        .fetchall()
    )


def find(order_id, user_id):
    """An order of this user; None when it does not exist or is somebody else's."""
    return (
        get_db()
        .execute(
            "SELECT * FROM orders WHERE id = ? AND user_id = ?", (order_id, user_id)
        )
        .fetchone()
    )


def lines_of(order_id):
    return (
        get_db()
        .execute(
            "SELECT products.name, order_lines.quantity, order_lines.price_cents"
            " FROM order_lines JOIN products ON products.id = order_lines.product_id"
            " WHERE order_lines.order_id = ? ORDER BY products.name",
            (order_id,),
        )
        .fetchall()
    )


def months():
    rows = get_db().execute(
        "SELECT DISTINCT substr(placed_on, 1, 7) AS month FROM orders ORDER BY month DESC"
    )
    return [row["month"] for row in rows]


def sales_in(month):
    """What was sold in a month such as `2026-03`."""
    return (
        get_db()
        .execute(
            "SELECT products.name, sum(order_lines.quantity) AS sold,"
            " sum(order_lines.quantity * order_lines.price_cents) AS revenue_cents"
            " FROM order_lines"
            " JOIN orders ON orders.id = order_lines.order_id"
            " JOIN products ON products.id = order_lines.product_id"
            " WHERE substr(orders.placed_on, 1, 7) = ?"
            " GROUP BY products.id",
            (month,),
        )
        .fetchall()
    )


def with_note(text):
    return (
        get_db()
        .execute(f"SELECT id, note FROM orders WHERE note LIKE '%{text}%'")
        .fetchall()
    )


def gift_orders(greeting):
    """Orders to be wrapped, for the packing list of the old warehouse."""
    return [row["id"] for row in with_note(greeting)]
