"""Commands from training to tables: also interrupted and killed; messages for mistakes."""

import csv
import re
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from tests.scripts.conftest import ROOT, call, places


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_run_folder(study):
    folder = study / "runs/tiny/quick/sr/mix/seed0"
    names = {path.name for path in folder.iterdir()}
    assert {
        "config.yaml",
        "model.safetensors",
        "checkpoint.pt",
        "curves.csv",
        "scoring.json",
        "provenance.json",
    } < names
    rows = list(csv.DictReader((folder / "per_image.csv").read_text().splitlines()))
    assert {(row["test_set"], row["loss"]) for row in rows} == {("test", "mix"), ("test", "input")}
    table = (study / "tables/tiny/quick/sr-test.md").read_text()
    assert all(f"| {column} |" in table for column in ("Bilinear", "L1", "Mix"))


def test_eval_keeps_all_columns(copied):
    table = copied / "tables/tiny/quick/sr-test.md"
    before = table.read_text()
    table.unlink()
    printed = call("eval", *places(copied), "only.loss=l1", "packs=" + str(copied / "packs"))
    assert printed.count("scoring ") == 1
    assert table.read_text() == before


def test_baselines(copied, data):
    call("eval", *places(copied), data[-1], "only.loss=l1", "baselines=true")
    assert "Bicubic" in (copied / "tables/tiny/quick/sr-test.md").read_text()


def test_report_and_publish(copied, data, refused, tmp_path):
    """The page of a study, of its published form, and the refusal to publish fewer runs than before."""
    runs = [f"runs={copied}/runs", data[-1]]
    call("report", *runs, f"report={tmp_path}/report")
    assert "<html" in (tmp_path / "report/index.html").read_text()
    publish = [*runs, f"studies={tmp_path}/studies", f"weights={tmp_path}/weights"]
    call("publish", *publish)
    published = tmp_path / "studies/tiny-quick"
    assert {path.name for path in (tmp_path / "weights").iterdir()} == {"sr-l1.safetensors", "sr-mix.safetensors"}

    before = files(published)
    (copied / "runs/tiny/quick/sr/l1/seed0").rename(tmp_path / "removed")
    refused("publish", publish, "publish all runs together", "drop=true")
    assert files(published) == before

    call("report", f"study={published}", f"runs={tmp_path}/nothing", f"report={tmp_path}/of_records")
    assert (tmp_path / "of_records/index.html").exists()
    call("figure", f"runs={copied}/runs", f"tables={tmp_path}/tables", data[-1])
    with Image.open(tmp_path / "tables/tiny/quick/crops.png") as crops:
        assert crops.width > crops.height


def test_data(data, tmp_path):
    assert "96x72" in call("data", *data, f"pages={tmp_path}")


def test_interrupted(with_losses, tmp_path, capsys):
    losses = with_losses(mine=f"_target_: tests.failing_losses.SignalOnce\nnumber: 2\nmarker: {tmp_path}/sent\n")
    with pytest.raises(SystemExit) as caught:
        call("train", *losses, "task=sr", "loss=mine")
    assert caught.value.code == 130
    assert "SIGINT: stopped with a checkpoint; the same command goes on from there" in capsys.readouterr().err
    assert "continues after" in call("train", *losses, "task=sr", "loss=mine")


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["task=denoise"], ["task=denoise is unknown; there are demosaic, jpeg, sr"]),
        (["loss=nosuch"], ["nosuch", "ms_ssim", "mix"]),
        (["budget.patchs=3"], ["patchs is unknown (did you mean budget.patches?); budget has batch, decay"]),
        (["modle=cnn"], ["modle is unknown (did you mean model?)"]),
        (["+loss.alfa=3"], ["alfa is unknown (did you mean alpha?)"]),
        (["seed=[1"], ["seed=[1 cannot be read as name=value"]),
        (["loss.alpha=0.1,0.2"], ["loss.alpha=0.1,0.2 cannot be read as name=value"]),
        (["budget.patches=abc"], ["budget.patches must be a number such as 10240, got abc"]),
        (["budget.patches=1.5"], ["patches must be a whole number, got 1.5"]),
        (["budget.decay=[1]"], ["budget.decay must be a text such as linear, got [1]"]),
        (["loss.sigmas=[1,a]"], ["loss.sigmas must be a list such as [0.5, 1.0, 2.0, 4.0, 8.0], got [1, 'a']"]),
        (["track=1"], ["track must be true or false, got 1"]),
        (["gpus=3"], ["a batch of 8 patches cannot be shared equally among 3 GPUs; take 1, 2, 4, 8 GPUs"]),
        (["task=jpeg", "task.quality=300"], ["quality must be from 1 to 95, got 300"]),
        (["precision=fp8"], ["auto, bf16 or fp32, got fp8"]),
        (["seed=abc"], ["seed must be a number such as 0, got abc"]),
        (["seed=-1"], ["got -1"]),
        (["seed=1e20"], ["got 1e+20"]),
        (["data.test=null"], ["data.test=DIR"]),
    ],
    ids=lambda value: value[-1],
)
def test_unknown_values(refused, tiny, overrides, parts):
    said = refused("train", [*tiny, *overrides], *parts)
    assert "hydra" not in said.lower()


def test_bad_photographs(refused, tiny, photographs, tmp_path):
    (tmp_path / "empty").mkdir()
    refused("train", [*tiny, f"data.train={tmp_path}/empty"], "no photographs in")
    shutil.copytree(photographs / "train", tmp_path / "train")
    (tmp_path / "train/zero.png").write_bytes(b"")
    Image.fromarray(np.zeros((30, 30, 3), np.uint8)).save(tmp_path / "train/tiny.png")
    options = [*tiny, "task=sr", f"data.train={tmp_path}/train"]
    refused("train", options, "zero.png: empty file", "tiny.png: 30x30 pixels", "data.skip_bad=true")
    assert {path.name for path in (tmp_path / "runs").rglob("*") if path.is_file()} == {".lock"}  # before training
    call("train", *options, "data.skip_bad=true")


def test_another_configuration(refused, copied, tiny):
    """A complete run is kept when the same command asks for other settings."""
    options = [*tiny, *places(copied), "task=sr", "loss=l1"]
    before = files(copied / "runs")
    refused("train", [*options, "task.scale=3"], "task.scale: 2 in the checkpoint, 3 requested", "variant=")
    after = files(copied / "runs")
    assert {path: after[path] for path in before} == before
    call("train", *options, "task.scale=3", "variant=x3")


@pytest.fixture
def full_disk():
    """After a call, no file may become larger than `limit` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk(refused, full_disk, copied, tiny, tmp_path):
    full_disk(1_000_000)  # packs fit, checkpoints do not
    refused("train", [*tiny, "task=sr", "loss=l1"], "checkpoint.pt", "File too large")
    assert not list((tmp_path / "runs").rglob("model.safetensors"))
    assert {path.name for path in (tmp_path / "runs").rglob(".*")} <= {".lock"}
    before = files(copied)
    full_disk(1000)
    refused("eval", [*places(copied), tiny[4]], "File too large")
    assert files(copied) == before


def test_eval_without_runs(refused, tmp_path):
    refused("eval", [*places(tmp_path), "only.task=sr"], "no trained run matches task=sr", "make train")
    refused("eval", ["variant=mine"], "did you mean only.variant?")


def test_eval_without_photographs(refused, copied, data, photographs, tmp_path):
    """Photographs that have moved are taken from packs. Without packs, the runs that need them are named."""
    shutil.copytree(photographs / "test", tmp_path / "gone")
    gone = [*data, f"data.test={tmp_path}/gone", "data.name=another", "budget.patches=8", "budget.validations=1"]
    gone += [f"packs={tmp_path}/packs", *places(copied), "task=sr"]
    call("train", *gone)
    (tmp_path / "gone").rename(tmp_path / "moved")
    call("eval", *places(copied), f"packs={tmp_path}/packs", "only.data=another")
    shutil.rmtree(tmp_path / "packs")
    shutil.rmtree(copied / "tables")
    scored = {path: path.stat().st_mtime_ns for path in copied.rglob("per_image.csv")}
    options = [*places(copied), f"packs={tmp_path}/packs", "only.loss=mix"]
    refused("eval", options, "1 of 2 runs were not scored,", "runs/another/quick/sr/mix/seed0: ", "gone")
    assert [path.parents[4].name for path, then in scored.items() if path.stat().st_mtime_ns > then] == ["tiny"]
    assert {path.parents[1].name for path in copied.rglob("sr-*.md")} == {"another", "tiny"}
    said = call("train", *gone, f"data.test={tmp_path}/moved")  # now the run knows the new folder
    assert said.startswith("sr with mix, seed 0: complete, trained on ")
    call("eval", *options)


LOSSES = re.findall(r"```yaml\n# configs/loss/(\w+).yaml\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
assert LOSSES


@pytest.mark.parametrize(("loss", "yaml"), LOSSES, ids=lambda text: text.partition("\n")[0])
def test_losses_of_the_readme(with_losses, tmp_path, loss, yaml):
    """A loss of any library needs one YAML file, as in the README."""
    printed = call("train", *with_losses(**{loss: yaml}), "task=sr", f"loss={loss}")
    assert loss in printed
    (weights,) = tmp_path.rglob(f"{loss}/seed0/model.safetensors")
    assert len(load_file(weights)) == 8
