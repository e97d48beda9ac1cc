"""Sales reports and the import log, with the tools that are on every server."""

import csv
import os
import re
import shlex
import subprocess
import tempfile

from flask import current_app

from . import orders

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,39}")


class BadLabel(ValueError):
    """The label cannot name a folder."""


def write_sales(path, month):
    with open(path, "w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        for row in orders.sales_in(month):
            writer.writerow([row["name"], row["sold"], row["revenue_cents"]])


def sales_archive(month, label):
    """A tar file with the month's sales, best seller first, in a folder named by the label."""
    if not LABEL.fullmatch(label):
        raise BadLabel("letters, digits, spaces and dashes, at most forty")
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        write_sales(os.path.join(folder, "unsorted.csv"), month)
        subprocess.run(
            ["sort", "-t,", "-k2,2nr", "-o", "sales.csv", "unsorted.csv"],
            cwd=folder,
            check=True,
        )
        subprocess.run(
            [
                "tar",
                "-czf",
                "report.tar.gz",
                "--transform",
                f"s,^,{label}/,",
                "sales.csv",
            ],
            cwd=folder,
            check=True,
        )
        with open(os.path.join(folder, "report.tar.gz"), "rb") as archive:
            return archive.read()


def count_in_log(text):
    """How many lines of the import log mention the text."""
    log = shlex.quote(current_app.config["IMPORT_LOG"])
    command = f"grep -c -i -F -e {shlex.quote(text)} {log}"
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    return int(result.stdout.strip() or 0)


def mail_report(address, path):
    """Sends a finished report through the server's own mailer."""
    return os.system(f"mail -s 'Sales report' {address} < {path}")


def log_import(name, count):
    with open(current_app.config["IMPORT_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{name!r}: {count} products\n")


def recent_imports(limit=20):
    try:
        with open(current_app.config["IMPORT_LOG"], encoding="utf-8") as log:
            return log.read().splitlines()[-limit:]
    except FileNotFoundError:
        return []
