"""People who can sign in."""

from werkzeug.security import check_password_hash, generate_password_hash

from .db import get_db


def by_id(user_id):
    return (
        get_db()
        .execute("SELECT id, email, name, role FROM users WHERE id = ?", (user_id,))
        .fetchone()
    )


def authenticate(email, password):
    """The user, or None when the address or the password is wrong."""
    user = (
        get_db()
        .execute("SELECT * FROM users WHERE email = ?", (email.lower(),))
        .fetchone()
    )
    if user is None or not check_password_hash(user["password_hash"], password):
        return None
    return user


def change_password(user_id, password):
    database = get_db()
    database.execute(
        "UPDATE users SET password_hash = ? WHERE id = ?",
        (generate_password_hash(password), user_id),
    )
    database.commit()
