"""Writes the network of a finished run as half-precision weights that are shipped with the package."""

import copy
import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from restoration.errors import UserError
from restoration.files import replacing
from restoration.networks.cnn import RestorationCNN
from restoration.networks.inference import restore_image
from restoration.pretrained import TASKS, weights_file
from restoration.scoring.evaluate import noise_of
from restoration.study.report.drawing import as_saved
from restoration.study.runs import Run, read_provenance
from restoration.tasks import Task

LICENCE = "MIT, as the code; the photographs that trained it are not part of it and have licences of their own"


def half_weights(run: Run, network: nn.Module, task: Task, folder: Path) -> dict[str, Tensor]:
    """Checks a network and returns the half-precision weights that `ship` would write into `folder`.

    Raises:
        UserError: `pretrained.load` cannot build the network, or has another degradation for the task; half precision
            cannot hold a weight; or the folder has the network of another study.
    """
    if type(network) is not RestorationCNN or network.residual:
        raise UserError(f"{run.folder} does not hold the paper's network; only this one is shipped")
    if run.task not in TASKS or repr(task) != repr(TASKS[run.task]):
        shipped = TASKS.get(run.task, "tasks of the paper")
        raise UserError(f"{run.folder} was trained for {task}; only networks for {shipped} are shipped")
    path = weights_file(folder, run.task, run.loss)
    if path.exists() and (other := study_of(path)) != (run.data, run.variant):
        raise UserError(
            f"{path} is the network of another study, {', '.join(other)}; this one is of {run.data}, {run.variant}: "
            "keep them apart (make publish ARGS=weights=FOLDER), or move that file away"
        )
    weights = {name: weight.detach().cpu().half().contiguous() for name, weight in network.state_dict().items()}
    if not all(weight.isfinite().all() for weight in weights.values()):
        raise UserError(f"{run.folder} has weights that half precision cannot hold; train it again")
    return weights


def ship(run: Run, network: nn.Module, task: Task, folder: Path, *, photo: Tensor) -> str:
    """Writes a run's network as <task>-<loss>.safetensors, float16, with its origin as metadata of the file.

    Args:
        network: the trained network; it is not changed.
        task: the degradation of its training.
        folder: `pretrained.FOLDER` for the users of the package.
        photo: (3, H, W) in [0, 1].

    Returns:
        The effect of half precision on the restored photograph, in 8 bits, in words.

    Raises:
        UserError: as `half_weights`.
    """
    weights = half_weights(run, network, task, folder)
    changes, seen = _changes(network, weights, task.degrade(photo, noise_of(run.task))), read_provenance(run)
    origin = {
        "task": run.task,
        "loss": run.loss,
        "data": run.data,
        "variant": run.variant,
        "seed": str(run.seed),
        "degradation": repr(task),
        "patches_seen": str(seen["patches_seen"]),
        "training_precision": seen["precision"],
        "training_photographs_hash": seen["training_photographs_hash"],
        "commit": seen["commit"],
        "half_precision_changes": changes,
        "licence": LICENCE,
    }
    with replacing(weights_file(folder, run.task, run.loss)) as temporary:
        temporary.write_bytes(_file(weights, origin))
    return changes


def study_of(path: Path) -> tuple[str, str]:
    """Data and variant of a shipped network."""
    with safe_open(path, "pt") as file:
        origin = file.metadata() or {}
    return origin.get("data", "unknown"), origin.get("variant", "unknown")


def _changes(network: nn.Module, weights: dict[str, Tensor], degraded: Tensor) -> str:
    """The largest change of a restored value, and the share of values that change."""
    rounded = copy.deepcopy(network)
    rounded.load_state_dict(weights)
    degraded = degraded.to(next(network.parameters()).device)
    before, after = (as_saved(restore_image(model, degraded)) for model in (network, rounded))
    levels = ((before - after).abs() * 255).round()
    share = 100 * levels.bool().float().mean().item()
    return f"at most {levels.max():.0f} of 255 levels, in {share:.2f} % of a picture's values"


def _file(weights: dict[str, Tensor], origin: dict[str, str]) -> bytes:
    """A safetensors file with sorted metadata: the library writes them in random order, so the bytes would differ."""
    content = save(weights, origin)
    end = 8 + int.from_bytes(content[:8], "little")
    header = {**json.loads(content[8:end]), "__metadata__": dict(sorted(origin.items()))}
    text = json.dumps(header, separators=(",", ":")).encode()
    text = text.ljust(len(text) + -len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]
