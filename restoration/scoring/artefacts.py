"""Artefacts that the paper names, each measured in 8-bit levels: 0 for equal images, larger for a stronger artefact.

Every function compares N restored versions, (N, 3, H, W), of one photograph, (1, 3, H, W), both as `Protocol.prepare`
returns them, and gives (N,) values. The residual is restored - target. The photograph alone decides which pixels count:

- flat: the root mean square of the photograph's gradient, over a Gaussian of sigma 2 pixels and all channels, is below
  3 levels a pixel. White noise of 3 levels has this gradient.
- beside an edge: flat, and within 10 rows and columns of a gradient of more than 20 levels a pixel.

Local means of a region use pixels of the region only, so that the residual on an edge does not count beside the edge.
A value of a region is NaN if the region has fewer than 1 % of the pixels. If the photograph itself has block edges, as
after an earlier JPEG, then removing them counts as an artefact: compare losses on the same photograph only.
Channels are computed one by one: memory is bounded to about ten planes of the photograph.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from restoration.scoring.filters import filtered, gaussian
from restoration.scoring.protocol import LUMA

FINE = 2.0  # sigma in pixels: this Gaussian keeps 13 % of white noise
COARSE = 8.0  # splotches are about as large as the network's receptive field, 17 x 17 pixels
FLAT = 3.0  # levels a pixel
EDGE = 20.0
BESIDE = 10  # pixels
MIN_SHARE = 0.01
BLOCK = 8  # side of a JPEG block in pixels
TILE = 32  # side in pixels of the tiles whose spectra are averaged


def flat_residual(restored: Tensor, target: Tensor) -> Tensor:
    """Splotches: root mean square of the flat residual's band between two Gaussians, of sigma 2 and 8.

    Waves of 11 to 43 pixels and spots of 5 to 21 pixels keep at least about half of their amplitude. White noise keeps
    12 %: the share of such waves in white noise. A constant shift gives 0.
    """
    flat = _flat(_gradient_energy(target))
    fine, coarse = _LocalMean(flat, FINE), _LocalMean(flat, COARSE)

    def band(residual: Tensor) -> Tensor:
        return fine(residual) - coarse(residual)

    return _root_mean_square(band, restored, target, flat)


def edge_residual(restored: Tensor, target: Tensor) -> Tensor:
    """Noise kept around edges: root mean square, beside edges, of the residual minus its Gaussian mean of sigma 2.

    A blurred or sharpened edge counts little, because edges are not flat. White noise of 1 level gives 0.96.
    """
    energy = _gradient_energy(target)
    flat = _flat(energy)
    beside = flat * _dilated(energy > EDGE**2, BESIDE)
    mean = _LocalMean(flat, FINE)

    def noise(residual: Tensor) -> Tensor:
        return residual - mean(residual)

    return _root_mean_square(noise, restored, target, beside)


def grating(restored: Tensor, target: Tensor) -> Tensor:
    """Amplitude of the residual's pattern with a period of 2 pixels: across, down, or both (a chequerboard).

    The power spectrum is taken of 32 x 32 tiles under a Hann window. At each of the three frequencies, the excess of a
    tile is its power minus the mean power of the bins 2 and 3 away, which the window separates. The pattern's power is
    the mean excess of all tiles minus three standard errors, so that noise gives 0. It is summed over frequencies and
    averaged over channels; the amplitude is the root. NaN with a side below 32 pixels.
    """
    if min(target.shape[2:]) < TILE:
        return torch.full_like(restored[:, 0, 0, 0], torch.nan)
    hann = torch.hann_window(TILE, device=target.device)
    window = hann[:, None] * hann / hann.sum().square()

    def power(residual: Tensor) -> Tensor:
        tiles = residual.unfold(0, TILE, TILE).unfold(1, TILE, TILE).flatten(0, 1)
        powers = torch.fft.rfft2(tiles * window).abs().square_().permute(1, 2, 0)
        last, near = TILE // 2, [TILE // 2 - 3, TILE // 2 - 2]
        across = powers[0, last] - powers[0, near].mean(dim=0)
        down = powers[last, 0] - powers[near, 0].mean(dim=0)
        both = powers[last, last] - powers[near, near].mean(dim=0)
        excess = torch.stack([across, down, both])
        error = excess.std(dim=1, correction=0) / len(tiles) ** 0.5
        return (excess.mean(dim=1) - 3 * error).clamp_min(0).sum()

    return _per_channel(power, restored, target).mean(dim=1).sqrt()


def block_step(restored: Tensor, target: Tensor) -> Tensor:
    """Steps at the edges of JPEG blocks: the residual's change across block edges, minus that between other pixels.

    For neighbouring flat pixels, the mean squared difference across lines of the 8 x 8 lattice, minus the mean squared
    difference of all other neighbours; averaged over both directions and all channels. The root of this mean is the
    root mean square of the steps; added noise does not change it. A negative mean, by chance or from another lattice,
    gives minus the root of its absolute value. The lattice starts at the image's corner: `protocol.border` must be a
    multiple of 8.
    """
    flat = _flat(_gradient_energy(target))

    def step(residual: Tensor) -> Tensor:
        excess = [_step_across(plane, mask) for plane, mask in ((residual, flat), (residual.T, flat.T))]
        return torch.stack(excess).mean()

    mean = _per_channel(step, restored, target).mean(dim=1)
    return torch.where(flat.mean() < MIN_SHARE, torch.nan, mean.sign() * mean.abs().sqrt())


def luminance_shift(restored: Tensor, target: Tensor) -> Tensor:
    """Absolute BT.601 luma of the mean residual."""
    shift = _per_channel(torch.mean, restored, target)
    return (shift * shift.new_tensor(LUMA)).sum(dim=1).abs()


def colour_shift(restored: Tensor, target: Tensor) -> Tensor:
    """Length of the mean residual's (Cb, Cr), BT.601 in full range; 0 for a shift of grey."""
    shift = _per_channel(torch.mean, restored, target)
    luma = (shift * shift.new_tensor(LUMA)).sum(dim=1)
    blue_difference = (shift[:, -1] - luma) / (2 - 2 * LUMA[2])
    red_difference = (shift[:, 0] - luma) / (2 - 2 * LUMA[0])
    return torch.hypot(blue_difference, red_difference)


FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    function.__name__: function
    for function in (flat_residual, edge_residual, grating, block_step, luminance_shift, colour_shift)
}


class _LocalMean:
    """Gaussian mean around every pixel, over the pixels of `mask` alone: (H, W) -> (H, W), defined on the mask."""

    def __init__(self, mask: Tensor, sigma: float):
        self.mask, self.radius = mask, round(3 * sigma)
        self.weights = gaussian(sigma, self.radius)
        self.share = self._blurred(mask).clamp_min_(1e-4)  # only pixels outside the mask are below 1e-4

    def __call__(self, plane: Tensor) -> Tensor:
        return self._blurred(plane * self.mask).div_(self.share)

    def _blurred(self, plane: Tensor) -> Tensor:
        return filtered(functional.pad(plane, [self.radius] * 4), self.weights)


def _gradient_energy(target: Tensor) -> Tensor:
    """Squared gradient in (levels a pixel)², averaged over channels, (H, W)."""
    energy = torch.zeros_like(target[0, 0])
    for plane in target[0]:
        for gradient in torch.gradient(plane * 255):
            energy.addcmul_(gradient, gradient)
    return energy / target.shape[1]


def _flat(energy: Tensor) -> Tensor:
    """1.0 where the photograph is flat, else 0.0, (H, W)."""
    return (_LocalMean(torch.ones_like(energy), FINE)(energy) < FLAT**2).float()


def _dilated(mask: Tensor, distance: int) -> Tensor:
    """1.0 where a pixel of the mask is at most `distance` rows and columns away, else 0.0, (H, W)."""
    size, pad = 2 * distance + 1, distance
    down = functional.max_pool2d(mask.float()[None, None], (size, 1), stride=1, padding=(pad, 0))
    return functional.max_pool2d(down, (1, size), stride=1, padding=(0, pad))[0, 0]


def _per_channel(measure: Callable[[Tensor], Tensor], restored: Tensor, target: Tensor) -> Tensor:
    """`measure` of each channel's residual, (H, W) in levels -> (N, C)."""
    values = [measure((x - y) * 255) for image in restored for x, y in zip(image, target[0], strict=True)]
    return torch.stack(values).view(restored.shape[:2])


def _root_mean_square(filtered: Callable[[Tensor], Tensor], restored: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Root mean square over the pixels of `mask` and all channels, (N,); NaN if the mask has too few pixels."""
    share = mask.mean()

    def power(residual: Tensor) -> Tensor:
        return filtered(residual).square_().mul_(mask).mean()

    return torch.where(share < MIN_SHARE, torch.nan, (_per_channel(power, restored, target).mean(dim=1) / share).sqrt())


def _step_across(residual: Tensor, flat: Tensor) -> Tensor:
    """Mean squared difference of flat horizontal neighbours across the lattice's lines, minus that of all others."""
    both_flat = flat[:, 1:] * flat[:, :-1]
    change = residual.diff(dim=1).square_().mul_(both_flat).sum(dim=0)
    count = both_flat.sum(dim=0)
    lines = range(BLOCK - 1, len(count), BLOCK)
    others = [column for column in range(len(count)) if column not in lines]
    on_lines, between = (change[columns].sum() / count[columns].sum() for columns in (list(lines), others))
    return on_lines - between
