"""Formulas in the built HTML: kept with their punctuation, or refused."""

import re

import psutil
import pytest
from book_site.mathematics import Renderer
from bs4 import BeautifulSoup
from sphinx.errors import ExtensionError

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


def processes_with(name: str, value: str) -> list[list[str]]:
    """The command lines of the processes that have a variable in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == value:
                found.append(process.cmdline())
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


@pytest.mark.parametrize("text", ["It holds: $x = y$.", "No end: $\\frac{a}{b$."])
def test_a_build_leaves_no_process_behind_in_a_folder_however_deep(mini_book, tmp_path, text):
    """A process that stays holds the build's output, and who waits for its end waits for ever."""
    deep = tmp_path / ("long" * 30)  # a socket's path ends after about 100 characters
    deep.mkdir()
    mini_book.notebook("08-eight", f"# 8. Eight\n\n{text}")
    run = mini_book.try_build(TMPDIR=str(deep), BOOK_TEST_MARK=str(tmp_path))
    assert (run.returncode == 0) == ("holds" in text), run.stderr[-2000:]
    assert processes_with("BOOK_TEST_MARK", str(tmp_path)) == []
    assert not list(deep.glob("*katex*"))


def test_one_renderer_answers_one_formula_after_another_until_it_is_stopped(tmp_path):
    """It knows nothing of KaTeX but a function and its errors, so a stand-in for KaTeX will do."""
    library = tmp_path / "stand-in.js"
    library.write_text(
        "exports.renderToString = (formula, options) => {"
        " if (formula == 'bad') throw new Error('no\\nend');"
        " return `${options.mode}\\u2028 ${formula}`; };",
        "utf8",
    )
    renderer = Renderer()
    renderer.library = library
    for formula in ("α\n", "bad", "x" * 100_000):
        answer = renderer.render(formula, {"mode": "m"})
        wanted = {"error": "no\nend"} if formula == "bad" else {"html": f"m\u2028 {formula}"}
        assert answer == wanted
    assert renderer.process.poll() is None
    renderer.stop()
    assert renderer.process.returncode == 0
    renderer.stop()  # a second time does no harm


def test_what_node_said_is_told_when_it_ends_early(tmp_path):
    renderer = Renderer()
    renderer.library = tmp_path / "not-there.js"
    with pytest.raises(ExtensionError, match="Cannot find module"):
        renderer.render("x", {})
    renderer.stop()
    assert renderer.process.returncode != 0
