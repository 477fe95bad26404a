"""Stale output is the classic fault of this tool chain: prove that it cannot be served."""

import os
import time

WIDGET = '''
from pathlib import Path
import anywidget

class Small(anywidget.AnyWidget):
    """A widget whose module is a file, as in vae_lib.widgets."""
    _esm = Path(__file__).with_name("small.js")
'''

COUNTED = """
with open("../runs.txt", "a") as marks:
    marks.write("x")
from vae_lib.answer import answer

print(answer())
"""


def runs(book) -> int:
    """How often the chapter has been executed: it leaves a mark each time."""
    return len((book.root / "runs.txt").read_text("utf8"))


def fill(book):
    """A chapter that prints what a library function gives and shows a widget."""
    book.write("vae_lib/answer.py", "def answer():\n    return 'first answer'\n")
    book.write("vae_lib/small.py", WIDGET)
    book.write("vae_lib/small.js", "export default { render() { /* first module */ } };")
    book.notebook(
        "01-one",
        "# 1. One",
        (COUNTED, {}),
        ("from vae_lib.small import Small\nSmall()", {}),
    )


def test_a_change_in_the_library_a_widget_or_the_pins_executes_the_chapter_again(mini_book):
    fill(mini_book)
    mini_book.build()
    assert "first answer" in mini_book.page("01-one")
    assert runs(mini_book) == 1

    mini_book.build()
    assert runs(mini_book) == 1, "nothing had changed"

    mini_book.write("vae_lib/answer.py", "def answer():\n    return 'second answer'\n")
    mini_book.build()
    assert "second answer" in mini_book.page("01-one")
    assert "first answer" not in mini_book.page("01-one")
    assert runs(mini_book) == 2

    mini_book.write("vae_lib/small.js", "export default { render() { /* second module */ } };")
    mini_book.build()
    assert "second module" in mini_book.page("01-one")
    assert "first module" not in mini_book.page("01-one")
    assert runs(mini_book) == 3

    pins = (mini_book.root / "requirements.txt").read_text("utf8")
    mini_book.write("requirements.txt", pins + "# another pin\n")
    mini_book.build()
    assert runs(mini_book) == 4


def test_a_change_of_style_alone_executes_nothing(mini_book):
    fill(mini_book)
    mini_book.build()
    css = mini_book.root / "site" / "static" / "book.css"
    css.write_text(css.read_text("utf8") + "\n/* a new colour */\n", "utf8")
    mini_book.build()
    assert "a new colour" in (mini_book.html / "_static" / "book.css").read_text("utf8")
    assert runs(mini_book) == 1


def test_touching_a_file_without_changing_it_executes_nothing(mini_book):
    fill(mini_book)
    mini_book.build()
    later = time.time() + 10
    os.utime(mini_book.root / "vae_lib" / "answer.py", (later, later))
    mini_book.build()
    assert runs(mini_book) == 1


def test_a_warning_fails_every_build_until_it_is_mended(mini_book):
    mini_book.notebook("01-one", "# 1. One\n\nSee {eq}`eq-nowhere`.")
    assert mini_book.try_build().returncode != 0
    assert mini_book.try_build().returncode != 0, "the second build forgot the warning"
    mini_book.notebook("01-one", "# 1. One\n\n$$x$$ (eq-nowhere)\n\nSee {eq}`eq-nowhere`.")
    mini_book.build()


def test_a_failing_notebook_fails_every_build(mini_book):
    mini_book.notebook("01-one", "# 1. One", ("raise ValueError('broken on purpose')", {}))
    for _ in range(2):
        run = mini_book.try_build()
        assert run.returncode != 0
        assert "broken on purpose" in run.stdout + run.stderr
