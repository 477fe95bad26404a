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


# What learners type, and a page that must be among the answers.
QUERIES = {
    "formula sheet": "book/formulas",
    "glossary": "book/glossary",
    "amortization gap": "book/glossary",
    "mean-field": "book/glossary",
    "reparameterization trick": "book/words",
    "reparametrization": "book/words",
    "reparameterized sample": "book/10-the-vae",
    "posterior collapse": "book/words",
    "blurry": "book/words",
    "why are VAE samples blurry": "book/words",
    "negative loss": "book/words",
    "beta-VAE": "book/words",
    "free bits": "book/12-when-vaes-fail",
    "KL annealing": "book/12-when-vaes-fail",
    "conditional VAE": "book/13-steering",
    "normalizing flow": "book/words",
    "VampPrior": "book/14-tighter-bounds",
    "VQ-VAE": "book/15-the-road-to-diffusion",
    "0.18215": "book/15-the-road-to-diffusion",
    "Stable Diffusion": "book/15-the-road-to-diffusion",
    "hierarchical VAE": "book/words",
    "disentanglement": "book/words",
    "inpainting": "book/words",
    "amortized inference": "book/10-the-vae",
    "regularizer": "book/short-version",
    "normalizing constant": "book/words",
    "variational lower bound": "book/words",
    "REINFORCE": "book/09-gradients-through-a-sample",
    "policy gradient": "book/words",
    "Gumbel-softmax": "book/09-gradients-through-a-sample",
    "gradient variance": "book/09-gradients-through-a-sample",
    "ELBO": "book/08-the-elbo",
    "evidence lower bound": "book/08-the-elbo",
    "free energy": "book/words",
    "KL divergence": "book/06-kl-divergence",
    "relative entropy": "book/06-kl-divergence",
    "mode seeking": "book/words",
    "marginal likelihood": "book/words",
    "importance sampling": "book/05-bayes-and-the-evidence",
    "mean field": "book/07-variational-inference",
    "PCA": "book/02-what-a-code-knows",
    "latent space": "book/words",
    "nan loss": "book/words",
    "loss not decreasing": "book/words",
    "dying relu": "book/words",
    "grey samples": "book/when-it-does-not-train",
    "log variance": "book/notation",
    "BCE loss": "book/words",
    "bits per dim": "book/04-latent-variable-models",
    "effective sample size": "book/11-how-good-is-it",
    "annealed importance sampling": "book/11-how-good-is-it",
    "test NLL": "book/words",
    "interpolation": "book/words",
    "generate new images": "book/words",
    "inference network": "book/words",
    "anomaly detection": "book/words",
    "tabular data": "book/words",
    "RGB images": "book/words",
    "outlier": "book/words",
    "dequantization": "book/your-own-data",
    "jensen": "book/08-the-elbo",
    "color": "book/08-the-elbo",
}
FIND = """query => {
  const [text, ...terms] = Search._parseQuery(query);
  return Search._performSearch(text, ...terms).map(([page]) => page);
}"""


def test_what_learners_type_is_found(open_page):
    page = open_page("search.html?q=autoencoder")
    page.locator("#search-results ul.search li a").first.wait_for()
    found = {query: page.evaluate(FIND, query) for query in QUERIES}
    wanting = [
        f"{query}: {found[query]}" for query in QUERIES if QUERIES[query] not in found[query]
    ]
    assert wanting == []
