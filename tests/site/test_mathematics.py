"""Formulas in the built HTML: kept with their punctuation, or refused."""

import re

from bs4 import BeautifulSoup

PAGE = r"""# 8. Eight

The first ($x$), then $z \sim p(z)$. A $K$-sample bound of “$y$”, and $a$ alone,
and $p(x, z) = p(x \mid z)\, p(z) = p(z \mid x)\, p(x)$.
"""


def inline(soup) -> list[str]:
    """Each formula within a line as it is seen, with what stands close to it."""
    found = []
    for span in soup.select("span.math"):
        for unseen in span.select(".katex-mathml"):
            unseen.decompose()
        found.append(re.sub(r"\s+", "", span.get_text()))
    return found


def test_punctuation_stays_with_its_formula(mini_book):
    mini_book.notebook("08-eight", PAGE)
    mini_book.build()
    soup = BeautifulSoup(mini_book.page("08-eight"), "html.parser")
    text = soup.article.get_text()
    assert "then" in text and "sample bound of" in text, "the words between are kept"
    together = [("together" in span["class"]) for span in soup.select("span.math")]
    assert together == [True, True, True, True, False, False], "short ones with punctuation"
    seen = inline(soup)
    assert seen[:5] == ["(x),", "z∼p(z).", "K-", "“y”,", "a"]
    assert seen[5].endswith(".")


def test_a_formula_that_katex_cannot_read_fails_the_build_and_names_the_page(mini_book):
    mini_book.notebook("08-eight", "# 8. Eight\n\nNo end: $\\frac{a}{b$.")
    run = mini_book.try_build()
    assert run.returncode != 0
    assert re.search(r"08-eight.*KaTeX", run.stdout + run.stderr)
