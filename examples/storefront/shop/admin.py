"""The back office: stock, imports, reports."""

from io import BytesIO

from flask import (
    Blueprint,
    flash,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask.views import MethodView

from . import imports, maintenance, orders, products, reports
from .auth import admin_required

bp = Blueprint("admin", __name__)

DEBUG_TOOLS = False


@bp.route("/")
@admin_required
def overview():
    answer = None
    if DEBUG_TOOLS and request.args.get("host"):
        answer = maintenance.resolve_host(request.args["host"])
    return render_template(
        "admin/index.html",
        products=products.list_active("stock"),
        imports=reports.recent_imports(),
        answer=answer,
    )


@bp.route("/import", methods=["GET", "POST"])
@admin_required
def import_products():
    if request.method == "POST":
        upload = request.files.get("file")
        if upload is None:
            flash("Choose a CSV file first.")
            return redirect(url_for("admin.import_products"))
        try:
            count = products.upsert(imports.parse(upload.read()))
        except imports.BadFile as error:
            flash(f"Nothing was imported: {error}.")
            return redirect(url_for("admin.import_products"))
        reports.log_import(upload.filename, count)
        flash(f"{count} products imported.")
        return redirect(url_for("admin.overview"))
    return render_template("admin/import.html", columns=imports.COLUMNS)


@bp.route("/import/log")
@admin_required
def search_log():
    text = request.args.get("contains", "")
    count = reports.count_in_log(text) if text else None
    return render_template("admin/log.html", text=text, count=count)


class SalesReport(MethodView):
    """Choose a month; get its sales as an archive."""

    decorators = [admin_required]

    def get(self):
        return render_template("admin/reports.html", months=orders.months())

    def post(self):
        month = request.form.get("month", "")
        label = request.form.get("label") or "sales"
        archive = reports.sales_archive(month, label)
        return send_file(
            BytesIO(archive),
            mimetype="application/gzip",
            as_attachment=True,
            download_name="sales-report.tar.gz",
        )


bp.add_url_rule("/reports", view_func=SalesReport.as_view("reports"))
