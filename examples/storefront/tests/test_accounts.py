import pytest


def test_wrong_password_is_refused(client):
    answer = client.post(
        "/login", data={"email": "tom@customer.example", "password": "guess"}
    )
    assert answer.status_code == 401
    assert client.get("/account/").status_code == 302


def test_login_goes_back_to_where_it_started(client):
    start = client.get("/account/orders/1001")
    assert start.location == "/login?next=/account/orders/1001"
    answer = client.post(
        start.location,
        data={"email": "tom@customer.example", "password": "linen-apron-9"},
    )
    assert answer.location == "/account/orders/1001"


@pytest.mark.parametrize(
    "target", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere"]
)
def test_login_does_not_leave_the_site(client, target):
    answer = client.post(
        "/login",
        query_string={"next": target},
        data={"email": "tom@customer.example", "password": "linen-apron-9"},
    )
    assert answer.location == "/account/"


def test_logout(customer):
    customer.post("/logout")
    assert customer.get("/account/").status_code == 302


def test_password_can_be_changed(customer):
    form = {"current": "linen-apron-9", "password": "a boat in the reeds"}
    customer.post("/account/password", data=form)
    customer.post("/logout")
    answer = customer.post(
        "/login", data={"email": "tom@customer.example", "password": form["password"]}
    )
    assert answer.status_code == 302


def test_short_or_unconfirmed_passwords_are_not_taken(customer):
    for form in (
        {"current": "linen-apron-9", "password": "short"},
        {"current": "something else", "password": "a boat in the reeds"},
    ):
        customer.post("/account/password", data=form)
    customer.post("/logout")
    answer = customer.post(
        "/login", data={"email": "tom@customer.example", "password": "linen-apron-9"}
    )
    assert answer.status_code == 302


def test_posts_from_other_sites_are_refused(customer):
    answer = customer.post("/logout", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
