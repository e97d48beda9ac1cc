import pytest

from shop import create_app


@pytest.fixture
def app(tmp_path):
    return create_app(
        {
            "TESTING": True,
            "SECRET_KEY": "only for tests",
            "DATABASE": str(tmp_path / "shop.sqlite"),
            "IMPORT_LOG": str(tmp_path / "import.log"),
        }
    )


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def sign_in(client):
    passwords = {
        "maren@saltmarsh.example": "tides-and-ropes",
        "tom@customer.example": "linen-apron-9",
        "ruth@customer.example": "copper-kettle-7",
    }

    def sign_in(email):
        answer = client.post(
            "/login", data={"email": email, "password": passwords[email]}
        )
        assert answer.status_code == 302
        return client

    return sign_in


@pytest.fixture
def customer(sign_in):
    return sign_in("tom@customer.example")


@pytest.fixture
def admin(sign_in):
    return sign_in("maren@saltmarsh.example")
