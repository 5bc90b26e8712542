"""Shipped networks equal the trained ones; a user's files are restored and never changed."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rawpy
import skimage.data
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file

import restoration
from restoration import pretrained as shipped
from restoration.datasets.decode import decode
from restoration.errors import UserError
from restoration.files import printable, write_text
from restoration.networks.cnn import RestorationCNN
from restoration.networks.inference import TILE
from restoration.restoring import read_input, restore_file
from restoration.sensor import displayed, network_input, read_sensor
from restoration.study.runs import Run
from restoration.study.shipping import ship
from restoration.tasks import JPEG, Demosaic, SuperResolution
from scripts import restore as script
from tests.test_raw import D70, needs_raw, scene, write_dng

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
TASKS = {"demosaic": Demosaic(), "sr": SuperResolution(), "jpeg": JPEG()}


@dataclass(frozen=True)
class Shelf:
    """Shipped files, and the networks from which they were written."""

    folder: Path
    networks: dict[str, RestorationCNN]


@pytest.fixture(scope="session")
def session_shelf(tmp_path_factory, photo) -> Shelf:
    """One network per task, shipped."""
    root = tmp_path_factory.mktemp("shelf")
    networks = {task: made_network(number) for number, task in enumerate(TASKS)}
    for task, degradation in TASKS.items():
        ship(finished_run(root, task), networks[task], degradation, root / "shelf", photo=as_image(photo))
    return Shelf(root / "shelf", networks)


@pytest.fixture
def shelf(session_shelf, monkeypatch) -> Shelf:
    """The shelf, instead of the networks of the package."""
    monkeypatch.setattr(shipped, "FOLDER", session_shelf.folder)
    return session_shelf


def made_network(seed: int) -> RestorationCNN:
    """A network that changes every pixel a little."""
    torch.manual_seed(seed)
    network = RestorationCNN()
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.005 * torch.randn_like(weight)
    return network


def finished_run(root: Path, task: str) -> Run:
    run = Run(root / "runs", "tiny", "quick", task, "mix", seed=3)
    facts = '{"patches_seen": 48, "precision": "fp32", "commit": "abc", "training_photographs_hash": "123"}'
    write_text(run.folder / "provenance.json", facts)
    return run


def as_image(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


def saved(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def levels(image: torch.Tensor) -> np.ndarray:
    return (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def test_load(shelf):
    """The weights as shipped, in half precision; no random numbers are drawn."""
    before = torch.get_rng_state()
    for task, network in shelf.networks.items():
        loaded = restoration.load(task, "mix")
        assert not loaded.training
        assert {weight.dtype for weight in loaded.state_dict().values()} == {torch.float32}
        stored = load_file(shelf.folder / f"{task}-mix.safetensors")
        assert {weight.dtype for weight in stored.values()} == {torch.float16}
        for name, weight in network.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], weight.half().float())
    assert torch.equal(torch.get_rng_state(), before)


def test_shipped_files(shelf, tmp_path, photo):
    """Shipped files contain their origin; their bytes are stable, although safetensors shuffles the metadata."""
    with safe_open(shelf.folder / "sr-mix.safetensors", framework="pt") as file:
        origin = file.metadata()
    facts = {"task": "sr", "loss": "mix", "data": "tiny", "seed": "3", "patches_seen": "48", "commit": "abc"}
    assert {**facts, "degradation": repr(SuperResolution())}.items() <= origin.items()
    assert "MIT" in origin["licence"]
    for number in range(3):
        again = tmp_path / str(number)
        ship(finished_run(tmp_path, "sr"), shelf.networks["sr"], TASKS["sr"], again, photo=as_image(photo))
        assert (again / "sr-mix.safetensors").read_bytes() == (shelf.folder / "sr-mix.safetensors").read_bytes()


def test_rounding_of_shipped_weights(tmp_path, photo):
    run, image = finished_run(tmp_path, "jpeg"), as_image(photo)
    exact = ship(run, RestorationCNN(), JPEG(), tmp_path, photo=image)
    assert exact.startswith("at most 0 of 255")  # at the start, picture and kernels meet only zeros and ones
    red = RestorationCNN()
    with torch.no_grad():
        red.layers[-1].weight[0] = 0
        red.layers[-1].bias[0] = 0.59015  # level 150.49 of 255; the nearest of half precision, 1209 / 2048, is 150.53
    rounding = ship(run, red, JPEG(), tmp_path, photo=image)
    assert rounding == "at most 1 of 255 levels, in 33.33 % of a picture's values"


def test_refused_shipping(tmp_path, photo):
    run = finished_run(tmp_path, "sr")
    with pytest.raises(UserError, match="not hold the paper's network"):
        ship(run, RestorationCNN(residual=True), TASKS["sr"], tmp_path / "new", photo=as_image(photo))
    large = RestorationCNN()
    with torch.no_grad():
        large.layers[0].bias[0] = 1e6
    with pytest.raises(UserError, match="half precision cannot hold"):
        ship(run, large, TASKS["sr"], tmp_path / "new", photo=as_image(photo))
    with pytest.raises(UserError, match=r"scale=3.*only networks for .*scale=2.* are shipped"):
        ship(run, RestorationCNN(), SuperResolution(scale=3), tmp_path / "new", photo=as_image(photo))
    assert not (tmp_path / "new").exists()


def test_weights_of_another_study_stay(shelf, tmp_path, photo):
    other = Run(tmp_path / "runs", "tiny", "long", "sr", "mix", seed=3)
    write_text(other.folder / "provenance.json", (finished_run(tmp_path, "sr").folder / "provenance.json").read_text())
    before = (shelf.folder / "sr-mix.safetensors").read_bytes()
    with pytest.raises(UserError, match=r"another study, tiny, quick; this one is of tiny, long: .* ARGS=weights="):
        ship(other, shelf.networks["sr"], TASKS["sr"], shelf.folder, photo=as_image(photo))
    assert (shelf.folder / "sr-mix.safetensors").read_bytes() == before


def test_unknown_networks(shelf, tmp_path, monkeypatch):
    for task, loss in (("denoise", "mix"), ("sr", "l3"), ("../shelf/sr", "mix")):
        with pytest.raises(UserError, match=r"no network is shipped.*\n.*demosaic: mix\n.*jpeg: mix\n.*sr: mix"):
            restoration.load(task, loss)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "absent")
    with pytest.raises(UserError, match="shipped are\n  none"):
        restoration.load("sr", "mix")


@torch.inference_mode()
def test_restore_in_tiles(shelf):
    image = as_image(skimage.data.chelsea())
    assert max(image.shape) > TILE
    image = image[:, :100]  # two tiles
    whole = shipped.read_network(shelf.folder / "jpeg-mix.safetensors")(image[None])[0].clamp(0, 1)
    restored = restoration.restore(image, "jpeg", "mix")
    assert torch.allclose(restored, whole, atol=1e-6)
    assert (restored - image).abs().mean() > 0.001
    pair = torch.stack([image, image.flip(2)])
    assert torch.allclose(restoration.restore(pair, "jpeg", "mix")[0], restored, atol=1e-6)
    assert restoration.restore(pair, "jpeg", "mix").shape == pair.shape


def test_range_and_dtype(shelf):
    image = (torch.rand(3, 20, 17) > 0.5).double()
    restored = restoration.restore(image, "sr", "mix")
    assert restored.dtype == torch.float64
    assert restored.min() == 0
    assert restored.max() == 1
    eight_bits = restoration.restore((image * 255).byte(), "sr", "mix")
    assert torch.equal(eight_bits, (restored * 255).round().byte())


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((9, 9, 3), np.uint8), "image must be a floating-point tensor .*got ndarray"),
        (torch.zeros(9, 9, 3), r"image must have the shape .*got \(9, 9, 3\)"),
        (torch.full((3, 9, 9), 2.0), "image must have values from 0 to 1, got 2 to 2"),
    ],
)
def test_refused_images(shelf, image, message):
    with pytest.raises(ValueError, match=message):
        restoration.restore(image, "sr", "mix")


def test_enlarged_small_photograph(photo):
    """A reduced photograph, enlarged by a user, is the training's input, also for an odd side."""
    task = SuperResolution()
    image = as_image(photo)
    assert image.shape == (3, 97, 82)
    enlarged = task.enlarged(as_image(task.store(photo)))
    assert enlarged.shape == (3, 98, 82)
    assert torch.allclose(enlarged[:, :97], task.degrade(image, torch.Generator()), atol=1e-6)


def test_restore_a_jpeg_file(shelf, tmp_path, capsys):
    path = tmp_path / "rocket.jpg"
    Image.fromarray(skimage.data.rocket()[:120, :300]).save(path, quality=25)
    before = path.read_bytes()
    assert run_script("--format", "png", path) == 0
    target = tmp_path / "rocket-jpeg-mix.png"
    assert capsys.readouterr().out == f"{target}\n"
    expected = levels(restoration.restore(as_image(saved(path)), "jpeg", "mix")).astype(int)
    assert np.abs(saved(target) - expected).max() <= 1
    assert path.read_bytes() == before


def run_script(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as end:
        script.main([str(argument) for argument in arguments])
    return end.value.code


@pytest.mark.parametrize(
    "name", ["[a] [-x].jpg", 'it\'s "it".jpg', "$HOME.jfif", "-rf.jpg", "caf\udce9.jpg", "a\nb.jpg", f"{'x' * 242}.jpg"]
)
def test_odd_names(shelf, tmp_path, monkeypatch, capsys, name):
    """Brackets, quotes, bytes that are not UTF-8, and the longest name whose new name has at most 255 bytes."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.rocket()[:60, :80]).save(tmp_path / name, "JPEG")
    assert run_script("--force", "--", name) == 0
    target = f"{Path(name).stem}-jpeg-mix{Path(name).suffix}"
    assert saved(tmp_path / target).shape == (60, 80, 3)
    printed = capsys.readouterr().out
    assert printable(target) in printed
    printed.encode()


def test_home(shelf, tmp_path, monkeypatch):
    """~ in OUT=~/new is expanded: make passes the text unchanged."""
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.fromarray(skimage.data.rocket()[:60, :80]).save(tmp_path / "a.jpg", quality=25)
    assert run_script("--out=~/new", "~/a.jpg") == 0
    assert (tmp_path / "new" / "a.jpg").exists()
    assert f"NETWORK={tmp_path}/mine is not the folder" in run_script("--network=~/mine", "~/a.jpg")


@pytest.mark.parametrize("task", ["jpeg", "sr"])
@pytest.mark.parametrize("size", [(1, 1), (1, 200), (40, 40), (97, 82)])
def test_small_photographs(shelf, tmp_path, photo, task, size):
    """Photographs smaller than the least training size are restored; super-resolution doubles their size."""
    small = np.resize(photo, (*size, 3))
    Image.fromarray(small).save(tmp_path / "a.png")
    target = tmp_path / "new" / "b.png"
    restore_file(tmp_path / "a.png", TASKS[task], restoration.load(task, "mix"), target, force=True, device=CPU)
    given = as_image(small) if task == "jpeg" else SuperResolution().enlarged(as_image(small))
    expected = levels(restoration.restore(given, task, "mix")).astype(int)
    assert saved(target).shape == expected.shape
    assert np.abs(saved(target) - expected).max() <= 1


def test_large_photographs(tmp_path):
    """200 megapixels, of which Pillow would refuse to decode more than 179."""
    Image.new("L", (20_000, 10_000), 200).save(tmp_path / "a.jpg")
    pixels = decode(tmp_path / "a.jpg")
    assert pixels.shape == (10_000, 20_000, 3)
    assert (pixels[::1000, ::1000] == 200).all()


@pytest.mark.parametrize("task", ["jpeg", "sr"])
def test_large_photographs_in_tiles(tmp_path, task):
    """The network sees a tile and its margin at a time, so that its features need little memory."""
    seen = []

    class Seeing(torch.nn.Module):
        receptive_radius = 8

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            seen.append(image.shape)
            return image

    Image.new("RGB", (30_000, 20), "red").save(tmp_path / "a.bmp")
    restore_file(tmp_path / "a.bmp", TASKS[task], Seeing(), tmp_path / "a.png", force=True, device=CPU)
    assert max(shape[-1] for shape in seen) == TILE + 16
    scale = 2 if task == "sr" else 1
    assert len(seen) == -(-30_000 * scale // TILE)
    assert np.array_equal(saved(tmp_path / "a.png"), np.full((20 * scale, 30_000 * scale, 3), (255, 0, 0)))


@pytest.fixture
def trained(tmp_path, photo) -> Run:
    """A run of super-resolution by 3, and small.png beside its folder."""
    run = finished_run(tmp_path, "sr")
    write_config(run, "restoration.networks.RestorationCNN")
    save_file(made_network(7).state_dict(), run.folder / "model.safetensors")
    Image.fromarray(photo).save(tmp_path / "small.png")
    return run


def write_config(run: Run, model: str, **options: str) -> None:
    config = {
        "task": {"_target_": "restoration.tasks.SuperResolution", "scale": 3},
        "model": {"_target_": model, **options},
    }
    write_text(run.folder / "config.yaml", json.dumps(config))


def test_own_network(tmp_path, trained, photo):
    assert run_script(f"--network={trained.folder}", tmp_path / "small.png") == 0
    with torch.inference_mode():
        expected = made_network(7)(SuperResolution(scale=3).enlarged(as_image(photo))[None])[0]
    assert np.abs(saved(tmp_path / "small-sr-mix.png").astype(int) - levels(expected)).max() <= 1


@pytest.mark.parametrize(
    "target", ["os.mkdir", "subprocess.Popen", "restoration.files.write_text", "torch.nn.modules.module.torch.load"]
)
def test_foreign_code(tmp_path, trained, target):
    """The configuration of a run from elsewhere may only name networks and tasks."""
    write_config(trained, target, path=str(tmp_path / "harm"))
    message = run_script(f"--network={trained.folder}", tmp_path / "small.png")
    assert f"calls {target}, which is no network" in message
    assert not (tmp_path / "harm").exists()


def test_networks_that_cannot_be_used(tmp_path, trained):
    for content in (b"no weights", save({"weight": torch.zeros(3)})):
        (trained.folder / "model.safetensors").write_bytes(content)
        message = run_script(f"--network={trained.folder}", tmp_path / "small.png")
        assert "is damaged, or holds the weights of another network" in message
    moved = trained.folder.rename(tmp_path / "moved")
    answers = {tmp_path: "not the folder of a trained network", moved: "does not end like a run's folder"}
    for folder, answer in answers.items():
        assert answer in run_script(f"--network={folder}", tmp_path / "small.png")


def test_restore_a_raw_file(shelf, tmp_path):
    path = tmp_path / "a.dng"
    write_dng(path, scene(70, 90) * 0.8, orientation=6)
    restore_file(path, Demosaic(), restoration.load("demosaic", "mix"), tmp_path / "a.png", device=CPU)
    sensor = read_sensor(path)
    expected = displayed(restoration.restore(network_input(sensor), "demosaic", "mix"), sensor)
    restored = saved(tmp_path / "a.png")
    assert restored.shape == (90, 70, 3)  # upright
    assert np.abs(restored.astype(int) - levels(expected)).max() <= 1  # clamped before the camera's matrix, or by it


@needs_raw
def test_colours_of_a_real_raw_file(shelf, tmp_path):
    sensor = read_sensor(D70)
    image = network_input(sensor)
    assert image.shape == (3, 2012, 3038)
    window = image[:, 400:1200, 600:1600]
    with rawpy.imread(str(D70)) as raw:
        theirs = raw.postprocess(
            use_camera_wb=True, no_auto_bright=True, adjust_maximum_thr=0, gamma=(2.4, 12.92), user_flip=0
        )
    ours = displayed(window, sensor).rot90(1, dims=(1, 2))  # back from upright
    assert np.abs(ours.mean(dim=(1, 2)).numpy() * 255 - theirs[400:1200, 600:1600].mean(axis=(0, 1))).max() < 2


def test_nothing_is_overwritten(shelf, tmp_path, photo, capsys):
    """Each file that is not restored is named with the reason; the others are done."""
    long = f"{'x' * 250}.jpg"
    for name in ("a.jpg", "b.jpg", long):
        Image.fromarray(photo).save(tmp_path / name, quality=25)
    (tmp_path / "text.jpg").write_text("these are not pixels")
    (tmp_path / "a-jpeg-mix.jpg").write_text("mine")
    (tmp_path / "raw.dng").write_text("nor these")
    reasons = {
        "a.jpg": "not overwritten",
        "text.jpg": "not a JPEG",
        "absent.jpg": "does not exist",
        "raw.dng": "demosaic takes raw files",
        long: "File name too long; choose another name",
    }
    assert run_script(*(tmp_path / name for name in (*reasons, "b.jpg"))) == 1
    *errors, count = capsys.readouterr().err.splitlines()
    assert count == "5 of 6 were not restored"
    for reason in reasons.values():
        assert any(reason in error for error in errors), reason
    assert (tmp_path / "a-jpeg-mix.jpg").read_text() == "mine"
    assert saved(tmp_path / "b-jpeg-mix.jpg").shape == (97, 82, 3)
    created = {path.name for path in tmp_path.iterdir()} - {*reasons, "b.jpg"}
    assert created == {"a-jpeg-mix.jpg", "b-jpeg-mix.jpg"}
    with pytest.raises(UserError, match="the tasks jpeg and sr take this one"):
        read_input(tmp_path / "b.jpg", Demosaic())


def test_a_target_that_appears_meanwhile(shelf, tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.jpg")
    target = tmp_path / "a.png"

    class Slow(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            target.write_text("mine")
            return image

    with pytest.raises(UserError, match="not overwritten"):
        restore_file(tmp_path / "a.jpg", JPEG(), Slow(), target, force=True, device=CPU)
    assert target.read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "a.png"]


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ([], "the following arguments are required: PHOTO"),
        (["--task=denoise", "a.jpg"], "invalid choice: 'denoise'"),
        (["--network=runs/sr/mix/seed0", "--task=sr", "a.jpg"], "leave out TASK and LOSS beside NETWORK"),
        (["--network=runs/sr/mix/seed0", "--loss=l1", "a.jpg"], "leave out TASK and LOSS beside NETWORK"),
        (["--loss=l3", "a.jpg"], "no network is shipped for the task 'jpeg' with the loss 'l3'"),
        (["--format=gif", "a.jpg"], "unknown format 'gif'; known: jpeg, png"),
        (["absent/*.jpg"], "no file matches absent"),
    ],
)
def test_wrong_arguments(arguments, answer, capsys):
    assert run_script(*arguments) == 2
    assert answer in capsys.readouterr().err


def test_networks_in_the_repository(photo):
    """All currently shipped networks load and restore a picture."""
    for task, loss in shipped.shipped():
        degraded = TASKS[task].degrade(as_image(photo), torch.Generator().manual_seed(0))
        restored = restoration.restore(degraded, task, loss)
        assert restored.isfinite().all()
        assert (restored - as_image(photo)).abs().mean() < 0.2
