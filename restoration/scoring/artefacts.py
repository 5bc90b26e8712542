"""How much of each artefact that the paper names a restored image has: what its figures show, as numbers.

Every measure compares N restored versions, (N, C, H, W) in [0, 1], of one photograph, (1, C, H, W), both as
`protocol.prepare` returns them, on their device, and gives (N,) values in 8-bit levels: 0 where they are equal, more
for more of the artefact. The residual is restored - target. Where to look is decided by the photograph alone:

- flat: the root mean square of its gradient, over a Gaussian of sigma 2 pixels and all channels, is below 3 levels a
  pixel. White noise of 3 levels is as much.
- beside an edge: flat, and within 10 rows and columns of a gradient of more than 20 levels a pixel.

Means in there are taken of such pixels alone, so that what happens on an edge does not leak into its surroundings.
A measure of a region is not a number where fewer than 1 % of the pixels are in it. A photograph that has a grid of its
own, as after an earlier JPEG, gives its removal as an artefact: compare losses on the same photograph. Work goes
channel by channel: memory is bounded to some ten planes of the photograph.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from restoration.scoring.protocol import LUMA

FINE = 2.0  # sigma in pixels: a Gaussian of it keeps 13 % of white noise
COARSE = 8.0  # the network sees 17 pixels: what it makes of noise is hardly larger
FLAT = 3.0  # levels a pixel
EDGE = 20.0
BESIDE = 10  # pixels
MIN_SHARE = 0.01
BLOCK = 8  # of a JPEG
TILE = 32  # pixels a side of the tiles whose spectra are averaged
STRIP = 64  # rows that are blurred by one product


def flat_residual(restored: Tensor, target: Tensor) -> Tensor:
    """Splotches: root mean square, where the photograph is flat, of the residual's band between two Gaussians.

    Waves of 11 to 43 pixels, spots of 5 to 21, keep at least about half of their amplitude. White noise keeps 12 %; it
    has such waves too. A constant shift gives 0.
    """
    flat = _flat(_gradient_energy(target))
    fine, coarse = _LocalMean(flat, FINE), _LocalMean(flat, COARSE)

    def band(residual: Tensor) -> Tensor:
        return fine(residual) - coarse(residual)

    return _root_mean_square(band, restored, target, flat)


def edge_residual(restored: Tensor, target: Tensor) -> Tensor:
    """Noise kept around edges: root mean square, beside edges, of the residual without its Gaussian mean of sigma 2.

    Blurred or sharpened edges count little: the edge itself is not flat. White noise of 1 level gives 0.96.
    """
    energy = _gradient_energy(target)
    flat = _flat(energy)
    beside = flat * _reached(energy > EDGE**2, BESIDE)
    mean = _LocalMean(flat, FINE)

    def noise(residual: Tensor) -> Tensor:
        return residual - mean(residual)

    return _root_mean_square(noise, restored, target, beside)


def grating(restored: Tensor, target: Tensor) -> Tensor:
    """Amplitude of the residual's pattern with a period of 2 pixels: across, down, or both, a chequerboard.

    Power spectra are those of 32 x 32 tiles under a Hann window. What the three frequencies have more than those 2 and
    3 bins beside them, which the window keeps apart, on average over the tiles and less three standard errors of this
    average, is the pattern's power: mere noise has none. The root of the sum over frequencies and of the mean over
    channels is its amplitude, of any phase, in levels. Not a number below 32 pixels.
    """
    if min(target.shape[2:]) < TILE:
        return torch.full_like(restored[:, 0, 0, 0], torch.nan)
    hann = torch.hann_window(TILE, device=target.device)
    window = hann[:, None] * hann / hann.sum().square()

    def power(residual: Tensor) -> Tensor:
        tiles = residual.unfold(0, TILE, TILE).unfold(1, TILE, TILE).flatten(0, 1)
        powers = torch.fft.rfft2(tiles * window).abs().square_().permute(1, 2, 0)
        last, beside = TILE // 2, [TILE // 2 - 3, TILE // 2 - 2]
        across = powers[0, last] - powers[0, beside].mean(dim=0)
        down = powers[last, 0] - powers[beside, 0].mean(dim=0)
        both = powers[last, last] - powers[beside, beside].mean(dim=0)
        excess = torch.stack([across, down, both])
        error = excess.std(dim=1, correction=0) / len(tiles) ** 0.5
        return (excess.mean(dim=1) - 3 * error).clamp_min(0).sum()

    return _per_channel(power, restored, target).mean(dim=1).sqrt()


def block_step(restored: Tensor, target: Tensor) -> Tensor:
    """Steps at the lines of a JPEG's blocks: what the residual changes by across them, beyond its changes elsewhere.

    Mean squared difference of neighbouring pixels, both flat, on either side of a line of the 8 x 8 lattice, minus
    that of all other neighbours; the root of it, over both directions and all channels, is the root mean square of the
    steps, whatever noise lies over them. Less than 0, the root of what is missing: by chance, or where the steps lie on
    another lattice. Ours starts at the image's corner: `protocol.border` must be a multiple of 8.
    """
    flat = _flat(_gradient_energy(target))

    def step(residual: Tensor) -> Tensor:
        excess = [_step_across(plane, mask) for plane, mask in ((residual, flat), (residual.T, flat.T))]
        return torch.stack(excess).mean()

    return torch.where(
        flat.mean() < MIN_SHARE, torch.nan, _signed_root(_per_channel(step, restored, target).mean(dim=1))
    )


def luminance_shift(restored: Tensor, target: Tensor) -> Tensor:
    """The mean residual's BT.601 luma, without its sign."""
    shift = _per_channel(torch.mean, restored, target)
    return (shift * shift.new_tensor(LUMA)).sum(dim=1).abs()


def colour_shift(restored: Tensor, target: Tensor) -> Tensor:
    """Length of the mean residual's BT.601 (Cb, Cr), full range; 0 for a shift of grey."""
    shift = _per_channel(torch.mean, restored, target)
    luma = (shift * shift.new_tensor(LUMA)).sum(dim=1)
    blue_difference = (shift[:, -1] - luma) / (2 - 2 * LUMA[2])
    red_difference = (shift[:, 0] - luma) / (2 - 2 * LUMA[0])
    return torch.hypot(blue_difference, red_difference)


ARTEFACTS: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "flat_residual": ("Splotches", flat_residual),
    "edge_residual": ("Noise at edges", edge_residual),
    "grating": ("Grating", grating),
    "block_step": ("Block step", block_step),
    "luminance_shift": ("Luminance shift", luminance_shift),
    "colour_shift": ("Colour shift", colour_shift),
}
TRACES = {"grating": ("sr",), "block_step": ("jpeg",)}  # of the degradation of these tasks


def looked_for(artefact: str, task: str) -> bool:
    """Whether a task's degradation leaves the traces that the artefact's measure looks for."""
    return task in TRACES.get(artefact, (task,))


class _LocalMean:
    """Gaussian means around every pixel, of the pixels of `mask` alone: (H, W) -> (H, W), defined on the mask."""

    def __init__(self, mask: Tensor, sigma: float):
        self.radius = round(3 * sigma)
        tap = torch.arange(STRIP + 2 * self.radius, device=mask.device)[:, None]
        offset = tap - self.radius - torch.arange(STRIP, device=mask.device)
        weights = (-offset.to(mask.dtype).square() / (2 * sigma**2)).exp() * (offset.abs() <= self.radius)
        self.band = weights / weights.sum(dim=0)
        self.mask = mask
        self.share = self._blurred(mask).clamp_min_(1e-4)  # on the mask it is more: the Gaussian's centre alone

    def __call__(self, plane: Tensor) -> Tensor:
        return self._blurred(plane * self.mask).div_(self.share)

    def _blurred(self, plane: Tensor) -> Tensor:
        return self._blurred_down(self._blurred_down(plane))

    def _blurred_down(self, plane: Tensor) -> Tensor:
        """(H, W) -> (W, H): strips of rows times a band matrix, five times as fast as a convolution of one channel."""
        height = len(plane)
        padded = functional.pad(plane, (0, 0, self.radius, self.radius + -height % STRIP))
        strips = padded.unfold(0, STRIP + 2 * self.radius, STRIP)
        return (strips @ self.band).transpose(0, 1).flatten(1)[:, :height]


def _gradient_energy(target: Tensor) -> Tensor:
    """Squared gradient in (levels a pixel)², mean over channels, (H, W)."""
    energy = torch.zeros_like(target[0, 0])
    for plane in target[0]:
        for gradient in torch.gradient(plane * 255):
            energy.addcmul_(gradient, gradient)
    return energy / target.shape[1]


def _flat(energy: Tensor) -> Tensor:
    """1.0 where the photograph is flat, else 0.0, (H, W)."""
    return (_LocalMean(torch.ones_like(energy), FINE)(energy) < FLAT**2).float()


def _reached(mask: Tensor, distance: int) -> Tensor:
    """1.0 where a pixel of the mask is in the square of so many pixels around, else 0.0, (H, W)."""
    size, pad = 2 * distance + 1, distance
    down = functional.max_pool2d(mask.float()[None, None], (size, 1), stride=1, padding=(pad, 0))
    return functional.max_pool2d(down, (1, size), stride=1, padding=(0, pad))[0, 0]


def _per_channel(measure: Callable[[Tensor], Tensor], restored: Tensor, target: Tensor) -> Tensor:
    """What `measure` gives for each channel's residual, (H, W) in levels; (N, C)."""
    values = [measure((x - y) * 255) for image in restored for x, y in zip(image, target[0], strict=True)]
    return torch.stack(values).view(restored.shape[:2])


def _root_mean_square(filtered: Callable[[Tensor], Tensor], restored: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """(N,), over the pixels of `mask` and all channels; not a number where these are too few."""
    share = mask.mean()

    def power(residual: Tensor) -> Tensor:
        return filtered(residual).square_().mul_(mask).mean()

    return torch.where(share < MIN_SHARE, torch.nan, (_per_channel(power, restored, target).mean(dim=1) / share).sqrt())


def _signed_root(power: Tensor) -> Tensor:
    return power.sign() * power.abs().sqrt()


def _step_across(residual: Tensor, flat: Tensor) -> Tensor:
    """Mean squared difference of flat horizontal neighbours across the lattice's lines, minus that of the others."""
    both = flat[:, 1:] * flat[:, :-1]
    change = residual.diff(dim=1).square_().mul_(both).sum(dim=0)
    count = both.sum(dim=0)
    on_lattice = torch.arange(1, len(count) + 1, device=count.device) % BLOCK == 0
    across, elsewhere = (change[where].sum() / count[where].sum() for where in (on_lattice, ~on_lattice))
    return across - elsewhere
