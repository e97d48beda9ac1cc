"""Switches and places that are the same in every environment."""

import os

PACKAGE = os.path.dirname(os.path.abspath(__file__))
GUIDE_DIR = os.path.join(PACKAGE, "guides")
DRAFT_DIR = os.path.join(PACKAGE, "drafts")
THEME_DIR = os.path.join(PACKAGE, "themes")
MEDIA_DIR = os.path.join(PACKAGE, "media")
SNAPSHOT_DIR = "/var/lib/saltmarsh/snapshots"

PAGE_SIZE = 12

# The supplier search went away with the 2025 catalogue; the old query stays until the
# warehouse has moved to the API.
LEGACY_SEARCH = False
