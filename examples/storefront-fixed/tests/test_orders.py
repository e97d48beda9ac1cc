def test_checkout_places_an_order_and_takes_stock(customer):
    customer.post("/cart/add", data={"product_id": 2, "quantity": 2})
    assert "£168.00" in customer.get("/cart").text
    answer = customer.post("/checkout", data={"note": "ring twice"})
    assert answer.status_code == 302
    order = customer.get(answer.location).text
    assert "Copper kettle" in order
    assert "ring twice" in order
    assert customer.get("/api/products/2").json["stock"] == 7
    assert "nothing in it" in customer.get("/cart").text


def test_checkout_needs_an_account(client):
    client.post("/cart/add", data={"product_id": 1})
    answer = client.post("/checkout")
    assert "/login" in answer.location


def test_basket_survives_the_login(client, sign_in):
    client.post("/cart/add", data={"product_id": 1})
    assert "Enamel mug" in sign_in("tom@customer.example").get("/cart").text


def test_more_than_there_is_cannot_be_ordered(customer):
    customer.post("/cart/add", data={"product_id": 2, "quantity": 15})
    customer.post("/checkout")
    assert "Only 9 of Copper kettle left." in customer.get("/cart").text


def test_quantity_zero_takes_a_product_out(customer):
    customer.post("/cart/add", data={"product_id": 1, "quantity": 3})
    customer.post("/cart/add", data={"product_id": 1, "quantity": 0})
    assert "Enamel mug" not in customer.get("/cart").text.split("<h1>")[1]


def test_unknown_product_cannot_be_added(client):
    assert client.post("/cart/add", data={"product_id": 999}).status_code == 404
    assert client.post("/cart/add").status_code == 404


def test_customers_see_their_own_orders_only(customer):
    assert "1001" in customer.get("/account/").text
    assert customer.get("/account/orders/1001").status_code == 200
    assert customer.get("/account/orders/1002").status_code == 404
    assert customer.get("/account/orders/1002/invoice").status_code == 404


def test_invoice(customer):
    invoice = customer.get("/account/orders/1001/invoice")
    assert "Invoice 1001 of 2026-08-14" in invoice.text
    assert "£103.00" in invoice.text
    assert "invoice-1001.txt" in invoice.headers["Content-Disposition"]
