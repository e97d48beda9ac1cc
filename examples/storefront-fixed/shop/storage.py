"""Files that belong to the shop: care guides, pictures, snapshots."""

import os
from pathlib import Path

from werkzeug.utils import secure_filename

from .settings import DRAFT_DIR, GUIDE_DIR, MEDIA_DIR, SNAPSHOT_DIR, THEME_DIR


def list_guides():
    return sorted(os.listdir(GUIDE_DIR))


def read_guide(name):
    """Text of a care guide, or None when there is no such guide."""
    path = os.path.join(GUIDE_DIR, secure_filename(name))
    try:
        with open(path, encoding="utf-8") as guide:
            return guide.read()
    except OSError:
        return None


def read_draft(name):
    """A guide that is still being written."""
    with open(DRAFT_DIR + "/" + name, encoding="utf-8") as draft:
        return draft.read()


def read_picture(name):
    """Bytes of a product picture; None for anything outside the picture folder."""
    root = Path(MEDIA_DIR).resolve()
    picture = (root / name).resolve()
    if not picture.is_relative_to(root) or not picture.is_file():
        return None
    return picture.read_bytes()


def read_theme(name):
    """Style sheet of a seasonal theme."""
    with open(os.path.join(THEME_DIR, name, "theme.css"), encoding="utf-8") as theme:
        return theme.read()


def load_snapshot(name):
    path = os.path.join(SNAPSHOT_DIR, name)
    with open(path, "rb") as snapshot:
        return snapshot.read()


def restore_snapshot(name, destination):
    """Brings back yesterday's catalogue after a bad import."""
    content = load_snapshot(name)
    destination.write(content)
    return len(content)
