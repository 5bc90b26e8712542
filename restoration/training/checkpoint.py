"""What a run needs to go on after any interruption, and its finished weights."""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from restoration.errors import UserError
from restoration.files import replacing
from restoration.training.distributed import World
from restoration.training.patches import PatchSampler


@dataclass
class Resumable:
    """All that changes while a network trains."""

    model: nn.Module
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    sampler: PatchSampler
    step: int = 0
    seconds: float = 0.0

    def state(self) -> dict[str, Any]:
        """Tensors and plain values that `load` takes; the tensors still change with the training."""
        return {
            "model": self.model.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "sampler": self.sampler.state(),
            "global_generator": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes back to a state."""
        self.model.load_state_dict(state["model"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.sampler.load(state["sampler"])
        torch.set_rng_state(state["global_generator"])
        self.step, self.seconds = state["step"], state["seconds"]

    def streams(self) -> list[Any]:
        """Where this process's random numbers are; those of the others lie beside `state` in a checkpoint."""
        return [self.sampler.state(), torch.get_rng_state()]

    def continue_streams(self, others: list[list[Any]], world: World, seed: int) -> None:
        """Goes on with this process's random numbers, or begins new ones where the number of processes is another.

        Args:
            others: `streams` of all processes but the first, as they were at this step.
            seed: of the run.
        """
        streams = [self.streams(), *others]
        if len(streams) == world.size:
            sampler, global_generator = streams[world.rank]
            self.sampler.load(sampler)
            torch.set_rng_state(global_generator)
        else:
            self.sampler.begin(world.seed(seed, self.step))
            torch.manual_seed(world.seed(seed, self.step))


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes a training state in place of the last one; on any error the last one stays.

    Raises:
        UserError: the file cannot be written, as on a full disk.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    _write(path, buffer.getbuffer())


def load_checkpoint(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The state of an interrupted run, or None where there is none.

    Args:
        identity: what the run about to start is; the checkpoint must hold the same under "identity".

    Raises:
        UserError: the checkpoint is damaged, or belongs to another configuration; both say how to go on.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        found, _ = state["identity"], state["sampler"]
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError, TypeError) as error:
        raise UserError(
            f"{path} is not a checkpoint of this program or is damaged; move its folder away to start anew"
        ) from error
    differences = _differences(found, identity)
    if differences:
        raise UserError(
            f"{path} was trained with another configuration:\n"
            + "\n".join(f"  {key}: {was} there, {asked} asked for" for key, was, asked in differences)
            + "\nGive this run a name of its own with variant=NAME, or move the old folder away."
        )
    return state


def save_weights(path: Path, model: nn.Module) -> None:
    """Writes the model's weights as safetensors."""
    with replacing(path) as temporary:
        save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, temporary)


def load_weights(path: Path, model: nn.Module) -> None:
    """Fills the model with weights that `save_weights` wrote.

    Raises:
        UserError: the file is damaged, or of another network.
    """
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"{path} is damaged or of another network; train it again") from error


def _write(path: Path, content: memoryview) -> None:
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; the last checkpoint is still there") from error


def _differences(found: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Where two nested dictionaries differ: dotted key, value found, value asked for."""
    rows = []
    for key in sorted(found.keys() | asked.keys()):
        one, other = found.get(key, "nothing"), asked.get(key, "nothing")
        if isinstance(one, dict) and isinstance(other, dict):
            rows += _differences(one, other, f"{prefix}{key}.")
        elif one != other:
            rows.append((prefix + key, one, other))
    return rows
