"""Golden vectors of the paper's losses, for tests of other implementations, in any framework.

python -m scripts.golden [FILE]
"""

import sys
from pathlib import Path

import numpy as np
import skimage.data
import torch

from restoration.losses import L1Loss, L2Loss, MixLoss, MSSSIML2Loss, MSSSIMLoss, SSIMLoss

FILE = Path("results/golden/paper.npz")
LOSSES = {
    "l1": L1Loss(),
    "l2": L2Loss(),
    "ssim5": SSIMLoss(5.0),
    "ssim9": SSIMLoss(9.0),
    "ms_ssim": MSSSIMLoss(),
    "mix": MixLoss(0.84, 255.0),
    "mix_code": MixLoss(0.025, 1.0),
    "ms_ssim_l2": MSSSIML2Loss(0.1),
}
ORIGIN = """Losses of Zhao et al., 'Loss Functions for Image Restoration with Neural Networks', 2017, for the centre
pixel of 31 x 31 patches, as the authors' Caffe layers (PL4NN) compute them. Computed in float64 by restoration.losses.

restored, target: uint8, (2, 3, 31, 31): patch, channel, row, column; x = restored / 255, y = target / 255. The first
patch is of scikit-image's astronaut (public domain, NASA), with Gaussian noise of 10 levels; the second is made up,
flat and bright, and its restored version is 5 levels too dark.
value/LOSS: float64, the loss of the batch: the mean over patches and channels.
gradient/LOSS: float32, the derivative of value/LOSS for x, shaped like restored.
LOSS: l1; l2 (not halved); ssim5, ssim9 (sigma 5 and 9); ms_ssim (sigmas 0.5, 1, 2, 4, 8; no pyramid); mix (alpha 0.84,
L1 in 8-bit levels); mix_code (alpha 0.025, L1 in [0, 1]); ms_ssim_l2 (alpha 0.1, half of L2)."""


def golden() -> dict[str, np.ndarray]:
    """The arrays of the file by name."""
    random = np.random.default_rng(0)
    photograph = skimage.data.astronaut()[100:131, 200:231].transpose(2, 0, 1)
    target = np.stack([photograph, random.normal(230, 1, photograph.shape)])
    errors = np.stack([random.normal(0, 10, photograph.shape), random.normal(-5, 1, photograph.shape)])
    restored, target = (image.round().clip(0, 255).astype(np.uint8) for image in (target + errors, target))
    arrays = {"origin": np.array(ORIGIN), "restored": restored, "target": target}
    y = torch.from_numpy(target) / torch.tensor(255, dtype=torch.float64)
    for name, loss in LOSSES.items():
        x = (torch.from_numpy(restored) / torch.tensor(255, dtype=torch.float64)).requires_grad_()
        value = loss(x, y)
        (gradient,) = torch.autograd.grad(value, x)
        arrays |= {f"value/{name}": np.array(value.item()), f"gradient/{name}": gradient.float().numpy()}
    return arrays


def main(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **golden())
    print(f"written to {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
