"""What all unit tests share: hypothesis draws the same examples everywhere, figures are closed."""

import hypothesis
import matplotlib
import pytest

matplotlib.use("agg")
hypothesis.settings.register_profile("book", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("book")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
