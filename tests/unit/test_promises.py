"""A promise prints what nbval compares, shows its numbers, and fails where its claim does."""

import math

import numpy as np
import pytest
import torch

from vae_lib.promises import promise


def test_claim_and_numbers_stand_on_two_lines(capsys):
    promise("below", True, ELBO=-148.321, **{"log p(x)": torch.tensor(-141.7)}, digits=1000)
    said = "✓ below\n    · ELBO −148.3 · log p(x) −141.7 · digits 1,000\n"
    assert capsys.readouterr().out == said


def test_underscores_text_and_lists_are_shown_as_a_reader_wants_them(capsys):
    promise("a", torch.tensor([True]), standard_error=[0.5, 2e-7], which="the third, 3 %")
    said = "    · standard error 0.5, 2e−07 · which the third, 3 %\n"
    assert capsys.readouterr().out.endswith(said)


@pytest.mark.parametrize("holds", [False, torch.tensor(False), np.bool_(False)])
def test_a_claim_that_fails_raises_with_its_numbers(holds, capsys):
    with pytest.raises(AssertionError, match=r"it is small.*gap 3"):
        promise("it is small", holds, gap=3.0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("holds", [1, 0.5, "yes", None, torch.tensor([True, True]), math.nan])
def test_what_is_no_truth_value_is_refused(holds):
    with pytest.raises(TypeError, match="one true or false value"):
        promise("claim", holds, gap=1.0)


def test_a_nan_is_no_number_to_rest_on():
    with pytest.raises(ValueError, match="NaN"):
        promise("claim", True, gap=math.nan)


def test_a_promise_without_numbers_is_refused():
    with pytest.raises(ValueError, match="show what it rests on"):
        promise("claim", True)
