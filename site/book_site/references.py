"""Links and numbers that plain Markdown can only write as text.

* A displayed formula that ends in ``\\tag{8.4}`` gets that number, and (8.4) in any page's text
  becomes a link to it. In code, in formulas and within other links it stays as it is.
* ``#Solution-8.4``, JupyterLab's form of a link to a heading, leads there on the page as well.
* ``<a id="kingma2014auto"></a>`` at the start of a paragraph makes it the target of links such as
  ``references.md#kingma2014auto``.
"""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

LOGGER = logging.getLogger(__name__)
TAG = re.compile(r"\s*\\tag\{([^}]*)\}")
NUMBER = re.compile(r"\d+\.\d+")
CITED = re.compile(r"\((\d+\.\d+)\)")
ANCHOR = re.compile(r'<a (?:id|name)="([\w:.-]+)">')
LEFT_ALONE = (
    nodes.FixedTextElement,  # code, printed output, displayed formulas
    nodes.literal,
    nodes.math,
    nodes.raw,
    nodes.reference,
    nodes.title,
    addnodes.download_reference,
)


class NumberEquations(SphinxTransform):
    """Take the tag out of each displayed formula, as its number and as the target of links."""

    default_priority = 300

    def apply(self):
        """Note every number with Sphinx's domain of mathematics, which refuses a second one."""
        domain = self.env.get_domain("math")
        for node in self.document.findall(nodes.math_block):
            if not (tags := TAG.findall(node.astext())):
                continue
            number = tags[0]
            if len(tags) > 1 or not NUMBER.fullmatch(number):
                said = ", ".join(tags)
                LOGGER.warning("a display has one number, such as 8.4, not %s", said, location=node)
                continue
            formula = TAG.sub("", node.astext())
            node.rawsource, node.children = formula, []
            node += nodes.Text(formula)
            domain.note_equation(self.env.docname, number, location=node)
            domain.equations[number] = (self.env.docname, number)
            node.update_basic_atts({"ids": [nodes.make_id(f"equation-{number}")]})
            node["number"] = node["label"] = number
            node["docname"] = self.env.docname


class NameAnchors(SphinxTransform):
    """Let links find headings by JupyterLab's names for them, and paragraphs by their anchors."""

    default_priority = 400  # before MyST resolves links within a page

    def apply(self):
        """Add to the names that MyST knows on this page."""
        known = self.env.metadata[self.env.docname].setdefault("myst_slugs", {})
        for section in self.document.findall(nodes.section):
            title = section[0].astext()
            known.setdefault(title.replace(" ", "-"), (section.line, section["ids"][0], title))
        for paragraph in list(self.document.findall(nodes.paragraph)):
            begins_raw = paragraph.children and isinstance(paragraph[0], nodes.raw)
            if begins_raw and (found := ANCHOR.fullmatch(paragraph[0].astext())):
                del paragraph[0:2]  # <a …> and </a>
                paragraph.update_basic_atts({"ids": [found[1]], "classes": ["anchored"]})
                known[found[1]] = (paragraph.line, found[1], paragraph.astext())
        self.document.myst_slugs = known


def link_equations(app, doctree, docname):
    """Turn every (8.4) in the text into a link; one that names no equation is a warning."""
    equations = app.env.get_domain("math").equations
    for text in list(doctree.findall(nodes.Text)):
        pieces = CITED.split(text)
        if len(pieces) == 1 or any(isinstance(above, LEFT_ALONE) for above in ancestors(text)):
            continue
        replaced = []
        for place, piece in enumerate(pieces):
            if place % 2 == 0:
                replaced.append(nodes.Text(piece))
            elif piece not in equations:
                LOGGER.warning("(%s) is the number of no equation", piece, location=text.parent)
                replaced.append(nodes.Text(f"({piece})"))
            else:
                page, _ = equations[piece]
                target, shown = nodes.make_id(f"equation-{piece}"), nodes.Text(f"({piece})")
                replaced.append(make_refnode(app.builder, docname, page, target, shown))
        text.parent.replace(text, [piece for piece in replaced if piece.astext()])


def ancestors(node):
    """The nodes around a node, from the inside out."""
    while node.parent is not None:
        node = node.parent
        yield node


def setup(app):
    """Connect to Sphinx."""
    app.add_transform(NumberEquations)
    app.add_transform(NameAnchors)
    app.connect("doctree-resolved", link_equations)
