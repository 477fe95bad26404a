"""Which formulas are symbols of the notation page, and in which chapter."""

from types import SimpleNamespace

import pytest
from book_site import symbols

PAGE = r"""
# Notation

| $z$ | before the table | not a symbol |

## Symbols

| symbol | in code | meaning |
| --- | --- | --- |
| $z$ | `z` | a latent vector |
| $D$ | `latent` | the number of latent dimensions |
| $p(x \mid z)$ | `decode` | the likelihood |
| $R$, $D$ | `rate` | in chapter 12: the mean KL and the distortion |
| $\tau$ | | a temperature (chapters 9 to 11) |
| $\mu$ | `mu` | a mean. In chapters 6 and 7 something else |
"""
TABLE = symbols.entries(PAGE)


def test_rows_are_counted_as_the_page_counts_them():
    """A row without a symbol in TeX, or with code beside it, is a row all the same."""
    strange = PAGE.replace(
        "| $z$ | `z` | a latent", "| `kl` | | no TeX |\n| $z$ (`z`) | | a latent"
    )
    table = symbols.entries(strange)
    assert len(table) == len(TABLE) + 1
    assert symbols.explained("z", 3, table) == [1]


def test_all_pages_are_written_anew_when_the_table_has_changed(tmp_path):
    (tmp_path / "book").mkdir()
    env = SimpleNamespace(found_docs={"book/b", "book/a"})
    app = SimpleNamespace(srcdir=tmp_path, env=env)
    for text, pages in (("one", []), ("one", []), ("two", ["book/a", "book/b"])):
        (tmp_path / "book" / "notation.md").write_text(text)
        symbols.read_table(app)
        assert symbols.pages_to_write(app, env) == pages


@pytest.mark.parametrize(
    ("formula", "chapter", "rows"),
    [
        ("z", 3, [0]),
        ("z", None, [0]),
        (r"p(x\mid z)", 4, [2]),
        (r"p(x \mid z)\,", 4, [2]),
        ("z_1", 3, []),
        ("D", 3, []),  # a letter that means many things
        ("D", 12, [3]),
        (r"\tau", 8, []),
        (r"\tau", 9, [4]),
        (r"\tau", 11, [4]),
        (r"\mu", 2, [5]),
    ],
)
def test_rows_that_explain_a_formula(formula, chapter, rows):
    assert symbols.explained(formula, chapter, TABLE) == rows
