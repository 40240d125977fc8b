"""What a derivative costs: a loop and a needless temporary show, what the machine does beside it does not."""

import sys
import tracemalloc

import numpy as np
import pytest

from gradproof import Equation
from gradproof.cost import cost_of


def forward(x):
    return np.sin(x)


def plain(z_bar, z, x):
    return {"x": z_bar * np.cos(x)}


def by_row(z_bar, z, x):
    x_bar = np.empty_like(x)
    for n, row in enumerate(x):
        x_bar[n] = z_bar[n] * np.cos(row)
    return {"x": x_bar}


def by_jacobian(z_bar, z, x):
    jacobian = np.cos(x)[:, :, None] * np.eye(x.shape[1])
    return {"x": (z_bar[:, None] @ jacobian)[:, 0]}


def cost(backward, forward=forward, shapes="x: n m -> z: n m"):
    return cost_of(Equation(forward=forward, backward=backward, shapes=shapes))


def test_a_plain_derivative_runs_a_line_or_two_and_holds_a_temporary():
    found = cost(plain)
    assert found.lines < 8
    assert found.memory < 1.5


def test_a_loop_over_rows_runs_lines_for_each():
    assert cost(by_row).lines > 20 * cost(plain).lines


def test_a_jacobian_is_held():
    assert cost(by_jacobian).memory > 8 * cost(plain).memory


def test_it_is_the_same_every_time_and_leaves_no_trace():
    before = sys.gettrace()
    first, second = cost(by_row), cost(by_row)
    assert first.lines == second.lines
    assert first.memory == pytest.approx(second.memory, rel=0.05)
    assert sys.gettrace() is before
    assert not tracemalloc.is_tracing()


def test_the_memory_of_a_few_numbers_is_not_told():
    assert cost(lambda z_bar, z, x: {"x": z_bar * np.cos(x)}, shapes="x: -> z:").memory is None


def test_what_raises_has_no_cost():
    assert cost(lambda z_bar, z, x: {"x": z_bar / 0 if len(x) > 20 else z_bar.missing}) is None
