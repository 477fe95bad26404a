"""The tests that each module of checks must pass; see ``test_checks_*.py``."""

import functools

import pytest
import torch


def spoiling(answer):
    """The same answer, which then overwrites every tensor and weight that it was given."""
    if not callable(answer) or isinstance(answer, torch.nn.Module):
        return answer

    @functools.wraps(answer)
    def spoilt(*args):
        result = answer(*args)
        result = result.clone() if isinstance(result, torch.Tensor) else result
        for given in args:
            tensors = given.parameters() if isinstance(given, torch.nn.Module) else [given]
            for tensor in tensors:
                if isinstance(tensor, torch.Tensor):
                    tensor.data.fill_(7)
        return result

    return spoilt


def make_tests(checks, right: dict, wrong: list, also_right: list | None = None):
    """Tests of a module of checks: it takes right answers, knows a stub, and names the slips.

    ``right`` maps a check's name to its solution, ``also_right`` lists (name, answer) by other
    roads, ``wrong`` lists (name, answer, part of hint).
    """
    answers = [*right.items(), *(also_right or [])]

    @pytest.mark.parametrize(("name", "answer"), answers)
    def test_accepts_right_answers(name, answer):
        assert getattr(checks, name)(answer) is True

    @pytest.mark.parametrize(("name", "answer"), answers)
    def test_accepts_one_that_overwrites_its_arguments(name, answer):
        assert getattr(checks, name)(spoiling(answer)) is True

    @pytest.mark.parametrize("name", right)
    def test_a_stub_is_not_attempted(name):
        assert getattr(checks, name)(lambda *_: None) is None

    @pytest.mark.parametrize("name", [name for name in right if callable(right[name])])
    def test_crashes_and_words_are_marked_without_an_error(name, capsys):
        check = getattr(checks, name)
        assert check(lambda *a: 1 / 0) is False
        assert "ZeroDivisionError" in capsys.readouterr().out
        assert check(lambda *a: "words") is False
        assert capsys.readouterr().out.startswith("Not yet:")

    @pytest.mark.parametrize(("name", "answer", "hint"), wrong)
    def test_names_the_slip(name, answer, hint, capsys):
        assert getattr(checks, name)(answer) is False
        assert hint in capsys.readouterr().out

    return {
        test.__name__: test
        for test in (
            test_accepts_right_answers,
            test_accepts_one_that_overwrites_its_arguments,
            test_a_stub_is_not_attempted,
            test_crashes_and_words_are_marked_without_an_error,
            test_names_the_slip,
        )
    }
