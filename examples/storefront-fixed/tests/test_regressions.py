import io
import tarfile

import pytest


@pytest.mark.parametrize(
    "term",
    [
        "' OR '1'='1",
        "zzz' UNION SELECT 1, email, password_hash, name, role, 0, 0, '' FROM users --",
        "'",
    ],
)
def test_a_search_term_is_a_value_and_never_sql(client, term):
    answer = client.get("/search", query_string={"q": term})
    assert answer.status_code == 200
    assert "0 found" in answer.text
    assert "scrypt" not in answer.text


@pytest.mark.parametrize(
    "name",
    ["../settings.py", "../../schema.sql", "/etc/passwd", "..", "", "./../db.py"],
)
def test_guides_come_from_the_guide_folder_only(client, name):
    answer = client.get("/guides/download", query_string={"file": name})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "label",
    [
        "x; touch {mark}",
        "$(touch {mark})",
        "`touch {mark}`",
        "x\ntouch {mark}",
        "-x",
        "a/b",
    ],
)
def test_a_report_label_is_a_name_and_never_a_command(admin, tmp_path, label):
    mark = tmp_path / "mark"
    form = {"month": "2026-08", "label": label.format(mark=mark)}
    answer = admin.post("/admin/reports", data=form, follow_redirects=True)
    assert "folder name does not do" in answer.text
    assert not mark.exists()


def test_a_label_with_a_space_is_fine(admin):
    form = {"month": "2026-08", "label": "august 2026"}
    answer = admin.post("/admin/reports", data=form)
    with tarfile.open(fileobj=io.BytesIO(answer.data)) as archive:
        assert archive.getnames() == ["august 2026/sales.csv"]
