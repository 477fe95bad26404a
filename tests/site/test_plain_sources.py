"""What is plain text in the sources is numbered, linked and boxed on the page."""

import re

import pytest
from bs4 import BeautifulSoup

SEVEN = r"""# 7. Seven

$$
c = d \tag{7.1}
$$

Chapter 8 has (8.2), **as (8.1)**.
Not in code, `f (8.1)`, nor in $f (8.1)$, nor in [a link (8.1)](08-eight.ipynb).
"""
EIGHT = r"""# 8. Eight

$$
a = b. \tag{8.1}
$$

$$ \text{no number} $$

$$ b = c \tag{8.2}
$$

By (8.2) and (7.1). See [Kingma and Welling, 2014](references.md#kingma2014auto), or the
[solution](#Solution-8.1), or [above](07-seven.ipynb#The-ELBO's-name).

> **Two slips, with $x$.** The first line.
> The second, by (8.1).
>
> - a point

> Only a quotation.

## Solutions

### Solution 8.1
"""
REFERENCES = """# Bibliography

The works.

<a id="burda2016importance"></a>Yuri Burda.
*Importance weighted autoencoders*. Cited in chapter [8](08-eight.ipynb).

<a id="kingma2014auto"></a>Diederik P. Kingma and Max Welling. Auto-encoding variational Bayes.
"""
SAID = """*A line, $y = x$, and a curve.* Where they meet, **both** are 1.

*Words* in italics."""
PROMISE = {"tags": ["nbval-check-output", "keep_output"]}
CLAIM = r'print("✓ {} holds\n    · gap 1e-07 · bound 0.001")'


@pytest.fixture(scope="module")
def book(module_book):
    """Two chapters and a bibliography, built once."""
    module_book.write("book/references.md", REFERENCES)
    folded = [(code, {"tags": ["hide-input"]}) for code in ("import math", "print(math.pi)")]
    seven = SEVEN + "\n## The ELBO's name"
    module_book.notebook("07-seven", seven, *folded, (CLAIM.format("one"), PROMISE))
    two = f"{CLAIM.format('two')}\n{CLAIM.format('three')}"
    eight = (EIGHT, (two, PROMISE), ("print('✓ not promised')", {}), SAID)
    module_book.notebook("08-eight", *eight)
    module_book.notebook("intro", "# Mini\n\nEach build checks every promise in\nthe book.")
    module_book.build()
    return module_book


def soup(book, name: str) -> BeautifulSoup:
    return BeautifulSoup(book.page(name), "html.parser")


def links(page: BeautifulSoup) -> dict[str, str]:
    """Where each link in the text leads, by its words."""
    found = page.select("article a.reference.internal")
    return {link.get_text(): link["href"] for link in found}


def test_a_number_stands_beside_its_formula_and_is_its_target(book):
    page = soup(book, "08-eight")
    numbers = page.select("div.math > .eqno")
    assert [tag.get_text().rstrip("#") for tag in numbers] == ["(8.1)", "(8.2)"]
    assert [tag.parent["id"] for tag in numbers] == ["equation-8-1", "equation-8-2"]
    assert all(tag.find_previous_sibling("div", class_="math-scroll") for tag in numbers)
    assert "tag" not in page.select_one("div.math annotation").get_text(), "KaTeX saw the tag"
    assert page.select_one("div.math annotation").get_text().strip() == "a = b."


def test_a_fold_says_whether_it_holds_imports_or_a_figures_code(book):
    folds = soup(book, "07-seven").select("details.hide > summary")
    shown = [fold.select_one(".collapsed").get_text() for fold in folds]
    assert shown == ["Show the imports", "Show the code"]


def test_numbers_in_the_text_are_links_from_other_pages_too(book):
    assert links(soup(book, "08-eight"))["(8.2)"] == "#equation-8-2"
    assert links(soup(book, "08-eight"))["(7.1)"] == "07-seven.html#equation-7-1"
    page = soup(book, "07-seven")
    found = page.select('article a[href*="equation-8"]')
    assert [link.get_text() for link in found] == ["(8.2)", "(8.1)"], "not in code, math and links"
    assert "f (8.1)" in page.select_one("article code").get_text()


def test_citations_and_headings_are_found(book):
    found = links(soup(book, "08-eight"))
    assert found["Kingma and Welling, 2014"] == "references.html#kingma2014auto"
    assert found["solution"] == "#solution-8-1"
    assert soup(book, "08-eight").find(id="solution-8-1")
    place = found["above"].removeprefix("07-seven.html#")
    assert soup(book, "07-seven").find(id=place).h2
    work = soup(book, "references").find(id="kingma2014auto")
    assert work.get_text().startswith("Diederik P. Kingma")
    assert not work.find("a", id=True)


def test_a_block_quote_that_begins_with_bold_words_is_a_note(book):
    page = soup(book, "08-eight")
    (note,) = page.select("article .admonition.note")
    title = note.select_one("p.admonition-title")
    assert title.get_text().startswith("Two slips, with") and title.select(".katex")
    assert not title.get_text().endswith(".")
    assert re.sub(r"\s+", " ", note.find_all("p")[1].get_text()).startswith("The first line. The")
    assert note.select_one("li").get_text().strip() == "a point"
    assert note.select_one('a[href="#equation-8-1"]')
    (quote,) = page.select("article blockquote")
    assert quote.get_text().strip() == "Only a quotation."


def test_a_caption_is_a_paragraph_of_its_own(book):
    (caption, rest, other) = (
        soup(book, "08-eight").find_all("div", class_="cell")[-1].find_next_siblings("p")
    )
    assert [part.name for part in caption.contents] == ["em"] and caption.select(".katex")
    assert rest.get_text() == "Where they meet, both are 1." and rest.strong
    assert other.get_text() == "Words in italics."


def test_a_promise_shows_its_claim_and_its_numbers(book):
    boxes = soup(book, "08-eight").select(".tag_nbval-check-output .promise")
    claims = [p.get_text() for box in boxes for p in box.select(".promise-claim")]
    numbers = [p.get_text() for box in boxes for p in box.select(".promise-numbers")]
    assert claims == ["✓ two holds", "✓ three holds"]
    assert numbers == ["gap 1e-07 · bound 0.001"] * 2


def test_the_landing_page_counts_the_promises_and_keeps_counting(book):
    assert "in\nthe book, 3 of them in the last one." in soup(book, "intro").article.get_text()
    book.notebook("07-seven", SEVEN + "\n## The ELBO's name")
    book.build()
    assert "in\nthe book, 2 of them in the last one." in soup(book, "intro").article.get_text()


FAULTS = {
    "A value (0.5) in brackets.": r"\(0\.5\) is the number of no equation",
    "$$ a = b \\tag{8.1}\n$$": "duplicate label of equation 8.1",
    "$$ a = b \\tag{?name}\n$$": r"a display has one number, such as 8\.4, not \?name",
    "[Kingma, 2014](references.md#kingma)": "'kingma'",
    "[Solution](#Solution-8.3)": "'Solution-8.3'",
}


def test_what_leads_nowhere_fails_the_build_and_names_the_page(book):
    book.notebook("09-nine", "# 9. Nine\n\n" + "\n\n".join(FAULTS))
    run = book.try_build()
    assert run.returncode != 0
    for text, said in FAULTS.items():
        assert re.search(rf"09-nine.*{said}", run.stdout + run.stderr), text
