"""Product lists from suppliers, as CSV."""

import csv
import io

COLUMNS = ("slug", "name", "summary", "category", "price", "stock")


class BadFile(ValueError):
    """The list cannot be used; the message says which line."""


def parse(content):
    """Rows ready for `products.upsert`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile("the file is not UTF-8") from error
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise BadFile("missing columns: " + ", ".join(missing))
    rows = []
    for number, row in enumerate(reader, start=2):
        try:
            rows.append(
                {
                    "slug": row["slug"].strip().lower(),
                    "name": row["name"].strip(),
                    "summary": row["summary"].strip(),
                    "category": row["category"].strip().lower(),
                    "price_cents": round(float(row["price"]) * 100),
                    "stock": int(row["stock"]),
                }
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise BadFile(f"line {number} has no usable price or stock") from error
    return rows
