"""What a server does with gradients: SGD, Adam and AdamW as torch.optim has them, on numpy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeAlias

import numpy as np

from allred.errors import InvalidArgumentError
from allred.server.arrays import Array

# A number, or a schedule: the learning rate of a step, counted from 1.
LearningRate: TypeAlias = float | Callable[[int], float]

_BLOCK = 1 << 15  # elements: all that an update of them touches stays in the cache of a core


class Optimizer(Protocol):
    """What ``ParameterServer`` takes as `optimizer`: SGD, Adam, AdamW, or any function with these arguments.

    It is called on each server for the elements that the server holds, as one-dimensional arrays of one dtype in which
    parameters, or ranges of them, lie one after the other: it must treat each element alike, and by itself.
    """

    def __call__(self, parameter: Array, gradient: Array, state: dict[str, Array], step: int) -> None:
        """Changes `parameter` in place.

        Args:
            parameter: shape (count,), dtype float64, float32 or float16.
            gradient: of the same shape and dtype; may be overwritten.
            state: what is kept between calls and in checkpoints: arrays of the same shape, of any dtype. Empty at
                first.
            step: the number of this update, from 1.
        """


class SGD:
    """Stochastic gradient descent with momentum, as ``torch.optim.SGD``; in the parameters' dtype.

    Args:
        lr: the learning rate, a number or a function of the step.
        momentum: how much of the last direction is kept, from 0 up to but less than 1.
        weight_decay: times the parameter, is added to the gradient.
        nesterov: Nesterov's momentum.

    Raises:
        InvalidArgumentError: a number is out of range.
    """

    def __init__(
        self, lr: LearningRate, momentum: float = 0.0, *, weight_decay: float = 0.0, nesterov: bool = False
    ) -> None:
        self.lr = _checked_lr(lr)
        self.momentum = _in_unit("momentum", momentum)
        self.weight_decay = _not_negative("weight_decay", weight_decay)
        self.nesterov = nesterov
        if nesterov and momentum == 0:
            raise InvalidArgumentError("nesterov=True with momentum=0.0: expected momentum above 0")

    def __call__(self, parameter: Array, gradient: Array, state: dict[str, Array], step: int) -> None:
        """See :class:`Optimizer`."""
        lr = _rate(self.lr, step)
        arrays = [parameter, gradient]
        if self.momentum:
            arrays.append(_zeros("velocity", parameter, state))
        for p, g, scratch, *velocity in _blocks(*arrays):
            _decay(p, g, scratch, self.weight_decay)
            for v in velocity:
                v *= self.momentum
                v += g
                if self.nesterov:
                    np.multiply(v, self.momentum, out=scratch)
                    g += scratch
                else:
                    g = v
            np.multiply(g, lr, out=scratch)
            p -= scratch


class Adam:
    """Adam, as ``torch.optim.Adam``; in the parameters' dtype.

    Args:
        lr: the learning rate, a number or a function of the step.
        betas: how much of the averages of gradients and of their squares is kept, each from 0 up to but less than 1.
        eps: added to the denominator.
        weight_decay: times the parameter, is added to the gradient.

    Raises:
        InvalidArgumentError: a number is out of range.
    """

    def __init__(
        self,
        lr: LearningRate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        *,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.lr = _checked_lr(lr)
        self.betas = (_in_unit("betas[0]", betas[0]), _in_unit("betas[1]", betas[1]))
        self.eps = _not_negative("eps", eps)
        self.weight_decay = _not_negative("weight_decay", weight_decay)

    def __call__(self, parameter: Array, gradient: Array, state: dict[str, Array], step: int) -> None:
        """See :class:`Optimizer`."""
        lr = _rate(self.lr, step)
        of_mean, of_square = self.betas
        scale = lr / (1 - of_mean**step)
        root = math.sqrt(1 - of_square**step)
        averages = _zeros("mean", parameter, state), _zeros("square", parameter, state)
        for p, g, scratch, mean, square in _blocks(parameter, gradient, *averages):
            self._apply_decay(p, g, scratch, lr)
            mean *= of_mean
            np.multiply(g, 1 - of_mean, out=scratch)
            mean += scratch
            square *= of_square
            np.multiply(g, g, out=g)
            g *= 1 - of_square
            square += g
            np.sqrt(square, out=scratch)
            scratch /= root
            scratch += self.eps
            np.divide(mean, scratch, out=scratch)
            scratch *= scale
            p -= scratch

    def _apply_decay(self, p: Array, g: Array, scratch: Array, lr: float) -> None:
        _decay(p, g, scratch, self.weight_decay)


class AdamW(Adam):
    """Adam with decoupled weight decay, as ``torch.optim.AdamW``; in the parameters' dtype.

    Args:
        lr: the learning rate, a number or a function of the step.
        betas: as for :class:`Adam`.
        eps: as for :class:`Adam`.
        weight_decay: times the learning rate, is what each parameter loses of itself in a step.

    Raises:
        InvalidArgumentError: a number is out of range.
    """

    def __init__(
        self,
        lr: LearningRate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        *,
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(lr, betas, eps=eps, weight_decay=weight_decay)

    def _apply_decay(self, p: Array, g: Array, scratch: Array, lr: float) -> None:
        if self.weight_decay:
            p *= 1 - lr * self.weight_decay


def _blocks(parameter: Array, gradient: Array, *state: Array) -> Iterator[tuple[Array, ...]]:
    """Parameter, gradient, scratch memory and state, a block of elements at a time."""
    scratch = np.empty(min(_BLOCK, parameter.size), parameter.dtype)
    for begin in range(0, parameter.size, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        p = parameter[block]
        yield (p, gradient[block], scratch[: p.size], *(each[block] for each in state))


def _zeros(name: str, parameter: Array, state: dict[str, Array]) -> Array:
    if name not in state:
        state[name] = np.zeros_like(parameter)
    return state[name]


def _decay(p: Array, g: Array, scratch: Array, weight_decay: float) -> None:
    if weight_decay:
        np.multiply(p, weight_decay, out=scratch)
        g += scratch


def _rate(lr: LearningRate, step: int) -> float:
    return float(lr(step)) if callable(lr) else lr


def _checked_lr(lr: LearningRate) -> LearningRate:
    return lr if callable(lr) else _not_negative("lr", lr)


def _not_negative(name: str, value: Any) -> float:
    if not isinstance(value, (int, float)) or not (0 <= value < math.inf):
        raise InvalidArgumentError(f"{name}={value!r}: expected a number of 0 or more")
    return float(value)


def _in_unit(name: str, value: Any) -> float:
    if not isinstance(value, (int, float)) or not (0 <= value < 1):
        raise InvalidArgumentError(f"{name}={value!r}: expected a number from 0 up to but less than 1")
    return float(value)
