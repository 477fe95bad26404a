"""The marking of exercises: four verdicts, said aloud, and never an exception."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vae_lib.checks import Wrong, as_tensor, close, exercise


@exercise
def mean_of_two(answer):
    """Exercise 0.1: the mean."""
    hints = {"that is the sum": 4.0, "keep no dimension": torch.tensor([2.0])}
    close(answer(torch.tensor([1.0, 3.0])), 2.0, "the mean of 1 and 3", hints=hints)
    return "It averages."


@exercise
def the_number(answer):
    """Exercise 0.2: seven."""
    close(answer, 7.0, "the number")
    return "It is seven."


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (None, None, "Not attempted yet."),
        (lambda v: None, None, "Not attempted yet."),
        (lambda v: v.mean(), True, "Correct. It averages."),
        (lambda v: 2, True, "Correct. It averages."),
        (lambda v: np.float64(2), True, "Correct. It averages."),
        (torch.mean, True, "Correct. It averages."),
        (functools.partial(torch.mean, dim=0), True, "Correct. It averages."),
        (lambda v: v.sum(), False, "Not yet: the mean of 1 and 3: that is the sum."),
        (
            lambda v: v.mean(0, keepdim=True),
            False,
            "Not yet: the mean of 1 and 3: keep no dimension.",
        ),
        (lambda v: v.max(), False, "Not yet: the mean of 1 and 3: expected 2, got 3."),
        (
            lambda v: v,
            False,
            "Not yet: the mean of 1 and 3: the shape should be [], yours is [2].",
        ),
        (
            lambda v: "two",
            False,
            "Not yet: the mean of 1 and 3: a number or a tensor is wanted, not str.",
        ),
        (lambda v: 1 / 0, False, "Not yet: your answer raised ZeroDivisionError: division by zero"),
        (lambda: 2.0, False, "TypeError"),
        (2.0, False, "TypeError"),
        (lambda v: torch.tensor(float("nan")), False, "got nan"),
    ],
)
def test_verdicts(answer, verdict, words, capsys):
    assert mean_of_two(answer) is verdict
    assert words in capsys.readouterr().out


@given(st.one_of(st.none(), st.floats(), st.text(), st.lists(st.integers()), st.binary()))
def test_no_answer_raises(answer):
    assert the_number(answer) is (None if answer is None else answer == 7.0)
    assert mean_of_two(lambda v: answer) in (None, True, False)


@pytest.mark.parametrize("answer", [7, 7.0, np.array(7), torch.tensor(7), True + 6])
def test_numbers_of_any_kind_will_do(answer):
    assert the_number(answer) is True


def test_a_gradient_on_the_answer_does_no_harm():
    assert the_number(torch.tensor(7.0, requires_grad=True)) is True


def test_a_module_is_passed_on_as_it_is():
    @exercise
    def built(answer):
        """Exercise 0.3: a layer."""
        if not isinstance(answer, torch.nn.Linear):
            raise Wrong("a Linear layer is wanted.")
        return "It is linear."

    assert built(torch.nn.Linear(2, 3)) is True
    assert built(torch.nn.ReLU()) is False


def test_context_reaches_the_check():
    @exercise
    def doubled(answer, number):
        """Exercise 0.4: twice."""
        close(answer, 2 * number, "twice the number")
        return "Twice."

    assert doubled(6, 3) is True
    assert doubled(None, 3) is None


def test_a_check_keeps_its_name_and_text():
    assert mean_of_two.__name__ == "mean_of_two"
    assert "0.1" in mean_of_two.__doc__


def test_long_answers_are_shortened():
    with pytest.raises(Wrong, match=r"expected 0, 0, 0, …, got 1, 1, 1, …"):
        close(torch.ones(9), torch.zeros(9), "zeros")


def test_tolerance_is_that_of_the_check():
    close(1.04, 1.0, "about one", rtol=0.05)
    with pytest.raises(Wrong):
        close(1.06, 1.0, "about one", rtol=0.05)


def test_an_answer_on_another_device_is_fetched():
    class Elsewhere(torch.Tensor):
        """Stands in for a tensor on a device without float64: it cannot be converted there."""

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function is torch.Tensor.cpu:
                return args[0].as_subclass(torch.Tensor)
            if function is torch.Tensor.to:
                raise TypeError("no float64 here")
            return super().__torch_function__(function, types, args, kwargs)

    assert as_tensor(torch.ones(2).as_subclass(Elsewhere), "it").tolist() == [1, 1]
