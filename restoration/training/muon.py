"""Muon for convolutions: every step moves a kernel by an orthogonal matrix; the scale of the gradient has no effect.

K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. torch.optim.Muon takes matrices only,
and repeats its products with the whole kernel; here a kernel is a matrix of output channels x all its inputs, and the
iteration runs on the small Gram matrix.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# a, b, c of Jordan's quintic: an iteration maps a singular value s to a s + b s³ + c s⁵
NEWTON_SCHULZ = (3.4445, -4.775, 2.0315)


class Muon(torch.optim.Optimizer):
    """Muon for kernels and other matrices, Adam for biases and slopes.

    Args:
        lr: the rate of Adam.
        scale: the rate of Muon, in units of `lr`.
        momentum: Muon's momentum, in Nesterov's form.
        betas, eps: as in Adam.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        *,
        scale: float = 20.0,
        momentum: float = 0.9,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
    ):
        super().__init__(params, {"lr": lr, "scale": scale, "momentum": momentum, "betas": tuple(betas), "eps": eps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Moves every parameter that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    (_muon if weight.ndim > 1 else _adam)(weight, weight.grad, self.state[weight], group)


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with singular values near 1 (0.7 to 1.2): five steps of Newton and Schulz on its Gram matrix.

    With X = U S Vᵀ, a step X -> (a + b XXᵀ + c (XXᵀ)²) X changes S alone. The factors commute, so that their product is
    taken first, and X is multiplied once.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    a, b, c = NEWTON_SCHULZ
    matrix = matrix / matrix.norm().clamp(min=1e-7)
    gram = matrix @ matrix.T
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    product = identity
    for _ in range(5):
        factor = a * identity + b * gram + c * gram @ gram
        gram = factor @ gram @ factor
        product = factor @ product
    return product @ matrix


def _muon(weight: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    momentum = state["momentum"].lerp_(gradient, 1 - group["momentum"])
    direction = gradient.lerp(momentum, group["momentum"]).flatten(1)
    rows, columns = direction.shape
    step = group["lr"] * group["scale"] * max(1.0, rows / columns) ** 0.5
    weight.sub_(orthogonal(direction).view(weight.shape), alpha=step)


def _adam(weight: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state |= {name: torch.zeros_like(gradient) for name in ("step", "mean", "square")}
    first, second = group["betas"]
    step = state["step"].add_(1)  # a tensor: Python never waits for the GPU, and a CUDA graph can add to it
    mean = state["mean"].lerp_(gradient, 1 - first) / (1 - first**step)
    square = state["square"].lerp_(gradient.square(), 1 - second) / (1 - second**step)
    weight.sub_(group["lr"] * mean / (square.sqrt() + group["eps"]))
