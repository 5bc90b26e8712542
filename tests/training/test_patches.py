"""The stream of training batches."""

import torch

from tests.training.runs import sampler


def test_stream_continues_anywhere(device):
    """Batches are drawn two at a time here: a state may lie between them, or before the first."""
    whole = sampler(24, device)
    for taken in range(5):
        other = sampler(24, device, seed=1)
        other.sample()
        other.load(whole.state())
        assert other.state()["taken"] == whole.state()["taken"] == taken % 2
        for one, again in zip(whole.sample(), other.sample(), strict=True):
            assert one.device.type == device.type
            assert torch.equal(one, again)


def test_seeds(device):
    first, same, other = (sampler(seed=seed, device=device).sample()[1] for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    renewed = sampler(seed=1, device=device)
    renewed.sample()
    renewed.begin(0)
    assert torch.equal(renewed.sample()[1], first)
