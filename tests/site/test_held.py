"""What is long in a widget's state stands in scripts that pages share, and comes back whole."""

import json
import re

import pytest
from book_site.held import LONG, Shelf, in_html, lighten

STORED = {
    "model_name": "AnyModel",
    "state": {"_esm": "x" * (LONG + 1), "label": 'short "text"', "value": 3},
    "buffers": [
        {"path": ["weights"], "encoding": "base64", "data": "A" * (LONG + 4)},
        {"path": ["few"], "encoding": "base64", "data": "AAAA"},
    ],
}


def held(folder) -> dict[str, str]:
    """What the scripts of a folder put into the page, by digest."""
    texts = (path.read_text("utf8") for path in folder.glob("w-*.js"))
    form = r'\(window\.bookHeld \?\?= \{\}\)\["(\w+)"\] = (.*);\n'
    found = [re.fullmatch(form, text) for text in texts]
    return {match[1]: json.loads(match[2]) for match in found}


def test_long_pieces_leave_the_state_and_short_ones_stay(tmp_path):
    light = lighten(STORED, Shelf(tmp_path))
    assert light["state"] == {"label": 'short "text"', "value": 3}
    first, second = light["buffers"]
    assert "data" not in first and second == STORED["buffers"][1]
    pieces = held(tmp_path)
    assert pieces[light["held_texts"]["_esm"]] == STORED["state"]["_esm"]
    assert pieces[first["held"]] == STORED["buffers"][0]["data"]


def test_the_state_itself_is_left_as_it_was(tmp_path):
    before = json.dumps(STORED)
    lighten(STORED, Shelf(tmp_path))
    assert json.dumps(STORED) == before


def test_equal_pieces_of_two_pages_are_one_script(tmp_path):
    pages = [Shelf(tmp_path), Shelf(tmp_path)]
    for page in pages:
        lighten(STORED, page)
    assert len(list(tmp_path.iterdir())) == 2


def test_no_text_of_a_state_ends_the_script_that_holds_it():
    state = {"value": "</script><script>alert(1)</script><!--"}
    assert "<" not in in_html(state) and json.loads(in_html(state)) == state


def test_a_script_that_was_cut_short_is_written_anew(tmp_path):
    digest = Shelf(tmp_path).hold("text")
    (tmp_path / f"w-{digest}.js").write_text("")
    Shelf(tmp_path).hold("text")
    assert held(tmp_path) == {digest: "text"}


@pytest.mark.parametrize("text", ["</script>" * 600, '"\\\u2028\u2029é' * 900, "\n" * 5000])
def test_any_text_comes_back(tmp_path, text):
    digest = Shelf(tmp_path).hold(text)
    assert held(tmp_path) == {digest: text}


def test_no_page_of_the_book_holds_anything_long(built_site):
    digests = set()
    for page in built_site.rglob("*.html"):
        for body in re.findall(
            r"widget-state\+json\">(.*?)</script>", page.read_text("utf8"), re.S
        ):
            for stored in json.loads(body)["state"].values():
                buffers = stored.get("buffers", ())
                texts = [value for value in stored["state"].values() if isinstance(value, str)]
                pieces = texts + [buffer["data"] for buffer in buffers if "data" in buffer]
                assert all(len(piece) <= LONG for piece in pieces), page.name
                digests.update(stored.get("held_texts", {}).values())
                digests.update(buffer["held"] for buffer in buffers if "held" in buffer)
    kept = {path.name for path in (built_site / "_static").glob("w-*")}
    assert kept == {f"w-{digest}.js" for digest in digests}


def test_pieces_are_asked_for_when_the_page_is_there(open_page):
    page = open_page("book/10-the-vae.html")
    loaded, *asked = page.evaluate("""() => [
        performance.getEntriesByType("navigation")[0].loadEventStart,
        ...performance.getEntriesByType("resource")
          .filter(({ name }) => name.includes("/w-")).map(({ startTime }) => startTime),
    ]""")
    assert len(asked) > 4 and min(asked) >= loaded
