"""Programs in JavaScript that the tests run: packages of npm, kept in ``_build/.javascript``.

Where npm cannot be reached, the tests that need them are skipped, except where ``CI`` is set: there
they fail.
"""

import os
import subprocess
from pathlib import Path

import pytest
from book_site import packages

ROOT = Path(__file__).parents[2]


def folder_of(package: packages.Package) -> Path:
    """The folder that holds the files of a package."""
    folder = ROOT / "_build" / ".javascript" / package.file.removesuffix(".tgz")
    if not folder.exists():
        try:
            content = package.read()
        except packages.NotFetched as error:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))
        packages.write_at_once(packages.members(content), folder)
    return folder


def node(*command) -> subprocess.CompletedProcess:
    """What Node.js did with a script and its arguments."""
    run = [packages.node_program(), *map(str, command)]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
