"""SGD, Adam and AdamW against torch.optim."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import allred
from allred.server import SGD, Adam, AdamW

torch = pytest.importorskip("torch")

COUNT = (1 << 15) * 2 + 77  # more than two of the blocks in which optimizers work

CASES: list[tuple[Any, str, dict[str, Any]]] = [
    (SGD(0.1), "SGD", {"lr": 0.1}),
    (SGD(0.1, 0.9), "SGD", {"lr": 0.1, "momentum": 0.9}),
    (SGD(0.1, 0.9, weight_decay=0.01), "SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    (SGD(0.1, 0.9, nesterov=True), "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (Adam(), "Adam", {}),
    (
        Adam(0.01, (0.8, 0.95), eps=1e-3, weight_decay=0.1),
        "Adam",
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
    ),
    (AdamW(0.01), "AdamW", {"lr": 0.01}),
    (AdamW(0.01, weight_decay=0.3), "AdamW", {"lr": 0.01, "weight_decay": 0.3}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("optimizer", "name", "options"), CASES)
def test_steps_are_those_of_torch(optimizer: Any, name: str, options: dict[str, Any], dtype: str) -> None:
    numbers = np.random.default_rng(3)
    values = numbers.standard_normal(COUNT).astype(dtype)
    parameter = torch.nn.Parameter(torch.from_numpy(values.copy()))
    reference = getattr(torch.optim, name)([parameter], **options)
    state: dict[str, Any] = {}
    for step in range(1, 8):
        gradient = numbers.standard_normal(COUNT).astype(dtype)
        parameter.grad = torch.from_numpy(gradient.copy())
        reference.step()
        optimizer(values, gradient, state, step)
    tolerance = {"float32": 2e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(values, parameter.detach().numpy(), rtol=tolerance, atol=tolerance)


def test_the_learning_rate_may_depend_on_the_step() -> None:
    values = np.zeros(3)
    for step in (1, 2, 3):
        SGD(lambda step: 10.0**-step)(values, np.ones(3), {}, step)
    np.testing.assert_allclose(values, -0.111)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SGD(-1.0), "lr=-1.0: expected a number of 0 or more"),
        (lambda: SGD(0.1, 1.0), "momentum=1.0: expected a number from 0"),
        (lambda: SGD(0.1, nesterov=True), "nesterov=True with momentum=0.0"),
        (lambda: SGD(0.1, weight_decay=float("nan")), "weight_decay=nan"),
        (lambda: Adam(betas=(0.9, 2)), r"betas\[1\]=2"),
        (lambda: AdamW(eps=-1e-8), "eps=-1e-08"),
        (lambda: Adam("fast"), "lr='fast'"),  # type: ignore[arg-type]
    ],
)
def test_numbers_out_of_range(make: Any, words: str) -> None:
    with pytest.raises(allred.InvalidArgumentError, match=words):
        make()
