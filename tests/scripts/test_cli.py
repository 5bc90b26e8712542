"""What people type: the whole way from a command to a table, killed on the way, and every mistake's message."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(photo_folder, tmp_path):
    """The arguments of a script that works on five small photographs and writes below tmp_path."""

    def make(script: str, *overrides: str) -> list[str]:
        written = {"report": ["report"], "publish": ["studies", "weights"]}.get(script, ["tables"])
        places = [f"{name}={tmp_path / name}" for name in ("runs", "packs", *written)]
        data = ["data=folder", f"data.train={photo_folder}/train", f"data.test={photo_folder}/test", "data.name=tiny"]
        if script in ("eval", "figure", "report", "publish"):
            data = []
        budget = ["budget.patches=48", "budget.validations=2"] if script in ("train", "study") else []
        return [sys.executable, "-m", f"scripts.{script}", *data, *places, *budget, *overrides]

    return make


def run(arguments: list[str], **options) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=300, **options)


def refused(arguments: list[str], *parts: str, **options) -> str:
    """Runs what must fail; the message holds all parts and no traceback."""
    result = run(arguments, **options)
    assert result.returncode not in (0, None)
    for part in parts:
        assert part in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_train_eval_and_study_from_photographs_to_tables(command, tmp_path):
    result = run(command("train", "task=sr", "loss=mix"))
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "runs" / "tiny" / "quick" / "sr" / "mix" / "seed0"
    left = {"config.yaml", "model.safetensors", "checkpoint.pt", "per_image.csv", "provenance.json"}
    assert left < {path.name for path in folder.iterdir()}
    rows = list(csv.DictReader((folder / "per_image.csv").read_text().splitlines()))
    assert {(row["test_set"], row["loss"]) for row in rows} == {("test", "mix"), ("test", "input")}
    assert "Bilinear" in result.stdout
    table = tmp_path / "tables" / "tiny" / "quick" / "sr-test.md"
    first = table.read_text()

    weights = (folder / "model.safetensors").read_bytes()
    study = run(command("study", "tasks=[sr]", "losses=[l1,mix]"))
    assert study.returncode == 0, study.stderr
    assert (folder / "model.safetensors").read_bytes() == weights  # was trained, is not trained again
    assert "| L1 | Mix |" in table.read_text()

    before = table.read_text()
    assert run(command("eval", "only.task=sr", "only.loss=l1")).returncode == 0
    assert table.read_text() == before != first  # all columns, whichever was scored again

    assert run(command("eval", "only.task=sr", "baselines=true")).returncode == 0
    reported = run(command("report"))
    assert reported.returncode == 0, reported.stderr
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Super-resolution ×2: test" in page
    assert "Flip between losses" in page
    figure = (tmp_path / "report" / "training.svg").read_bytes()

    published = run(command("publish", "only.data=tiny", "only.variant=quick"))
    assert published.returncode == 0, published.stderr
    study = tmp_path / "studies" / "tiny-quick"
    assert (study / "training.svg").read_bytes() == figure
    assert {path.name for path in study.iterdir()} >= {"records", "crops.png"}
    assert {path.name for path in (tmp_path / "weights").iterdir()} == {"sr-l1.safetensors", "sr-mix.safetensors"}

    kept = files(study)
    lost = tmp_path / "runs" / "tiny" / "quick" / "sr" / "l1" / "seed0"
    lost.rename(tmp_path / "elsewhere")
    refused(command("publish", "only.data=tiny"), "lacks", "main: sr with l1, seed 0", "drop=true")
    (tmp_path / "elsewhere").rename(lost)
    (lost / "model.safetensors").rename(tmp_path / "weights.of.l1")
    refused(command("publish", "only.data=tiny"), "model.safetensors")
    (tmp_path / "weights.of.l1").rename(lost / "model.safetensors")
    assert files(study) == kept

    reported = run(command("report", f"study={study}", f"runs={tmp_path}/nothing", f"report={tmp_path}/of_records"))
    assert reported.returncode == 0, reported.stderr
    assert "came without the weights" in (tmp_path / "of_records" / "index.html").read_text()
    assert (tmp_path / "of_records" / "training.svg").read_bytes() == figure

    drawn = run(command("figure", "only.task=sr"))
    assert drawn.returncode == 0, drawn.stderr
    with Image.open(table.with_name("crops.png")) as crops:
        width, height = crops.size
    assert width > 1.5 * height  # input, two losses and truth in one row, their errors below


def test_data_and_bench_print_their_tables(command, tmp_path):
    data = run(command("prepare_data"))
    assert data.returncode == 0, data.stderr
    assert "96x72" in data.stdout
    report = tmp_path / "training_step.md"
    bench = run(command("bench_step", "tasks=[sr]", "losses=[mix]", "seconds=0.2", "steps=80", f"reports={tmp_path}"))
    assert bench.returncode == 0, bench.stderr
    assert "| sr | mix |" in report.read_text()


def test_the_bench_of_evaluation_prints_its_table(tmp_path):
    report = tmp_path / "evaluation.md"
    small = ["count=2", "width=200", "height=180", "networks=2", "large=0.3", f"report={report}"]
    bench = run([sys.executable, "-m", "scripts.bench_evaluation", *small])
    assert bench.returncode == 0, bench.stderr
    assert re.search(r"^\| forward passes \| 0\.\d+ s \| 1\.00 \(", report.read_text(), flags=re.MULTILINE)
    assert "| peak memory at 0.3 MP, " in report.read_text()


def test_killed_at_any_moment_a_run_ends_with_the_same_weights(command, tmp_path):
    options = ("task=jpeg", "loss=ms_ssim", "budget.patches=800", "checkpoint_seconds=0")
    assert run(command("train", *options, f"runs={tmp_path}/whole")).returncode == 0

    folder = tmp_path / "cut" / "tiny" / "quick" / "jpeg" / "ms_ssim" / "seed0"
    kills = 0
    for delay in (0.0, 0.2, 0.4):
        process = subprocess.Popen(command("train", *options, f"runs={tmp_path}/cut"), cwd=ROOT, stdout=subprocess.PIPE)
        before = _changed(folder / "checkpoint.pt")
        while _changed(folder / "checkpoint.pt") == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(delay)
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 2
    assert run(command("train", *options, f"runs={tmp_path}/cut")).returncode == 0
    whole = tmp_path / "whole" / "tiny" / "quick" / "jpeg" / "ms_ssim" / "seed0"
    assert (folder / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def test_an_interrupted_command_says_how_to_go_on(command, tmp_path):
    process = subprocess.Popen(
        command("train", "task=sr", "budget.patches=800000", "budget.validations=100000"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    while "8 patches" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.rglob("checkpoint.pt"))


def test_unknown_names_list_the_choices(command):
    refused(command("train", "task=denoise"), "denoise", "demosaic", "jpeg", "sr")
    refused(command("train", "loss=lpips"), "lpips", "ms_ssim", "mix")
    refused(command("train", "optimzer.betas=1"), "optimzer")
    refused(command("train", "task=jpeg", "task.quality=300"), "quality runs from 1 to 95, got 300")
    refused(command("train", "precision=fp8"), "auto, bf16 or fp32, got fp8")


def test_photographs_that_cannot_serve(command, photo_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(command("train", f"data.train={tmp_path}/empty"), "no photographs in")
    refused(command("train", "data.test=null"), "data.test=DIR")
    (photo_folder / "train" / "zero.png").write_bytes(b"")
    Image.fromarray(np.zeros((30, 30, 3), np.uint8)).save(photo_folder / "train" / "tiny.png")
    refused(command("train"), "zero.png: empty file", "tiny.png: 30x30 pixels", "data.skip_bad=true")
    assert not (tmp_path / "runs").exists()  # stopped before training
    assert run(command("train", "data.skip_bad=true", "task=sr")).returncode == 0


def test_a_run_of_another_configuration_is_kept(command, tmp_path):
    assert run(command("train", "task=sr", "loss=l1")).returncode == 0
    before = files(tmp_path / "runs")
    refused(command("train", "task=sr", "loss=l1", "task.scale=3"), "task.scale: 2 there, 3 asked for", "variant=")
    after = files(tmp_path / "runs")
    assert {path: after[path] for path in before} == before
    assert run(command("train", "task=sr", "loss=l1", "task.scale=3", "variant=x3")).returncode == 0


def test_a_full_disk_stops_with_a_message_and_keeps_what_was_there(command, tmp_path):
    train = command("train", "task=sr", "loss=l1")
    limited = ["bash", "-c", 'ulimit -f 1000; exec "$@"', "bash", *train]  # 1 MB a file: packs fit, checkpoints do not
    refused(limited, "checkpoint.pt", "File too large")
    assert not list(tmp_path.rglob("model.safetensors"))
    assert {path.name for path in tmp_path.rglob(".*")} == {".lock"}
    assert run(train).returncode == 0
    before = {path: content for path, content in files(tmp_path).items() if "tfevents" not in path.name}
    refused(["bash", "-c", 'ulimit -f 1; exec "$@"', "bash", *command("eval")], "File too large")
    assert {path: files(tmp_path)[path] for path in before} == before


def test_evaluation_without_runs_says_what_there_is(command, tmp_path):
    refused(command("eval", "only.task=sr"), "no trained run matches task=sr", "make train")


def test_evaluation_goes_on_without_the_photographs_that_are_gone(command, photo_folder, tmp_path):
    shutil.copytree(photo_folder / "test", tmp_path / "gone")
    assert run(command("train", "task=sr", f"data.test={tmp_path}/gone", "data.name=another")).returncode == 0
    assert run(command("train", "task=sr")).returncode == 0
    shutil.rmtree(tmp_path / "gone")
    shutil.rmtree(tmp_path / "tables")
    scored = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("per_image.csv")}
    refused(command("eval"), "1 of 2 runs were not scored,", f"{tmp_path}/runs/another/quick/sr/mix/seed0: ", "gone")
    assert [path.parents[4].name for path, then in scored.items() if path.stat().st_mtime_ns > then] == ["tiny"]
    assert {path.parents[1].name for path in tmp_path.rglob("sr-*.md")} == {"another", "tiny"}


@pytest.mark.parametrize("loss", ["smooth_l1", "gmsd"])
def test_a_loss_of_any_library_joins_by_one_file(command, tmp_path, loss):
    """The README's promise: an nn.Module with forward(restored, target) and a YAML."""
    (tmp_path / "configs" / "loss").mkdir(parents=True)
    yaml = re.search(
        rf"```yaml\n(# configs/loss/{loss}.yaml\n.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL
    )
    assert yaml
    (tmp_path / "configs" / "loss" / f"{loss}.yaml").write_text(yaml[1])
    search = f"hydra.searchpath=[file://{tmp_path}/configs]"
    result = run(command("train", search, "task=sr", f"loss={loss}"))
    assert result.returncode == 0, result.stderr
    assert loss in result.stdout
    (weights,) = tmp_path.rglob(f"{loss}/seed0/model.safetensors")
    assert len(load_file(weights)) == 8
