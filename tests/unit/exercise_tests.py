"""The three tests that each module of checks must pass; see ``test_checks_*.py``."""

import pytest


def make_tests(checks, right: dict, wrong: list):
    """Tests of a module of checks: it takes the solutions, knows a stub, and names the slips.

    ``right`` maps a check's name to its solution; ``wrong`` lists (name, answer, part of hint).
    """

    @pytest.mark.parametrize("name", right)
    def test_accepts_the_solution(name):
        assert getattr(checks, name)(right[name]) is True

    @pytest.mark.parametrize("name", right)
    def test_a_stub_is_not_attempted(name):
        assert getattr(checks, name)(lambda *_: None) is None

    @pytest.mark.parametrize(("name", "answer", "hint"), wrong)
    def test_names_the_slip(name, answer, hint, capsys):
        assert getattr(checks, name)(answer) is False
        assert hint in capsys.readouterr().out

    return test_accepts_the_solution, test_a_stub_is_not_attempted, test_names_the_slip
