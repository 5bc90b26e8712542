"""The training loop: it learns, resumes exactly, and stops with its reasons."""

import math
import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from restoration.errors import UserError
from restoration.losses import L1Loss, L2Loss, MixLoss, Switch
from restoration.networks.cnn import RestorationCNN
from restoration.scoring.evaluate import Validation
from restoration.scoring.protocol import Protocol
from restoration.tasks import Demosaic
from restoration.training import checkpoint
from restoration.training.budget import Budget
from restoration.training.distributed import ALONE, World
from restoration.training.patches import PatchSampler
from restoration.training.train import Interrupted, train
from tests.conftest import packed

BUDGET = Budget(patches=48, batch=4, learning_rate=1e-3, validations=3)


def run(
    photo, folder: Path, *, loss: nn.Module | None = None, budget: Budget = BUDGET, world: World = ALONE, **options
) -> nn.Module:
    torch.manual_seed(0)
    model = RestorationCNN()
    photos = packed(photo)
    task = Demosaic()
    train(
        model,
        loss or L1Loss(),
        torch.optim.Adam(model.parameters()),
        PatchSampler(task, photos, photos, world.share(budget.batch), torch.Generator().manual_seed(0)),
        Validation(task, photos, protocol=Protocol(), device=torch.device("cpu")),
        budget,
        world=world,
        **{"folder": folder, "identity": {"seed": 0}, "bf16": False, "log_steps": 4, "check_steps": 1, **options},
    )
    return model


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([weight.flatten() for weight in model.state_dict().values()])


class StopAfter(L1Loss):
    """Sends a signal to this process at its n-th call."""

    def __init__(self, calls: int, number: signal.Signals = signal.SIGTERM):
        super().__init__()
        self.calls = calls
        self.number = number

    def forward(self, restored, target):
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), self.number)
        return super().forward(restored, target)


def test_training_lowers_the_loss(photo, tmp_path):
    run(photo, tmp_path, budget=Budget(patches=800, batch=8, learning_rate=1e-3, validations=1))
    psnr = scalars(tmp_path, "val/psnr")
    assert psnr[800] > psnr[0] + 0.5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_checkpoint_from_which_the_same_weights_come(photo, tmp_path, number):
    whole = run(photo, tmp_path / "whole")
    for calls in (3, 4):
        with pytest.raises(Interrupted, match=number.name):
            run(photo, tmp_path / "cut", loss=StopAfter(calls, number))
        time.sleep(1.01)  # TensorBoard puts the files of one process in order by the second that they were begun in
    resumed = run(photo, tmp_path / "cut")
    assert torch.equal(weights(resumed), weights(whole))
    for tag in ("train/loss", "val/psnr"):
        assert scalars(tmp_path / "cut", tag).keys() == scalars(tmp_path / "whole", tag).keys()
    assert scalars(tmp_path / "cut", "val/psnr") == scalars(tmp_path / "whole", "val/psnr")


def test_a_finished_run_is_not_trained_again(photo, tmp_path):
    first = run(photo, tmp_path)
    again = run(photo, tmp_path, loss=StopAfter(1))
    assert torch.equal(weights(first), weights(again))


def test_seeds_decide_the_batches(photo, tmp_path):
    assert torch.equal(weights(run(photo, tmp_path / "a")), weights(run(photo, tmp_path / "b")))


def test_checkpoint_of_another_configuration_is_refused_and_kept(photo, tmp_path):
    run(photo, tmp_path, identity={"loss": {"alpha": 0.84, "sigmas": [1, 2]}, "seed": 0})
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(UserError, match=r"loss\.alpha: 0\.84 there, 0\.5 asked for\n.*variant=NAME"):
        run(photo, tmp_path, identity={"loss": {"alpha": 0.5, "sigmas": [1, 2]}, "seed": 0})
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off"])
def test_damaged_checkpoint_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="move its folder away"):
        checkpoint.load_checkpoint(path, {})
    assert path.read_bytes() == content


class NotFinite(MixLoss):
    """Mix whose L1 term is not a number for one batch, found by its brightness."""

    def __init__(self, sum_of_target: float, value: float):
        super().__init__()
        self.sum_of_target = sum_of_target
        self.value = value

    def terms(self, restored, target):
        terms = super().terms(restored, target)
        if abs(float(target.sum()) - self.sum_of_target) < 1e-3:
            terms["l1"] = terms["l1"] * self.value
        return terms

    def forward(self, restored, target):
        return torch.stack(list(self.terms(restored, target).values())).sum()


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("check_steps", [1, 4])
def test_a_value_that_is_not_finite_stops_the_run_names_the_term_and_saves_the_batch(
    photo, tmp_path, check_steps, value
):
    photos = packed(photo)
    sampler = PatchSampler(Demosaic(), photos, photos, BUDGET.batch, torch.Generator().manual_seed(0))
    batches = [sampler.sample() for _ in range(7)]
    loss = NotFinite(float(batches[6][1].sum()), value)
    with pytest.raises(UserError, match=r"the loss term l1 is not finite at step 7 \(NotFinite\)"):
        run(photo, tmp_path, loss=loss, check_steps=check_steps)
    saved = load_file(tmp_path / "failed_batch.safetensors")
    assert torch.equal(saved["degraded"], batches[6][0])
    assert torch.equal(saved["target"], batches[6][1])
    assert saved["restored"].isfinite().all()
    if check_steps > 1:  # and the repeated steps are the same steps
        (tmp_path / "failed_batch.safetensors").unlink()
        with pytest.raises(UserError, match="at step 7"):
            run(photo, tmp_path / "each", loss=loss, check_steps=1)
        assert torch.equal(load_file(tmp_path / "each" / "failed_batch.safetensors")["restored"], saved["restored"])


class InfiniteGradient(L1Loss):
    def forward(self, restored, target):
        return super().forward(restored, target) + (restored * 0).abs().sqrt().sum()


def test_a_gradient_that_is_not_finite_stops_the_run(photo, tmp_path):
    with pytest.raises(UserError, match="the gradient is not finite at step 1"):
        run(photo, tmp_path, loss=InfiniteGradient())


def test_the_last_steps_are_looked_at_too(photo, tmp_path):
    """12 steps, looked at every 8: no checkpoint may hold what came of a bad batch after the 8th."""
    photos = packed(photo)
    sampler = PatchSampler(Demosaic(), photos, photos, BUDGET.batch, torch.Generator().manual_seed(0))
    batches = [sampler.sample() for _ in range(11)]
    loss = NotFinite(float(batches[10][1].sum()), math.nan)
    with pytest.raises(UserError, match="l1 is not finite at step 11"):
        run(photo, tmp_path, loss=loss, check_steps=8, checkpoint_seconds=0)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert all(weight.isfinite().all() for weight in saved["model"].values())


class Switching(nn.Module):
    """L1 for three calls, then L2: a loss with a state of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, restored, target):
        self.calls += 1
        difference = restored - target
        return difference.abs().mean() if self.calls <= 3 else difference.square().mean()


def test_a_loss_with_a_state_resumes_too(photo, tmp_path):
    whole = run(photo, tmp_path / "whole", loss=Switching())

    class Stop(Switching):
        def forward(self, restored, target):
            if self.calls == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().forward(restored, target)

    with pytest.raises(Interrupted):
        run(photo, tmp_path / "cut", loss=Stop())
    assert torch.equal(weights(run(photo, tmp_path / "cut", loss=Switching())), weights(whole))


def test_losses_switch_at_the_same_step_after_an_interruption(photo, tmp_path):
    """After 3 of 12 steps."""
    whole = run(photo, tmp_path / "whole", loss=Switch(L1Loss(), L2Loss(), at=0.25))
    assert torch.equal(weights(whole), weights(run(photo, tmp_path / "counted", loss=Switching())))
    with pytest.raises(Interrupted):
        run(photo, tmp_path / "cut", loss=Switch(StopAfter(2), L2Loss(), at=0.25))
    resumed = run(photo, tmp_path / "cut", loss=Switch(L1Loss(), L2Loss(), at=0.25))
    assert torch.equal(weights(resumed), weights(whole))


def test_test_sets_are_tracked_and_change_nothing(photo, tmp_path):
    photos = packed(photo)
    kodak = Validation(Demosaic(), photos, protocol=Protocol(), device=torch.device("cpu"))  # run's own, again
    tracked = run(photo, tmp_path / "tracked", tracked={"kodak24": kodak})
    assert torch.equal(weights(tracked), weights(run(photo, tmp_path / "plain")))
    for metric in ("psnr", "ssim", "l1", "l2"):
        curve = scalars(tmp_path / "tracked", f"test/kodak24/{metric}")
        assert list(curve) == [0, 16, 32, 48]
        assert curve == scalars(tmp_path / "tracked", f"val/{metric}")


def test_looking_rarely_changes_nothing(photo, tmp_path):
    assert torch.equal(
        weights(run(photo, tmp_path / "a", check_steps=1)), weights(run(photo, tmp_path / "b", check_steps=5))
    )


def scalars(folder: Path, tag: str) -> dict[int, float]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(tag)}


def test_curves_have_the_axes_that_all_losses_share(photo, tmp_path):
    run(photo, tmp_path, loss=MixLoss())
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    terms = {f"train/{kind}/{name}" for kind in ("term", "gradient_share") for name in ("ms_ssim", "l1")}
    validation = {f"val/{metric}" for metric in ("psnr", "ssim", "ms_ssim", "l1", "l2")}
    assert set(events.Tags()["scalars"]) == {"train/loss", *terms, *validation}
    assert list(scalars(tmp_path, "val/psnr")) == [0, 16, 32, 48]  # patches seen
    shares = [scalars(tmp_path, f"train/gradient_share/{name}") for name in ("ms_ssim", "l1")]
    assert all(shares[0][step] + shares[1][step] == pytest.approx(1) for step in shares[0])
    parts = [scalars(tmp_path, f"train/term/{name}") for name in ("ms_ssim", "l1")]
    assert len(parts[0]) == 3
    assert len(events.Tags()["images"]) == 1


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_learning_rate_warms_up_and_ends_near_zero(decay):
    budget = Budget(patches=1000, batch=1, learning_rate=2.0, warm_up=0.1, decay=decay)
    rates = [budget.learning_rate_at(step) for step in range(budget.steps)]
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == pytest.approx(2.0)
    assert rates.index(max(rates)) in (99, 100)
    assert rates[550] == pytest.approx(1.0)
    assert rates[325] == pytest.approx({"linear": 1.5, "cosine": 1 + math.sqrt(0.5)}[decay])
    assert 0 < rates[-1] < 0.003
    assert all(one >= other for one, other in pairwise(rates[100:]))


def test_budgets_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="batch <= patches"):
        Budget(patches=4, batch=8, learning_rate=1e-3)
    with pytest.raises(ValueError, match="at least one validation"):
        Budget(patches=8, batch=8, learning_rate=1e-3, validations=0)


def test_a_stream_of_batches_goes_on_from_any_place(photo):
    """Batches are drawn some at a time; a place may lie between two of them, or before the first."""
    photos = packed(photo)

    def sampler(seed: int) -> PatchSampler:
        return PatchSampler(Demosaic(), photos, photos, 24, torch.Generator().manual_seed(seed))

    whole = sampler(0)
    for taken in range(6):
        other = sampler(1)
        other.sample()
        other.load(whole.state())
        expected, again = whole.sample(), other.sample()
        assert torch.equal(expected[0], again[0])
        assert torch.equal(expected[1], again[1])
        assert other.state()["taken"] == whole.state()["taken"] == (taken + 1) % 2
    other.begin(7)
    assert torch.equal(other.sample()[0], sampler(7).sample()[0])


class Slow(L1Loss):
    """Interrupts at its second call; a check is fifty steps away."""

    calls = 0

    def forward(self, restored, target):
        self.calls += 1
        if self.calls == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return super().forward(restored, target)


def test_an_interruption_does_not_wait_for_the_next_check(photo, tmp_path):
    with pytest.raises(Interrupted):
        run(photo, tmp_path, loss=Slow(), check_steps=50)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 2
