"""What stands out: notes, which are block quotes in the sources; promises; captions."""

import re
from itertools import groupby

from docutils import nodes
from sphinx.transforms import SphinxTransform

CELL = "tag_nbval-check-output"
CLAIM, NUMBERS = "✓ ", "    · "
COUNTED = re.compile(r"Each\s+build\s+checks\s+every\s+promise\s+in\s+the\s+book")


class DrawNotes(SphinxTransform):
    """Draw a block quote that begins with bold words as a box with these words as its title."""

    default_priority = 350

    def apply(self):
        """Replace such block quotes; any other stays one."""
        for quote in list(self.document.findall(nodes.block_quote)):
            first = quote[0] if isinstance(quote[0], nodes.paragraph) else nodes.paragraph()
            while first.children and not first[0].astext():
                first.pop(0)  # MyST puts an empty text before bold words
            if not (first.children and isinstance(first[0], nodes.strong)):
                continue
            words = first.pop(0)
            while words.children and not words[-1].astext():
                words.pop()
            title = nodes.title("", "", *words.children)
            if isinstance(title[-1], nodes.Text):
                title.replace(title[-1], nodes.Text(title[-1].removesuffix(".")))
            if first.children and isinstance(first[0], nodes.Text):
                first.replace(first[0], nodes.Text(first[0].lstrip()))
            rest = [child for child in quote.children if child.astext().strip()]
            quote.replace_self(nodes.admonition("", title, *rest, classes=["note"]))


def printed(doctree) -> list[nodes.literal_block]:
    """What the promises of a page print."""
    cells = [cell for cell in doctree.findall(nodes.container) if CELL in cell["classes"]]
    blocks = (block for cell in cells for block in cell.findall(nodes.literal_block))
    return [block for block in blocks if block.astext().startswith(CLAIM)]


def count_promises(app, doctree):
    """Remember how many promises stand on a page."""
    lines = [line for block in printed(doctree) for line in block.astext().splitlines()]
    count = sum(line.startswith(CLAIM) for line in lines)
    app.env.metadata[app.env.docname]["promises"] = count


def total(env) -> int:
    """How many promises the build has checked: each of them raises where it fails."""
    return sum(page.get("promises", 0) for page in env.metadata.values())


def renew_landing_page(app, env):
    """Write the landing page again where the number on it is no longer true."""
    before, env.book_promises = getattr(env, "book_promises", None), total(env)
    return [] if before == env.book_promises else [app.config.root_doc]


def state_count(app, doctree, docname):
    """Add the number of promises to the sentence that says that they are checked."""
    for paragraph in doctree.findall(nodes.paragraph):
        if COUNTED.search(paragraph.astext()):
            runs = groupby(paragraph.children, lambda child: isinstance(child, nodes.Text))
            count = rf"\g<0>, {total(app.env):,} of them in the last one"
            paragraph.children = []
            for is_text, run in runs:  # MyST begins a new text with each line
                text = "".join(run) if is_text else ""
                paragraph += [nodes.Text(COUNTED.sub(count, text))] if is_text else list(run)


def draw_promises(app, doctree, docname):
    """Set claims apart from the numbers they rest on; other printed text stays as it is."""
    for block in printed(doctree):
        lines = block.astext().splitlines()
        if not all(line.startswith((CLAIM, NUMBERS)) for line in lines):
            continue
        box = nodes.container(classes=["promise"])
        for line in lines:
            kind = "promise-claim" if line.startswith(CLAIM) else "promise-numbers"
            shown = line.removeprefix(NUMBERS)
            box += nodes.paragraph("", shown, classes=[kind])
        block.replace_self(box)


def part_captions(app, doctree):
    """Give a figure's caption, a first sentence in italics, a paragraph of its own."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code" or cell.parent is None:
            continue
        after = cell.next_node(descend=False, siblings=True)
        if not isinstance(after, nodes.paragraph) or len(after.children) < 2:
            continue
        texts = [child for child in after.children if child.astext().strip()]
        if len(texts) > 1 and isinstance(texts[0], nodes.emphasis) and texts[0].astext()[-1] == ".":
            at = after.index(texts[0]) + 1
            rest = nodes.paragraph("", "", *(child.deepcopy() for child in after.children[at:]))
            first = next(child for child in rest.children if child.astext().strip())
            if isinstance(first, nodes.Text):
                rest.replace(first, nodes.Text(first.lstrip()))
            rest.source, rest.line = after.source, after.line
            del after[at:]
            after.parent.insert(after.parent.index(after) + 1, rest)


def mark_solutions(app, doctree):
    """Name the cells of solutions, so that what they print is not printed without them."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code" and cell.astext().startswith("# Solution "):
            cell["classes"].append("solution")


def name_imports(app, doctree):
    """Say on the fold of a page's imports, its first, what is in it."""
    cells = (c for c in doctree.findall(nodes.container) if c.get("nb_element") == "cell_code")
    folded = (cell for cell in cells if "tag_hide-input" in cell["classes"])
    if (first := next(folded, None)) and len(first.children) == 1:  # it shows nothing
        first["prompt_show"], first["prompt_hide"] = "Show the imports", "Hide the imports"


def setup(app):
    """Connect to Sphinx."""
    app.add_transform(DrawNotes)
    app.connect("doctree-read", name_imports)
    app.connect("doctree-read", part_captions)
    app.connect("doctree-read", mark_solutions)
    app.connect("doctree-read", count_promises)
    app.connect("env-updated", renew_landing_page)
    app.connect("doctree-resolved", state_count)
    app.connect("doctree-resolved", draw_promises)
