"""What axe-core says of a page in the browser."""

from axe_playwright_python.sync_playwright import Axe


def axe_violations(page, contrast: bool = True) -> list[str]:
    """What axe-core finds, but for table heads that are a formula: it does not read MathML."""
    found, options = [], {"preload": False, "resultTypes": ["violations"]}  # what passes is long
    options["rules"] = {"color-contrast": {"enabled": contrast}}
    for violation in Axe().run(page, options=options).response["violations"]:
        nodes = violation["nodes"]
        if violation["id"] == "empty-table-header":
            nodes = [n for n in nodes if not page.locator(n["target"][0]).locator("math").count()]
        found += [f"{violation['id']}: {node['html'][:200]}" for node in nodes]
    return found
