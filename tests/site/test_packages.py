"""What ships from packages of npm: checked, to be had offline, and of the right measures."""

import base64
import hashlib
import io
import tarfile

import pytest
from book_site import fonts, mathematics, packages
from sphinx.errors import ExtensionError


def archive(**files: str) -> bytes:
    """A package as npm packs it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


CONTENT = archive(LICENSE="OFL", face="letters")
HASH = base64.b64encode(hashlib.sha512(CONTENT).digest()).decode()
PACKAGE = packages.Package("@letters/some-face", "1.2.3", HASH, "BOOK_SOME_FACE")


def test_a_package_is_read_from_a_file_or_from_the_folder_that_has_it(tmp_path, monkeypatch):
    assert PACKAGE.file == "letters-some-face-1.2.3.tgz", "as npm pack names it"
    path = tmp_path / PACKAGE.file
    path.write_bytes(CONTENT)
    for given in (path, tmp_path):
        monkeypatch.setenv("BOOK_SOME_FACE", str(given))
        assert packages.members(PACKAGE.read()) == {"LICENSE": b"OFL", "face": b"letters"}


def test_another_content_is_refused(tmp_path, monkeypatch):
    (tmp_path / PACKAGE.file).write_bytes(archive(LICENSE="OFL", face="changed"))
    monkeypatch.setenv("BOOK_SOME_FACE", str(tmp_path))
    with pytest.raises(ExtensionError, match=r"some-face-1\.2\.3\.tgz has the sha512"):
        PACKAGE.read()


def test_a_folder_without_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_SOME_FACE", str(tmp_path))
    with pytest.raises(ExtensionError, match=r"names no file: .*letters-some-face-1.2.3.tgz"):
        PACKAGE.read()


def test_a_folder_of_files_appears_whole_and_is_not_written_twice(tmp_path):
    target = tmp_path / "deep" / "target"
    packages.write_at_once({"a/b.txt": b"one"}, target)
    packages.write_at_once({"a/b.txt": b"two"}, target)
    assert (target / "a" / "b.txt").read_bytes() == b"one"
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_every_package_is_pinned_by_its_hash():
    for package in (mathematics.KATEX_PACKAGE, *fonts.FACES):
        assert len(base64.b64decode(package.sha512)) == 64


# ---- the faces ----------------------------------------------------------------------------------

WIDTHS = """(faces) => {
  const context = document.createElement("canvas").getContext("2d");
  const text = "How probable was the point in the first place? ".repeat(4);
  return faces.map((face) => {
    context.font = `100px ${face}`;
    const size = context.measureText(text);
    return [size.width, size.fontBoundingBoxAscent, size.fontBoundingBoxDescent];
  });
}"""
HAS = """(face) => document.fonts.load(`20px ${face}`).then(
  (found) => found.some(({ status }) => status === "loaded"), () => false)"""
LINE_LENGTHS = """() => [...document.querySelectorAll("article > section p, article section > p")]
  .filter((p) => p.parentElement.tagName === "SECTION" && !p.querySelector(".math, img"))
  .flatMap((p) => {
    const range = document.createRange(), lines = {};
    const walker = document.createTreeWalker(p, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
      for (let i = 0; i < node.length; i++) {
        range.setStart(node, i), range.setEnd(node, i + 1);
        const box = range.getClientRects()[0];
        if (box) lines[Math.round(box.bottom / 8)] = (lines[Math.round(box.bottom / 8)] ?? 0) + 1;
      }
    }
    return Object.values(lines).slice(0, -1);
  })"""
SHIFT = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((e) => (sum += e.value)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 300);
})"""


def test_nothing_moves_when_the_letters_arrive(open_page):
    page = open_page("book/intro.html")
    page.evaluate("() => document.fonts.ready.then(() => null)")
    assert page.evaluate(SHIFT) < 0.05


def test_a_stand_in_has_the_measures_of_its_face(open_page):
    page = open_page("book/05-bayes-and-the-evidence.html")
    pairs = {
        '"Source Serif 4"': ['"Times for Serif"', '"DejaVu for Serif"'],
        '"Source Sans 3"': ['"Arial for Sans"', '"DejaVu for Sans"'],
        '"Source Code Pro"': ['"Courier for Code"'],
    }
    compared = 0
    for face, others in pairs.items():
        for other in others:
            if not page.evaluate(HAS, other):  # nor has this machine a face for it
                continue
            page.evaluate(HAS, face)
            (width, up, down), (width_2, up_2, down_2) = page.evaluate(WIDTHS, [face, other])
            assert width_2 == pytest.approx(width, rel=0.03), other
            assert (up_2, down_2) == pytest.approx((up, down), rel=0.03), other
            compared += 1
    if not compared:
        pytest.skip("this machine has no face to stand in")


@pytest.mark.parametrize("name", ["intro", "01-autoencoders"])
def test_a_line_of_text_has_65_to_72_characters(open_page, name):
    page = open_page(f"book/{name}.html")
    page.evaluate("() => document.fonts.ready.then(() => null)")
    lines = sorted(page.evaluate(LINE_LENGTHS))
    assert len(lines) > 30
    assert 65 <= lines[len(lines) // 2] <= 72
