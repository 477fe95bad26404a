"""The landing page's map: a table in the notebook, and on the page a picture that can be read.

The table lists chapters in order, below a row with the name of each part: what each builds on,
and what can be touched in it. The picture has a station for each chapter and a line from each to
every chapter that builds on it, laid out by the style sheet, so that it fits any screen and size
of letters. The minutes it takes to read a chapter are counted.
"""

import html
import re
from itertools import count

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

PACE = 150  # words a minute, of a text with formulas
STEP = 5  # minutes are rounded to these
UNREAD = (nodes.FixedTextElement, nodes.math, nodes.raw, nodes.comment)
CHAPTER = re.compile(r"(\d+)\. ")


def words_of(doctree) -> int:
    """The words of a page's text; a formula in a line counts as one."""
    formulas = len(list(doctree.findall(nodes.math)))
    texts = (t for t in doctree.findall(nodes.Text) if not isinstance(t.parent, UNREAD))
    return formulas + sum(len(text.split()) for text in texts)


def minutes(words: int) -> int:
    """How long it takes to read so many words, rounded."""
    return max(STEP, STEP * round(words / PACE / STEP))


def count_words(app, doctree):
    """Remember how long it takes to read a page."""
    app.env.metadata[app.env.docname]["minutes"] = minutes(words_of(doctree))


def renew_map(app, env):
    """Write the landing page again where a page has become longer or shorter."""
    now = {name: page.get("minutes") for name, page in env.metadata.items()}
    now.pop(app.config.root_doc, None)
    before, env.book_minutes = getattr(env, "book_minutes", None), now
    return [] if before == now else [app.config.root_doc]


def lanes(lines: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A lane for each line from one row to another, 0 for a line to the next station.

    Lines whose rows overlap get lanes of their own; the shorter a line, the nearer its lane.
    """
    taken: list[list[tuple[int, int]]] = []
    found = {}
    for line in sorted(lines, key=lambda line: (line[1] - line[0], line)):
        start, end = line
        for lane in count():
            if lane == len(taken):
                taken.append([])
            if all(end <= a or b <= start for a, b in taken[lane]):
                break
        taken[lane].append(line)
        found[line] = lane
    return found


def cells_of(row) -> list:
    return [entry.children[0] if entry.children else nodes.paragraph() for entry in row]


class DrawMap(SphinxPostTransform):
    """Draw the table of chapters on the landing page as their map."""

    default_priority = 200  # links have been resolved
    formats = ("html",)

    def run(self, **kwargs):
        """Replace the table whose first chapter is numbered 1."""
        if self.env.docname != self.config.root_doc:
            return
        for table in list(self.document.findall(nodes.table)):
            rows = [cells_of(row) for row in table[0][-1]]
            if any(CHAPTER.match(cells[0].astext()) for cells in rows):
                table.parent.replace(table, self.drawn(rows))

    def drawn(self, rows) -> list[nodes.Node]:
        """Rows of the grid: parts and stations, and behind them the lines."""
        places = {}  # of a chapter's number, its row
        for place, cells in enumerate(rows, start=1):
            if found := CHAPTER.match(cells[0].astext()):
                places[found[1]] = place
        part, made, lines = 0, [], []
        for place, cells in enumerate(rows, start=1):
            found = CHAPTER.match(cells[0].astext())
            if not found:
                part += 1
                made += self.part(place, part, cells[0].astext())
                continue
            needed = re.findall(r"\d+", cells[1].astext())
            lines += [(places[number], place) for number in needed]
            made += self.station(place, part, cells, needed)
        drawn, width = drawn_lines(direct(lines), list(places.values()))
        head = f'<div class="book-map" style="--lanes:{width}" role="list" aria-label="Chapters">'
        return [raw(head), raw(drawn), *made, raw("</div>")]

    def part(self, place: int, part: int, name: str) -> list[nodes.Node]:
        """The name of a part of the book."""
        head = f'<div class="map-part part-{part}" style="grid-row:{place}" role="listitem">'
        return [raw(f"{head}{html.escape(name)}</div>")]

    def station(self, place: int, part: int, cells, needed) -> list[nodes.Node]:
        """A chapter: its link and subject, minutes, what it builds on, what can be touched."""
        link = next(cells[0].findall(nodes.reference))
        name = link.get("refuri", "").rpartition("/")[2].removesuffix(".html")
        folder = self.env.docname.rpartition("/")[0]
        page = self.env.metadata[f"{folder}/{name}" if folder else name]
        facts = f"{page['minutes']} min" if "minutes" in page else ""
        if needed:
            facts += f" · builds on {', '.join(needed)}"
        touched = html.escape(cells[2].astext())
        touch = f'<span class="map-touch"><b>Touch</b> {touched}</span>' if touched else ""
        place_of = f'style="grid-row:{place}" role="listitem"'
        return [
            raw(f'<div class="map-station part-{part}" {place_of}>'),
            cells[0],
            raw(f'<p class="map-facts"><span>{facts}</span>{touch}</p></div>'),
        ]


def direct(lines: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The lines without those that others imply: what 8 builds on by way of 7 has no line to 8."""
    needs = {end: [a for a, b in lines if b == end] for _, end in lines}

    def reaches(start: int, end: int) -> bool:
        return start == end or any(reaches(start, need) for need in needs.get(end, []))

    return [
        (a, b) for a, b in lines if not any(reaches(a, other) for other in needs[b] if other != a)
    ]


def drawn_lines(lines: list[tuple[int, int]], stations: list[int]) -> tuple[str, int]:
    """The lines between stations, each a border of a box that spans their rows; how many lanes."""
    straight = {(a, b) for a, b in lines if not any(a < row < b for row in stations)}
    lane = lanes([line for line in lines if line not in straight])
    boxes = "".join(
        f'<span style="grid-row:{a}/{b};--lane:{lane.get((a, b), -1) + 1}"></span>'
        for a, b in lines
    )
    return f'<div class="map-lines" aria-hidden="true">{boxes}</div>', len(set(lane.values()))


def raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def is_separator(node) -> bool:
    return isinstance(node, nodes.Text) and not node.astext().strip(" ·\n")


def mark_ways(app, doctree, docname):
    """Show a paragraph of the landing page that only holds links as ways on into the book."""
    if docname == app.config.root_doc:
        for paragraph in doctree.findall(nodes.paragraph):
            links = [node for node in paragraph if isinstance(node, nodes.reference)]
            others = [node for node in paragraph if node not in links]
            if len(links) > 1 and all(map(is_separator, others)):
                paragraph["classes"].append("ways")
                paragraph.children = links


def setup(app):
    """Connect to Sphinx."""
    app.add_post_transform(DrawMap)
    app.connect("doctree-read", count_words)
    app.connect("env-updated", renew_map)
    app.connect("doctree-resolved", mark_ways)
