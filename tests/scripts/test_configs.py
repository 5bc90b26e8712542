"""Every YAML composes and builds its object; tests/losses/test_field.py trains with those of the losses."""

import shutil
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
import submitit
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from restoration.datasets.download import Downloads
from restoration.datasets.photos import PhotoSet
from restoration.errors import UserError
from restoration.training.budget import Budget
from scripts.configuration import composed
from scripts.trained import built_loss, built_optimizer

ROOT = Path(__file__).parents[2]
GROUPS = {
    group.name: sorted(file.stem for file in group.glob("*.yaml"))
    for group in (ROOT / "configs").iterdir()
    if group.is_dir()
}


@pytest.mark.parametrize("task", GROUPS["task"])
def test_tasks(task):
    image = torch.rand(3, 50, 60)
    assert instantiate(composed("train", [f"task={task}"]).task).degrade(image, torch.Generator()).shape == image.shape


@pytest.mark.parametrize("budget", GROUPS["budget"])
def test_budgets(budget):
    config = composed("train", [f"budget={budget}"])
    assert isinstance(instantiate(config.budget), Budget)
    assert config.variant == budget


@pytest.mark.parametrize("choice", [f"{group}={name}" for group in ("model", "optimizer") for name in GROUPS[group]])
def test_models_and_optimizers(choice):
    config = composed("train", [choice])
    network = instantiate(config.model)
    saved = BytesIO()
    torch.save(built_optimizer(config, network).state_dict(), saved)
    assert torch.load(BytesIO(saved.getvalue()), weights_only=True)["param_groups"]
    assert network(torch.rand(1, 3, 31, 31)).shape == (1, 3, 31, 31)


@pytest.mark.parametrize("data", ["fivek", "bsds500", "kodak24"])
def test_data_sets_to_download(data, monkeypatch, tmp_path):
    """Data sets to download build and read their lists, until the first download, which the test stops."""

    def forbidden(self: Downloads, work: object, items: Sequence[object], *, title: str) -> None:
        raise UserError(f"{len(items)} {title}")

    monkeypatch.setattr(Downloads, "each", forbidden)
    for path in (ROOT / "data").rglob("*.*"):
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".csv", ".txt"):
            shutil.copy(path, tmp_path / path.relative_to(ROOT))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InstantiationException) as caught:
        instantiate(composed("train", [f"data={data}"]).data)
    expected = "748 photographs of FiveK" if data == "fivek" else "1 archives of BSDS500"
    assert str(caught.value.__cause__) == expected


@pytest.mark.parametrize("data", ["folder", "sample"])
def test_data_sets(data, photo_folder, monkeypatch):
    monkeypatch.chdir(ROOT)
    options = {"folder": [f"data.train={photo_folder}/train", f"data.test={photo_folder}/test"]}.get(data, [])
    photos = instantiate(composed("train", [f"data={data}", *options]).data)
    assert isinstance(photos, PhotoSet)
    assert photos.train
    assert photos.val
    assert all(photos.test.values())


def test_every_data_set_is_tested():
    assert set(GROUPS["data"]) == {"fivek", "bsds500", "kodak24", "folder", "sample"}


@pytest.mark.parametrize("launcher", GROUPS["launcher"])
def test_launchers(launcher, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name)  # Slurm's commands are not installed here
    config = composed("study", [f"launcher={launcher}"]).launcher
    executor = submitit.AutoExecutor(tmp_path, cluster=config.cluster, **config.executor)
    executor.update_parameters(**config.job)


@pytest.mark.parametrize("experiment", GROUPS["experiment"])
def test_experiments(experiment):
    assert composed("study", [f"experiment={experiment}"]).parts


@pytest.mark.parametrize(("name", "alpha", "l1_scale"), [("mix", 0.84, 255.0), ("mix_code", 0.025, 1.0)])
def test_alpha_of_mix(name, alpha, l1_scale):
    loss = built_loss(composed("train", [f"loss={name}"]))
    assert (loss.alpha, loss.l1_scale) == (alpha, l1_scale)
