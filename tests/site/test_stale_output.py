"""Stale output is the classic fault of this tool chain: prove that it cannot be served."""

import os
import signal
import subprocess
import sys
import time

import pytest

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


MEETS = """
import time
from pathlib import Path

with open("../runs.txt", "a") as marks:
    marks.write("x")
Path("../{mine}").touch()
late = time.monotonic() + 60
while not Path("../{other}").exists() and time.monotonic() < late:
    time.sleep(0.05)
print("met" if Path("../{other}").exists() else "alone", {number})
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: one notebook after the other")
def test_notebooks_are_executed_at_once_and_once(mini_book):
    for number, (mine, other) in enumerate([("a", "b"), ("b", "a")], start=1):
        code = MEETS.format(mine=mine, other=other, number=number)
        mini_book.notebook(f"0{number}-{mine}", f"# {number}. One", (code, {}))
    assert "BOOK_AT_ONCE is 'all'" in mini_book.try_build(BOOK_AT_ONCE="all").stderr
    mini_book.build()
    assert "met 1" in mini_book.page("01-a") and "met 2" in mini_book.page("02-b")
    assert runs(mini_book) == 2, "myst-nb finds them in the cache"


WAITS = """
import time

with open("../runs.txt", "a") as marks:
    marks.write("x")
time.sleep(100)
"""


def hears_ctrl_c():
    """What a shell starts in the background does not, nor does what that starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_ends_a_build_and_no_other_notebook_begins(mini_book):
    for number in range(1, 5):
        mini_book.notebook(f"0{number}-wait", f"# {number}. Wait", (WAITS, {}))
    command = mini_book.command(BOOK_AT_ONCE="2")
    with (mini_book.root / "log").open("w") as log:
        build = subprocess.Popen(
            **command, stdout=log, stderr=log, process_group=0, preexec_fn=hears_ctrl_c
        )
        while not (mini_book.root / "runs.txt").exists() or runs(mini_book) < 2:
            assert build.poll() is None, (mini_book.root / "log").read_text()
            time.sleep(0.1)
        os.killpg(build.pid, signal.SIGINT)
        assert build.wait(timeout=90) != 0
    assert runs(mini_book) == 2


def test_a_kernel_that_dies_is_told_with_its_notebook(mini_book):
    fill(mini_book)
    mini_book.notebook("02-two", "# 2. Two", ("import os\nos._exit(1)", {}))
    run = mini_book.try_build()
    assert run.returncode != 0 and "02-two failed (DeadKernelError)" in run.stdout
    assert runs(mini_book) == 1


SLOWLY = """
import time

print("one", end=" ", flush=True)
time.sleep(0.5)
print("two")
"""


def test_what_is_printed_slowly_stays_on_its_line(mini_book):
    mini_book.notebook("01-slow", "# 1. Slow", (SLOWLY, {}))
    mini_book.build()
    assert "one two" in mini_book.page("01-slow")


def test_of_two_notebooks_the_failing_one_is_told_and_the_other_is_kept(mini_book):
    fill(mini_book)
    mini_book.notebook("02-two", "# 2. Two", ("raise ValueError('broken on purpose')", {}))
    run = mini_book.try_build()
    assert run.returncode != 0 and "broken on purpose" in run.stdout + run.stderr
    mini_book.notebook("02-two", "# 2. Two", ("print('mended')", {}))
    mini_book.build()
    assert "mended" in mini_book.page("02-two") and "first answer" in mini_book.page("01-one")
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
