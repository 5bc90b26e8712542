"""Weights of a sum of losses such that its terms have the asked shares of the gradient, as a new file in configs/loss:

make calibrate LOSS="l1:50,lpips:30,edge:20" [TASK=sr DATA=sample]

The shares are those of the gradient norms at the output of the untrained network, on patches of the validation
photographs. They change while a network trains: TensorBoard shows them.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from restoration.datasets.pack import pack_set
from restoration.errors import UserError
from restoration.files import write_text
from restoration.training.calibration import gradient_norms, mean_shares, weights_for
from scripts.cli import chosen_bf16, chosen_device, chosen_seed, plain_console, say_next
from scripts.configuration import CONFIGS
from scripts.train import training_sampler

CLOSE = 0.05  # between an asked share and that of the batches that check it


def main(config: DictConfig) -> None:
    shares, task = asked_shares(config.terms), config.names.task
    name = config.name or "_".join(f"{term}_{share:g}" for term, share in config.terms.items())
    path = Path(config.written_to) / f"{name}.yaml"
    if path.exists():
        raise UserError(f"{path} exists: move it away, or name another with ARGS=name=NAME")
    terms: dict[str, Any] = {term: OmegaConf.load(CONFIGS / "loss" / f"{term}.yaml") for term in shares}
    abouts = {term: {"title": term, "family": term, **values.pop("about", {})} for term, values in terms.items()}
    device = chosen_device(config.device)
    losses = {term: instantiate(values).to(device) for term, values in terms.items()}
    norms = gradient_norms(losses, outputs(config, device))
    weights = weights_for(shares, norms[: config.batches])
    checked = mean_shares(weights, norms[config.batches :])
    console = plain_console()
    for term, weight, share in zip(shares, weights, checked, strict=True):
        console.print(
            f"{term}: weight {weight:.4g}; {100 * share:.1f} % of the gradient, asked {100 * shares[term]:.1f} %"
        )
    if (checked - torch.tensor([*shares.values()])).abs().max() > CLOSE:
        raise UserError("on other batches the shares are others: measure more, ARGS=batches=256")
    loss = {
        "_target_": "restoration.losses.Sum",
        "losses": terms,
        "weights": {term: float(f"{weight:.4g}") for term, weight in zip(shares, weights, strict=True)},
        "about": {
            "title": " + ".join(f"{abouts[term]['title']} {100 * share:.0f} %" for term, share in shares.items()),
            "family": abouts[next(iter(shares))]["family"],
        },
    }
    header = "# Shares of the gradient at the output of the untrained network, on validation photographs:\n"
    command = (
        f"# make calibrate LOSS={','.join(f'{term}:{share:g}' for term, share in config.terms.items())} TASK={task}\n"
    )
    write_text(path, header + command + OmegaConf.to_yaml(OmegaConf.create(loss)))
    console.print(f"written to {path}", soft_wrap=True)
    say_next(f"make train TASK={task} LOSS={name}")


def asked_shares(terms: DictConfig | None) -> dict[str, float]:
    """Shares that sum to 1."""
    if not terms or not all(isinstance(share, int | float) and share > 0 for share in terms.values()):
        raise UserError("terms names the share of each loss, all positive: make calibrate LOSS=l1:80,edge:20")
    return {str(term): share / sum(terms.values()) for term, share in terms.items()}


def outputs(config: DictConfig, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Restored and target patches of the validation photographs, by the network as a training begins with it."""
    bf16 = chosen_bf16(config.precision, device)
    photos = pack_set(instantiate(config.data), Path(config.packs))
    sampler = training_sampler(config, dataclasses.replace(photos, train=photos.val), device)
    torch.manual_seed(chosen_seed(config.seed))
    model = instantiate(config.model).to(device)
    for _ in range(2 * config.batches):
        degraded, target = sampler.sample()
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            restored = model(degraded)
        yield restored.float(), target
