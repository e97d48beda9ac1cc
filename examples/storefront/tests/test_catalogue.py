def test_front_page_lists_products_and_hides_inactive_ones(client):
    page = client.get("/").text
    assert "Enamel mug" in page
    assert "£9.50" in page
    assert "print" not in page


def test_front_page_has_pages_and_sorts(client):
    assert "Beeswax" in client.get("/?sort=price_cents").text
    cheapest = client.get("/?sort=price_cents").text
    assert cheapest.index("Enamel mug") < cheapest.index("Bread knife")
    assert "Wool blanket" in client.get("/?page=2").text


def test_unknown_sort_order_is_the_name(client):
    assert client.get("/?sort=colour").text.count("<li>") == 12


def test_search_finds_by_name_and_summary(client):
    assert "Storm lantern" in client.get("/search?q=gale").text
    assert "1 found" in client.get("/search?q=kettle").text
    assert "0 found" in client.get("/search?q=submarine").text


def test_empty_search_asks(client):
    assert "looking for" in client.get("/search").text


def test_category_page(client):
    page = client.get("/category/outdoors").text
    assert "Hemp rope" in page
    assert "Enamel mug" not in page
    assert client.get("/category/cars").status_code == 404


def test_product_page(client):
    assert "Two litres" in client.get("/products/copper-kettle").text
    assert "Sold out" in client.get("/products/pocket-knife").text
    assert client.get("/products/nothing").status_code == 404


def test_pictures_come_from_the_picture_folder_only(client):
    answer = client.get("/media/mug.svg")
    assert answer.mimetype == "image/svg+xml"
    assert client.get("/media/../settings.py").status_code == 404
    assert client.get("/media/%2e%2e/settings.py").status_code == 404


def test_guides_can_be_downloaded(client):
    assert "linen.txt" in client.get("/guides").text
    answer = client.get("/guides/download?file=linen.txt")
    assert "CARING FOR LINEN" in answer.text
    assert client.get("/guides/download?file=marble.txt").status_code == 404


def test_health(client):
    assert client.get("/healthz").json == {"status": "ok"}
