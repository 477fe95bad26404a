"""What axe-core says of a page in the browser."""

from axe_playwright_python.sync_playwright import Axe

# Most rules read the document, which is the same however it is looked at. These look.
COLOURS = ["color-contrast", "link-in-text-block"]
LAYOUT = ["scrollable-region-focusable", "target-size"]

# A chapter holds thousands of pieces of code and formulas in a few colours. Of those that have the
# same colour, size and weight on the same ground one is left to see: axe looks at each it can see.
ONE_OF_A_KIND = """() => {
  const seen = new Set();
  for (const node of document.querySelectorAll("pre span, .katex")) {
    if (!node.checkVisibility({ visibilityProperty: true }) || !node.textContent.trim()) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(node);
    let ground = node;
    const fill = () => getComputedStyle(ground).backgroundColor;
    while (ground.parentElement && fill() === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
    const look = [node.className, color, fontSize, fontWeight, fill()].join();
    if (seen.has(look)) node.style.visibility = "hidden";
    seen.add(look);
  }
}"""


def axe_violations(page, rules: list[str] | None = None) -> list[str]:
    """What axe-core finds, by some rules or by all. It leaves code and formulas hidden."""
    if rules is None:
        found = _violations(page, rules={name: {"enabled": False} for name in COLOURS})
    else:
        others = [name for name in rules if name not in COLOURS]
        found = _violations(page, only=others) if others else []
    if colours := [name for name in COLOURS if rules is None or name in rules]:
        page.evaluate(ONE_OF_A_KIND)
        found += _violations(page, only=colours)
    return found


def _violations(page, rules: dict | None = None, only: list[str] | None = None) -> list[str]:
    """The same in one run, but for table heads that are a formula: axe does not read MathML."""
    options = {"preload": False, "resultTypes": ["violations"], "rules": rules or {}}
    if only is not None:
        options["runOnly"] = {"type": "rule", "values": only}
    found = []
    for violation in Axe().run(page, options=options).response["violations"]:
        nodes = violation["nodes"]
        if violation["id"] == "empty-table-header":
            nodes = [n for n in nodes if not page.locator(n["target"][0]).locator("math").count()]
        found += [f"{violation['id']}: {node['html'][:200]}" for node in nodes]
    return found
