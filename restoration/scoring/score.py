"""`score`: how close restored images are to the true ones, one value for each image and metric.

The tables use the same arithmetic. `Protocol` prepares both images. A value may be infinite (PSNR of equal images) or
NaN (a metric that is not defined for an image, see `metrics` and `artefacts`): leave such values out of means, and
report their number.
"""

from collections.abc import Iterable
from itertools import islice

import torch
from torch import Tensor

from restoration.images import checked_image
from restoration.names import ARTEFACTS, METRICS
from restoration.scoring.artefacts import FUNCTIONS as ARTEFACT_FUNCTIONS
from restoration.scoring.metrics import FUNCTIONS, Versions
from restoration.scoring.protocol import Protocol
from restoration.scoring.ssim import precise

ALL_METRICS = (*METRICS, *ARTEFACTS)
AT_ONCE = 8_000_000  # pixels of restored versions that are scored together: bounds the memory
OVERSHOOT = (-1.0, 2.0)  # a network may leave [0, 1], the protocol clamps it; 8-bit levels are far outside
DEFAULT = Protocol()


def score(
    restored: Tensor, target: Tensor, *, metrics: Iterable[str] = ALL_METRICS, protocol: Protocol = DEFAULT
) -> dict[str, Tensor]:
    """Values by metric name: of one image, a tensor without dimensions; of N images, (N,).

    Images are RGB, at least 11 x 11 pixels, either floating-point in [0, 1] or uint8, whose levels are divided by 255.

    Args:
        restored: (3, H, W) or (N, 3, H, W); values from -1 to 2, which are clamped to [0, 1].
        target: of the same shape, one for each restored image; or (3, H, W), the same for all restored images.

    Raises:
        ValueError: another type, shape or range, a value that is not finite, or an unknown metric.
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    unknown = [name for name in names if name not in ALL_METRICS]
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}; known: {', '.join(ALL_METRICS)}")
    lowest, highest = OVERSHOOT
    images = checked_image("restored", restored, lowest=lowest, highest=highest)
    truth = checked_image("target", target)
    if images.shape[-3:] != truth.shape[-3:] or (truth.ndim == 4 and images.shape != truth.shape):
        raise ValueError(
            "target must have the shape of restored, or be one (3, H, W) photograph that all restored images share; "
            f"got restored {tuple(images.shape)} and target {tuple(truth.shape)}"
        )
    if truth.ndim == 4:
        pairs = [([image], photo) for image, photo in zip(images, truth, strict=True)]
    else:
        pairs = [(images.reshape(-1, *truth.shape), truth)]
    values = [score_versions(versions, photo, metrics=names, protocol=protocol) for versions, photo in pairs]
    return dict(zip(names, torch.cat(values, dim=1).view(-1, *images.shape[:-3]), strict=True))


@torch.no_grad()
def score_versions(
    versions: Iterable[Tensor], target: Tensor, *, metrics: Iterable[str] = ALL_METRICS, protocol: Protocol = DEFAULT
) -> Tensor:
    """Values of N versions of one photograph, (metrics, N) in float64, on their device; inputs are not checked.

    Terms of the photograph are computed once for all versions that fit into memory together.

    Args:
        versions: (3, H, W) each, of any range; an iterator is read lazily.
        target: the photograph, (3, H, W) in [0, 1].
    """
    truth = protocol.prepare(target)
    prepared = (protocol.prepare(version) for version in versions)
    at_once = max(1, AT_ONCE // truth[0, 0].numel())
    names, values = list(metrics), []
    while group := list(islice(prepared, at_once)):
        images = Versions(group[0] if len(group) == 1 else torch.cat(group), truth)
        values.append(torch.stack([_value(name, images).to(precise(truth.device)) for name in names]))
    return torch.cat(values, dim=1)


def _value(metric: str, images: Versions) -> Tensor:
    if metric in ARTEFACT_FUNCTIONS:
        return ARTEFACT_FUNCTIONS[metric](images.restored, images.target)
    return FUNCTIONS[metric](images)
