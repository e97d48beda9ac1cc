"""How values look on a page."""


def money(cents):
    """1250 -> £12.50"""
    return f"£{cents // 100}.{cents % 100:02d}"
