"""The bases of the hook top_k: orthonormal, near those of numpy, and of the same bits on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from reduce.reference import Array

import allred
from allred import _core

ISAS = _core.available_isas()
SHAPES = [(1, 1), (3, 5), (1, 40), (128, 64), (129, 130), (300, 17)]
NEARLY_SQUARE = [(1, 1), (9, 9), (129, 130), (300, 260)]  # so that all directions are learned, and comparable
LARGEST_CHUNK = 128


def matrix(shape: tuple[int, int], seed: int) -> Array:
    """Its rows and columns are of different sizes, so that no direction is like another."""
    rng = np.random.default_rng([*shape, seed])
    rows, columns = (np.geomspace(1, 0.2, length) for length in shape)
    return (rng.standard_normal(shape) * rows[:, None] * columns).astype(np.float32)


def coefficients(basis: _core.LearnedBasis, values: Array) -> Array:
    result = np.empty_like(values)
    basis.to_coefficients(result, values)
    return result


def chunks(length: int) -> list[Array]:
    return np.array_split(np.arange(length), -(-length // LARGEST_CHUNK))


class Reference:
    """In float64, by the QR decomposition."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.bases = [np.eye(length) for length in shape]
        self.moments = [np.zeros((length, length)) for length in shape]

    def learn(self, values: Array) -> None:
        for side, of in enumerate((values.astype(np.float64), values.astype(np.float64).T)):
            self.moments[side] = 0.9 * self.moments[side] + 0.1 * of @ of.T
            for chunk in chunks(len(of)):
                at = np.ix_(chunk, chunk)
                moments, basis = self.moments[side][at], self.bases[side][at]
                directions, triangle = np.linalg.qr(moments @ basis / np.trace(moments) + 1e-7 * basis)
                self.bases[side][at] = directions * np.sign(np.diag(triangle))

    def coefficients(self, values: Array) -> Array:
        return self.bases[0].T @ values @ self.bases[1]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("shape", NEARLY_SQUARE)
def test_the_coefficients_are_those_of_the_reference(shape: tuple[int, int], isa: str) -> None:
    basis, reference = _core.LearnedBasis(*shape, isa=isa), Reference(shape)
    for step in range(4):
        values = matrix(shape, 100 + step)
        found = coefficients(basis, values)
        np.testing.assert_allclose(found, reference.coefficients(values), rtol=0, atol=1e-3)
        assert step > 0 or (found == values).all()
        restored = np.empty_like(values)
        basis.from_coefficients(restored, found)
        np.testing.assert_allclose(restored, values, rtol=0, atol=1e-5)
        for seed in range(3):
            basis.learn(matrix(shape, seed + 3 * step))
            reference.learn(matrix(shape, seed + 3 * step))


@pytest.mark.parametrize("shape", SHAPES)
def test_all_instruction_sets_learn_the_same_bits(shape: tuple[int, int]) -> None:
    found = set()
    for isa in ISAS:
        basis = _core.LearnedBasis(*shape, isa=isa)
        for step in range(20):
            basis.learn(matrix(shape, step % 3) * np.float32(10.0 ** (step - 10)))
        values = coefficients(basis, matrix(shape, 7))
        restored = np.empty_like(values)
        basis.from_coefficients(restored, values)
        found.add(values.tobytes() + restored.tobytes())
    assert len(found) == 1


def test_few_coefficients_hold_what_keeps_coming() -> None:
    """Of matrices of low rank in directions that stay, where the elements themselves are all alike."""
    rng = np.random.default_rng(1)
    left, right = rng.standard_normal((200, 3)), rng.standard_normal((3, 150))

    def gradient() -> Array:
        return (left * rng.standard_normal(3) @ right).astype(np.float32)

    def share_of_largest(values: Array) -> float:
        squares = np.sort(values.reshape(-1).astype(np.float64) ** 2)
        return float(squares[-squares.size // 100 :].sum() / squares.sum())

    basis = _core.LearnedBasis(200, 150)
    assert share_of_largest(coefficients(basis, gradient())) < 0.3
    for _ in range(10):
        basis.learn(gradient())
    assert share_of_largest(coefficients(basis, gradient())) > 0.99


def test_what_is_not_finite_teaches_nothing() -> None:
    shape = (20, 30)
    basis = _core.LearnedBasis(*shape)
    basis.learn(matrix(shape, 0))
    before = coefficients(basis, matrix(shape, 1))
    for bad in (np.nan, np.inf):
        values = matrix(shape, 2)
        values[3, 4] = bad
        basis.learn(values)
    np.testing.assert_array_equal(coefficients(basis, matrix(shape, 1)), before)


def test_zeros_and_numbers_that_cannot_be_squared_leave_it_orthonormal() -> None:
    shape = (20, 30)
    basis = _core.LearnedBasis(*shape)
    for scale in (0, 1e-30, 1e30, 1):
        values = matrix(shape, 0) * np.float32(scale)
        basis.learn(values)
        found = coefficients(basis, matrix(shape, 1))
        np.testing.assert_allclose(np.linalg.norm(found), np.linalg.norm(matrix(shape, 1)), rtol=1e-5)
        assert (found == matrix(shape, 1)).all() == (scale != 1)


def test_matrices_of_other_sizes() -> None:
    basis = _core.LearnedBasis(2, 3)
    with pytest.raises(allred.InvalidArgumentError, match="values has 5 elements; expected those of a matrix of 2 x 3"):
        basis.to_coefficients(np.empty(6, np.float32), np.ones(5, np.float32))
    with pytest.raises(allred.InvalidArgumentError, match="values has 4 elements"):
        basis.learn(np.ones(4, np.float32))
    with pytest.raises(allred.InvalidArgumentError, match="destination has dtype float64; expected float32"):
        basis.from_coefficients(np.empty(6), np.ones(6, np.float32))
