"""The curves of a training in TensorBoard, against patches seen, under the tags of `restoration.names`."""

import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from restoration.losses.combine import terms_of
from restoration.names import GRADIENT_SHARE, METRICS, curve_tag
from restoration.networks.inference import evaluating
from restoration.scoring.evaluate import Validation
from restoration.training.failures import Batch

SPEED = "8 training"  # numbers order the charts, see `names.curve_tag`
LOSS = "loss, each in its own unit"  # the last charts: losses of different units cannot be compared
FINAL = "6 final test scores"
CROPS = "7 crops: degraded, restored, truth"


class Board:
    """Writes the events of one training.

    Args:
        patches: number of patches seen so far. Later events, of an interrupted training, are hidden.
    """

    def __init__(self, folder: Path, patches: int):
        self.writer = SummaryWriter(str(folder), purge_step=patches + 1)
        self.last = patches, time.perf_counter()

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def scores(self, photographs: str, scores: Mapping[str, float], patches: int) -> None:
        """Logs means over the validation photographs, or over a test set, in the units of the tables."""
        for name, value in scores.items():
            self.writer.add_scalar(curve_tag(name, photographs), value * METRICS[name].shown_times, patches)

    def crops(self, validation: Validation, model: nn.Module, patches: int) -> None:
        """Logs the centres of validation photographs: degraded, restored, truth."""
        for index, crop in enumerate(validation.crops(model)):
            self.writer.add_image(f"{CROPS}/{index}", crop, patches)

    def step(self, loss: nn.Module, batch: Batch, mean: Tensor, rate: float, patches: int) -> None:
        """Logs learning rate, speed, the mean loss, and for each term of the loss: value and share of the gradient.

        The share is the norm of the term's gradient at the network's output, divided by the sum of all terms' norms. It
        is 0 for a term without gradient.
        """
        before, now = self.last, time.perf_counter()
        self.last = patches, now
        self.writer.add_scalar(f"{SPEED}/learning rate", rate, patches)
        self.writer.add_scalar(f"{SPEED}/patches per second", (patches - before[0]) / (now - before[1]), patches)
        self.writer.add_scalar(f"{LOSS}/loss", mean, patches)
        output = batch.restored.clone().requires_grad_()
        with evaluating(loss), torch.enable_grad():
            terms = terms_of(loss, output, batch.target)
            norms = {name: float(_gradient_norm(term, output)) for name, term in terms.items()}
        for name, term in terms.items():
            self.writer.add_scalar(f"{LOSS}/term {name}", term, patches)
            self.writer.add_scalar(f"{GRADIENT_SHARE}/{name}", norms[name] / (sum(norms.values()) or 1.0), patches)


def log_result(folder: Path, settings: Mapping[str, str | float], scores: Mapping[str, float]) -> None:
    """Logs settings and final scores of a run, for TensorBoard's page HPARAMS.

    Args:
        scores: values by title.
    """
    named = {f"{FINAL}/{title}": value for title, value in scores.items()}
    with SummaryWriter(str(folder)) as writer:
        for summary in hparams(dict(settings), named):
            writer._get_file_writer().add_summary(summary)
        for tag, value in named.items():
            writer.add_scalar(tag, value)


def _gradient_norm(term: Tensor, output: Tensor) -> Tensor:
    if not term.requires_grad:
        return torch.zeros((), device=output.device)
    (gradient,) = torch.autograd.grad(term, output, retain_graph=True, allow_unused=True, materialize_grads=True)
    return gradient.norm()
