def test_products(client):
    answer = client.get("/api/products").json
    assert answer["page"] == 1
    assert answer["products"][0]["slug"] == "beeswax-candle"


def test_one_product(client):
    assert client.get("/api/products/1").json["price_cents"] == 950
    assert client.get("/api/products/99").status_code == 404


def test_orders_need_an_account(client, sign_in):
    assert client.get("/api/orders").status_code == 302
    orders = sign_in("ruth@customer.example").get("/api/orders").json["orders"]
    assert [order["id"] for order in orders] == [1004, 1002]


def test_stock_is_set_by_admins(client, sign_in):
    assert client.patch("/api/products/1", json={"stock": 5}).status_code == 302
    admin = sign_in("maren@saltmarsh.example")
    assert admin.patch("/api/products/1", json={"stock": 5}).json["stock"] == 5
    assert admin.patch("/api/products/1", json={"stock": "5"}).status_code == 400
    assert admin.patch("/api/products/1", json={"stock": -1}).status_code == 400
    assert admin.patch("/api/products/99", json={"stock": 1}).status_code == 404
