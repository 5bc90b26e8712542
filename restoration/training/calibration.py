"""Weights of a sum of losses from the gradients of its terms, measured once, before the training."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from restoration.errors import UserError

ROUNDS = 50


def gradient_norms(losses: Mapping[str, nn.Module], batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Norms of the gradients at the network's output, (batches, losses) in float64.

    Args:
        batches: restored and target patches.
    """
    rows = []
    for restored, target in batches:
        output = restored.detach().clone().requires_grad_()
        gradients = [torch.autograd.grad(loss(output, target), output)[0] for loss in losses.values()]
        rows.append([gradient.double().norm().item() for gradient in gradients])
    return torch.tensor(rows, dtype=torch.float64)


def mean_shares(weights: Tensor, norms: Tensor) -> Tensor:
    """The share of each term in the sum of all terms' gradient norms, as a training logs it; mean over batches."""
    weighted = weights * norms
    return (weighted / weighted.sum(dim=1, keepdim=True)).mean(dim=0)


def weights_for(shares: Mapping[str, float], norms: Tensor) -> Tensor:
    """The weights that give these shares, which sum to 1, on the measured batches; the first weight is 1.

    Raises:
        UserError: a term has no gradient, or one that is not finite.
    """
    for name, column in zip(shares, norms.T, strict=True):
        if not (column.isfinite().all() and column.any()):
            raise UserError(f"the gradient of {name} is zero or not finite at the output of the untrained network")
    asked = torch.tensor([*shares.values()], dtype=torch.float64)
    weights = asked / norms.mean(dim=0)
    for _ in range(ROUNDS):  # the mean of shares is not the share of means
        weights = weights * asked / mean_shares(weights, norms)
    return weights / weights[0]
