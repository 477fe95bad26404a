"""The output folder holds what the table of contents names, and nothing of earlier builds."""

import json

import pytest

CHAPTER = "# {0}. {1}\n\nOnly here: {1}ish."


def published(book) -> set[str]:
    """Pages and sources in the output folder."""
    found = [path.relative_to(book.html).as_posix() for path in book.html.rglob("*")]
    pages = (".html", ".ipynb", ".md")
    return {name for name in found if name.endswith(pages) and not name.startswith("_static")}


def expected(*chapters: str) -> set[str]:
    """What is to be there: the chapters, the landing page, and what every site has."""
    names = [f"book/{name}" for name in ("intro", *chapters)]
    both = {f"{name}.html" for name in names} | {f"_sources/{name}.ipynb" for name in names}
    return both | {"index.html", "search.html", "404.html"}


def test_a_renamed_or_deleted_chapter_leaves_nothing_to_be_published(mini_book):
    mini_book.notebook("01-one", CHAPTER.format(1, "Red"))
    mini_book.notebook("02-two", CHAPTER.format(2, "Green"))
    mini_book.build()
    assert published(mini_book) == expected("01-one", "02-two")
    assert (mini_book.html / ".nojekyll").exists()
    mini_book.build()  # with nothing changed, Sphinx writes no page
    assert published(mini_book) == expected("01-one", "02-two")

    old = mini_book.root / "book" / "02-two.ipynb"
    old.rename(old.with_name("02-second.ipynb"))
    mini_book.notebook("01-one", CHAPTER.format(1, "Blue"))  # writes the table of contents
    mini_book.build()
    assert published(mini_book) == expected("01-one", "02-second")
    script = (mini_book.html / "searchindex.js").read_text("utf8")
    index = json.loads(script.removeprefix("Search.setIndex(").removesuffix(")"))
    assert index["docnames"] == ["book/01-one", "book/02-second", "book/intro"]
    assert [index["terms"].get(word, []) for word in ("redish", "blueish", "greenish")] == [
        [],
        0,
        1,
    ]


def moved(mini_book, **pages: str):
    """Say in the settings that pages have moved."""
    path = mini_book.root / "_config.yml"
    told = ", ".join(f"book/{old}: book/{new}" for old, new in pages.items())
    text = path.read_text("utf8")
    assert text.count("book_moved: {}") == 1
    path.write_text(text.replace("book_moved: {}", f"book_moved: {{{told}}}"), "utf8")


def test_a_renamed_page_leaves_a_way_from_its_old_address(mini_book, new_page):
    mini_book.notebook("01-second", CHAPTER.format(1, "Red"))
    moved(mini_book, **{"01-first": "01-second"})
    mini_book.build()
    assert published(mini_book) == expected("01-second") | {"book/01-first.html"}
    page = new_page()
    page.goto((mini_book.html / "book" / "01-first.html").as_uri())
    page.wait_for_url("**/book/01-second.html")
    assert "01-first" not in (mini_book.html / "searchindex.js").read_text("utf8")


@pytest.mark.parametrize("pages", [{"01-one": "intro"}, {"old": "nowhere"}])
def test_an_old_name_that_is_in_use_or_a_new_one_that_is_not_is_a_warning(mini_book, pages):
    mini_book.notebook("01-one", CHAPTER.format(1, "Red"))
    moved(mini_book, **pages)
    assert "book_moved" in mini_book.try_build().stderr


def test_a_new_landing_page_is_where_the_front_door_leads(mini_book):
    mini_book.build()
    intro = mini_book.root / "book" / "intro.ipynb"
    intro.rename(intro.with_name("welcome.ipynb"))
    mini_book.write("_toc.yml", "format: jb-book\nroot: book/welcome\n")
    mini_book.build()
    assert "book/welcome.html" in (mini_book.html / "index.html").read_text("utf8")
    assert not (mini_book.html / "book" / "intro.html").exists()
