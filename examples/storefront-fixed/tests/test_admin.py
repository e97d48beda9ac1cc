import io
import tarfile

import pytest

CSV = (
    "slug,name,summary,category,price,stock\n"
    "clay-pot,Clay pot,For herbs on the sill.,home,14.50,30\n"
    "enamel-mug,Enamel mug,Half a pint.,kitchen,8.75,200\n"
)


def upload(client, content, name="spring.csv"):
    return client.post(
        "/admin/import",
        data={"file": (io.BytesIO(content.encode()), name)},
        follow_redirects=True,
    )


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/import", "/admin/import/log", "/admin/reports"]
)
def test_back_office_is_for_admins(client, sign_in, path):
    assert "/login" in client.get(path).location
    assert sign_in("tom@customer.example").get(path).status_code == 403


def test_overview_shows_the_lowest_stock_first(admin):
    page = admin.get("/admin/").text
    assert page.index("Pocket knife") < page.index("Copper kettle")


def test_import_adds_and_changes_products(admin):
    assert "2 products imported" in upload(admin, CSV).text
    assert "£14.50" in admin.get("/products/clay-pot").text
    assert "£8.75" in admin.get("/products/enamel-mug").text
    assert "spring.csv" in admin.get("/admin/").text


@pytest.mark.parametrize(
    "content, words",
    [
        ("slug,name\n", "missing columns: summary, category, price, stock"),
        (CSV + "x,X,x,home,cheap,1\n", "line 4 has no usable price or stock"),
        (CSV + "x,X\n", "line 4 has no usable price or stock"),
    ],
)
def test_bad_files_import_nothing(admin, content, words):
    assert words in upload(admin, content).text
    assert admin.get("/products/clay-pot").status_code == 404


def test_import_log_can_be_searched(admin):
    upload(admin, CSV)
    assert "1 lines mention" in admin.get("/admin/import/log?contains=SPRING").text
    assert "0 lines mention" in admin.get("/admin/import/log?contains=autumn").text
    assert "0 lines mention" in admin.get("/admin/import/log?contains=';id").text


def test_sales_report_is_an_archive_with_the_best_seller_first(admin):
    assert "2026-08" in admin.get("/admin/reports").text
    answer = admin.post("/admin/reports", data={"month": "2026-08", "label": "august"})
    with tarfile.open(fileobj=io.BytesIO(answer.data)) as archive:
        assert archive.getnames() == ["august/sales.csv"]
        rows = archive.extractfile("august/sales.csv").read().decode().splitlines()
    assert rows[0] == "Enamel mug,2,1900"
    assert len(rows) == 3
