"""Search finds what readers type, in either spelling, and on the page where the answer is."""

import pytest
from book_site.search import EitherSpelling

PAIRS = [
    ("reparameterisation", "reparameterization"),
    ("regularisers", "regularizers"),
    ("amortised", "amortized"),
    ("normalising", "normalizing"),
    ("generalisations", "generalizations"),
    ("analyse", "analyze"),
    ("colours", "colors"),
    ("neighbouring", "neighboring"),
    ("centred", "centered"),
    ("grey", "gray"),
    ("labelled", "labeled"),
    ("modelling", "modeling"),
]
ALIKE = ["noise", "raised", "four", "posterior", "variance"]  # in every spelling


@pytest.mark.parametrize(("british", "american"), PAIRS)
def test_both_spellings_have_one_stem(british, american):
    stem = EitherSpelling({}).stem
    assert stem(british) == stem(american.upper())


def test_different_words_keep_different_stems():
    words = [*ALIKE, *(british for british, _ in PAIRS)]
    assert len({EitherSpelling({}).stem(word) for word in words}) == len(words)


def test_the_browser_finds_the_stems_that_the_index_holds(module_book, module_book_url, open_page):
    words = [*ALIKE, *(british for british, _ in PAIRS)]
    module_book.notebook("01-one", f"# 1. One\n\n{'. '.join(words)}.")
    module_book.build()
    page = open_page(f"{module_book_url}/search.html?q=nothing")
    stems = page.evaluate(
        "words => words.map(word => new Stemmer().stemWord(word))",
        [*words, *(american for _, american in PAIRS)],
    )
    stem = EitherSpelling({}).stem
    assert stems == [stem(word) for word in [*words, *(american for _, american in PAIRS)]]
    index = page.evaluate("Object.keys(Search._index.terms)")
    assert set(stems) - set(index) == set()
