"""The training loop: it learns, resumes exactly, and stops with a reason."""

import math
import os
import signal
import time
from functools import partial
from itertools import count
from types import SimpleNamespace

import pytest
import torch
from pytorch_optimizer import SOAP
from safetensors.torch import load_file
from tensorboard.summary.writer import event_file_writer
from torch import nn

from restoration.errors import UserError
from restoration.losses import L1Loss, L2Loss, MixLoss, Switch
from restoration.names import GRADIENT_SHARE, curve_tag
from restoration.scoring.evaluate import Validation
from restoration.scoring.protocol import Protocol
from restoration.tasks import Demosaic
from restoration.training.budget import Budget
from restoration.training.muon import Muon
from restoration.training.train import Interrupted
from tests.conftest import crop, packed
from tests.training.runs import (
    BUDGET,
    CPU,
    LONG,
    LOSS,
    PSNR,
    NoValidation,
    StopAfter,
    Tiny,
    events,
    run,
    sampler,
    scalars,
)


def test_learns(tmp_path, device):
    run(tmp_path, budget=LONG, validated=True, device=device)
    psnr = scalars(tmp_path, PSNR)
    assert psnr[LONG.patches] > psnr[0] + 0.7


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, Muon, partial(SOAP, precondition_frequency=2)])
def test_resume_after_signals(tmp_path, monkeypatch, device, optimizer):
    """Twice, after steps within a round of batches that were drawn together; Dropout draws from the global numbers."""
    seconds = count(int(time.time()))  # TensorBoard sorts the files of one process by the second of their making
    monkeypatch.setattr(event_file_writer, "time", SimpleNamespace(time=lambda: next(seconds)))

    def trained(name: str, loss: nn.Module) -> torch.Tensor:
        model = Tiny(nn.Dropout(0.1))
        return run(tmp_path / name, model=model, loss=loss, optimizer=optimizer, validated=True, device=device)

    whole = trained("whole", L1Loss())
    for calls in (3, 4):
        with pytest.raises(Interrupted, match="SIGTERM"):
            trained("cut", StopAfter(calls))
    assert torch.equal(trained("cut", L1Loss()), whole)
    assert scalars(tmp_path / "cut", PSNR) == scalars(tmp_path / "whole", PSNR)
    assert scalars(tmp_path / "cut", LOSS).keys() == scalars(tmp_path / "whole", LOSS).keys()


def test_finished_run(tmp_path):
    assert torch.equal(run(tmp_path), run(tmp_path, loss=StopAfter(1)))


def test_signal_between_checks(tmp_path):
    with pytest.raises(Interrupted, match="SIGINT"):
        run(tmp_path, loss=StopAfter(2, signal.SIGINT), check_steps=50)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 2


def test_signal_in_the_last_validation(tmp_path, monkeypatch, capsys):
    """The signal is handled at once: the training is finished, but the next step of the command does not begin."""
    calls = []

    def scores(validation, model):
        calls.append(model)
        if len(calls) == BUDGET.validations + 1:
            os.kill(os.getpid(), signal.SIGINT)
        return {}

    monkeypatch.setattr(NoValidation, "scores", scores)
    with pytest.raises(Interrupted, match="SIGINT"):
        run(tmp_path)
    assert "stopping after this step; again: without a checkpoint" in capsys.readouterr().out
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == BUDGET.steps


class Counting(nn.Module):
    """L1 for three calls, then L2: a loss with a state."""

    def __init__(self, stop_after: int = 0):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.stop = StopAfter(stop_after)

    def forward(self, restored, target):
        self.calls += 1
        value = self.stop(restored, target)
        return value if self.calls <= 3 else (restored - target).square().mean()


def test_resume_of_losses_with_a_state(tmp_path):
    """A switch after 3 of 12 steps: the loss counts calls, or follows the progress of the training."""
    whole = run(tmp_path / "whole", loss=Counting())
    assert torch.equal(run(tmp_path / "follows", loss=Switch(L1Loss(), L2Loss(), at=0.25)), whole)
    for name, cut, rest in (
        ("counts", Counting(stop_after=4), Counting()),
        ("follows cut", Switch(StopAfter(2), L2Loss(), at=0.25), Switch(L1Loss(), L2Loss(), at=0.25)),
    ):
        with pytest.raises(Interrupted):
            run(tmp_path / name, loss=cut)
        assert torch.equal(run(tmp_path / name, loss=rest), whole)


class Fails(MixLoss):
    """Mix that fails for one batch, which is recognised by its brightness.

    Args:
        number: number of the batch, counted from 1.
        factor: factor of the L1 term; or an exception, which is raised.
    """

    def __init__(self, number: int, factor: float | Exception):
        super().__init__()
        draws = sampler()
        self.batch = [draws.sample() for _ in range(number)][-1]
        self.factor = factor

    def terms(self, restored, target):
        terms = super().terms(restored, target)
        if abs(float(target.sum() - self.batch[1].sum())) < 1e-3:
            if isinstance(self.factor, Exception):
                raise self.factor
            terms["l1"] = terms["l1"] * self.factor
        return terms

    def forward(self, restored, target):
        return torch.stack(list(self.terms(restored, target).values())).sum()


@pytest.mark.parametrize(("factor", "check_steps"), [(math.nan, 1), (math.inf, 4), (math.nan, 50)])
def test_non_finite_loss(tmp_path, factor, check_steps):
    """Step, term and batch are named, however long ago the last check was; no checkpoint has bad weights."""
    loss = Fails(11, factor)
    with pytest.raises(UserError, match=r"the loss term l1 is not finite at step 11 \(Fails\)"):
        run(tmp_path, loss=loss, check_steps=check_steps, checkpoint_seconds=0)
    saved = load_file(tmp_path / "failed_batch.safetensors")
    assert torch.equal(saved["degraded"], loss.batch[0])
    assert torch.equal(saved["target"], loss.batch[1])
    assert saved["restored"].isfinite().all()
    assert (tmp_path / "checkpoint.pt").exists() == (check_steps < 11)
    if check_steps < 11:
        state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        assert all(weight.isfinite().all() for weight in state["model"].values())


class InfiniteGradient(L1Loss):
    def forward(self, restored, target):
        return super().forward(restored, target) + (restored * 0).abs().sqrt().sum()


def test_non_finite_gradient(tmp_path):
    with pytest.raises(UserError, match="the gradient is not finite at step 1 "):
        run(tmp_path, loss=InfiniteGradient(), check_steps=8)


def test_error_in_the_loss(tmp_path):
    loss = Fails(7, IndexError("no such channel"))
    with pytest.raises(UserError, match=r"failed at step 7: IndexError: no such channel\n.*failed_batch") as caught:
        run(tmp_path, loss=loss, check_steps=4)
    assert isinstance(caught.value.__cause__, IndexError)
    assert torch.equal(load_file(tmp_path / "failed_batch.safetensors")["target"], loss.batch[1])


def test_out_of_memory(tmp_path):
    with pytest.raises(UserError, match=r"cpu is out of memory at step 1, with 4 patches: lower budget\.batch"):
        run(tmp_path, loss=Fails(1, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")))


def test_rare_checks_and_logs(tmp_path):
    """They change no weight; the logged loss is the mean of all steps since the last one."""
    often, rare = run(tmp_path / "often", log_steps=1), run(tmp_path / "rare", check_steps=5, log_steps=4)
    assert torch.equal(often, rare)
    each = list(scalars(tmp_path / "often", LOSS).values())
    means = [sum(each[start : start + 4]) / 4 for start in (0, 4, 8)]
    assert list(scalars(tmp_path / "rare", LOSS).values()) == pytest.approx(means)


class Watched(Tiny):
    """Notes in which mode each call is, and whether it has gradients."""

    def __init__(self):
        super().__init__(nn.BatchNorm2d(3))
        self.calls = []

    def forward(self, input):
        self.calls.append((input.shape[2] == 31, self.training, torch.is_grad_enabled()))
        return super().forward(input)


def test_mode_of_the_network(tmp_path):
    """Validations and tracked test sets change no weight and no statistic."""
    model = Watched().eval()
    tests = {"kodak24": Validation(Demosaic(), packed(crop()), protocol=Protocol(), device=CPU)}
    trained = run(tmp_path / "validated", model=model, validated=True, tracked=tests)
    assert {call for call in model.calls if call[0]} == {(True, True, True)}
    assert {call for call in model.calls if not call[0]} == {(False, False, False)}
    assert torch.equal(trained, run(tmp_path / "plain", model=Watched()))
    curve = scalars(tmp_path / "validated", curve_tag("psnr", "test kodak24"))
    assert list(curve) == [0, 16, 32, 48]  # patches seen
    assert curve == scalars(tmp_path / "validated", PSNR)


def test_curves(tmp_path):
    run(tmp_path, loss=MixLoss(), validated=True)
    tags = events(tmp_path).Tags()
    assert sorted(tags["scalars"]) == [
        *("1 PSNR (dB)/validation", "2 MS-SSIM/validation", "3 SSIM/validation"),
        *("4 1000 L1/validation", "5 1000 L2/validation", "8 training/learning rate", "8 training/patches per second"),
        *("9 share of the gradient/l1", "9 share of the gradient/ms_ssim"),
        *("loss, each in its own unit/loss", "loss, each in its own unit/term l1"),
        "loss, each in its own unit/term ms_ssim",
    ]
    assert len(tags["images"]) == 1
    l2, psnr = scalars(tmp_path, "5 1000 L2/validation")[48], scalars(tmp_path, PSNR)[48]
    assert l2 == pytest.approx(1000 * 10 ** (-psnr / 10), rel=1e-4)  # one photograph, in the units of the tables
    structure, l1 = (scalars(tmp_path, f"{GRADIENT_SHARE}/{name}") for name in ("ms_ssim", "l1"))
    assert list(l1) == [16, 32, 48]
    assert all(structure[patches] + l1[patches] == pytest.approx(1) for patches in l1)


class Constants(L1Loss):
    """Names terms that have no gradient."""

    def __init__(self):
        super().__init__()
        self.register_buffer("logged", torch.zeros(()))

    def terms(self, restored, target):
        self.logged += 1
        return {"l1": self(restored, target), "number": 0.5, "tensor": target.mean()}


def test_terms_without_gradient(tmp_path):
    """Logging them works, and changes no buffer of the loss."""
    loss = Constants()
    run(tmp_path, loss=loss)
    assert loss.logged == 0
    assert set(scalars(tmp_path, f"{GRADIENT_SHARE}/l1").values()) == {1}
    assert set(scalars(tmp_path, f"{GRADIENT_SHARE}/number").values()) == {0}
    assert set(scalars(tmp_path, "loss, each in its own unit/term number").values()) == {0.5}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patches": 4}, "batch <= patches"),
        ({"patches": 8.5}, "patches must be a whole number, got 8.5"),
        ({"validations": 0}, "at least one validation"),
        ({"warm_up": 1}, "warm_up is a share"),
        ({"decay": "step"}, "decay is linear or cosine, got step"),
    ],
)
def test_refused_budgets(wrong, message):
    with pytest.raises(ValueError, match=message):
        Budget(**{"patches": 8, "batch": 8, "learning_rate": 1e-3, **wrong})


@pytest.mark.parametrize(("decay", "quarter"), [("linear", 1.5), ("cosine", 1 + math.sqrt(0.5))])
def test_learning_rate(decay, quarter):
    budget = Budget(patches=1000, batch=1, learning_rate=2.0, warm_up=0.1, decay=decay)
    rates = [budget.learning_rate_at(step) for step in range(budget.steps)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[99] == rates[100] == max(rates) == pytest.approx(2.0)
    assert rates[325] == pytest.approx(quarter)
    assert rates[550] == pytest.approx(1.0)
    assert 0 < rates[-1] < 0.003
    assert rates[100:] == sorted(rates[100:], reverse=True)
