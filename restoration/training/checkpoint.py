"""The checkpoint, from which an interrupted training continues exactly, and the file of the trained weights."""

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
from restoration.training.identity import differences
from restoration.training.patches import PatchSampler


@dataclass
class Resumable:
    """Everything that changes while a network trains."""

    model: nn.Module
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    sampler: PatchSampler
    step: int = 0
    seconds: float = 0.0

    def state(self) -> dict[str, Any]:
        """The state that is equal in all processes, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restores a `state`."""
        self.model.load_state_dict(state["model"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def random_state(self) -> dict[str, Any]:
        """The states of this process's random generators: the sampler's, and PyTorch's global ones, used by Dropout."""
        state = {"sampler": self.sampler.state(), "cpu": torch.get_rng_state()}
        device = self.sampler.generator.device
        if device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(device)
        return state

    def load_random(self, state: dict[str, Any]) -> None:
        """Restores a `random_state`."""
        self.sampler.load(state["sampler"])
        torch.set_rng_state(state["cpu"])
        if "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], self.sampler.generator.device)

    def seed(self, seed: int) -> None:
        """Begins new random numbers."""
        self.sampler.begin(seed)
        torch.manual_seed(seed)


def resume(run: Resumable, path: Path, identity: dict[str, Any], world: World) -> bool:
    """Continues from the checkpoint; without one, begins with the same weights in all processes.

    With the same number of processes as before, random generators continue. With another number, each process gets a
    new seed from (seed, number of processes, rank, step).

    Returns:
        Whether there was a checkpoint.
    """
    seed = run.sampler.generator.initial_seed()
    saved = world.from_first(lambda: load_checkpoint(path, identity))
    if saved is not None:
        run.load(saved)
    elif world.size > 1:  # different machines may draw different weights from the same seed
        weights = {name: weight.cpu() for name, weight in run.model.state_dict().items()}
        run.model.load_state_dict(world.from_first(lambda: weights))
    if saved is not None and len(saved["random"]) == world.size:
        run.load_random(saved["random"][world.rank])
    elif saved is not None or world.size > 1:
        run.seed(world.seed(seed, run.step))
    return saved is not None


def save_checkpoint(run: Resumable, path: Path, identity: dict[str, Any], world: World) -> None:
    """Replaces the checkpoint; if that fails, the old one stays. All processes call this together.

    Raises:
        UserError: the file cannot be written, as on a full disk.
    """
    random = world.gathered(run.random_state())
    with world.in_turn():  # no process ends before the checkpoint is written
        if world.first:
            write_checkpoint(path, {"identity": identity, **run.state(), "random": random})


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes plain values and tensors."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; the last checkpoint is kept") from error


def load_checkpoint(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The state in a checkpoint; None if there is no file.

    Args:
        identity: values that identify the training; they must be equal in the checkpoint.

    Raises:
        UserError: the file is damaged, or of another run.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        saved, _ = state["identity"], state["random"]
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError, TypeError) as error:
        raise UserError(
            f"{path} is damaged, or was written by another version of this program; "
            "move its folder away to train from the start"
        ) from error
    saved = {key: value for key, value in saved.items() if key in identity}
    if lines := [f"  {_difference(*row)}\n" for row in differences(saved, identity)]:
        raise UserError(
            f"{path.parent} holds another training:\n{''.join(lines)}"
            "Give this training its own name with variant=NAME, or move that folder away."
        )
    return state


def _difference(key: str, saved: object, asked: object) -> str:
    kind, _, name = key.partition(".")
    if kind == "photographs":
        return "the training photographs are others"
    if kind == "code":
        return f"the code of {name} has changed"
    return f"{key}: {saved} in the checkpoint, {asked} requested"


def save_weights(path: Path, model: nn.Module) -> None:
    """Writes the model's weights as safetensors."""
    weights = model.state_dict()
    with replacing(path) as temporary:  # cloned: safetensors refuses weights that share memory
        save_file({name: weights[name].clone(memory_format=torch.contiguous_format) for name in weights}, temporary)


def load_weights(path: Path, model: nn.Module) -> None:
    """Fills the model with weights that `save_weights` wrote.

    Raises:
        UserError: the file is damaged, or of another network.
    """
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"{path} is damaged, or holds the weights of another network; train it again") from error
