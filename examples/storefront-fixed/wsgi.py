"""Entry point for the development server and for gunicorn (`wsgi:app`)."""

import os

from shop import create_app

app = create_app()

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "5000")))
