"""The paper's network: three convolutions, two PReLUs, about 122.9 k weights.

| layer | kernel      | input -> output channels | then                       |
|-------|-------------|--------------------------|----------------------------|
| 1     | 9 x 9       | 3 -> 64                  | PReLU, a slope per channel |
| 2     | 5 x 5       | 64 -> 64                 | PReLU, a slope per channel |
| 3     | 5 x 5       | 64 -> 3                  |                            |

Zero padding keeps the size: the network is trained on 31 x 31 patches and restores images of any size.
"""

import torch
from torch import Tensor, nn

PRELU_START = 0.25  # slope of a PReLU before training


class RestorationCNN(nn.Module):
    """(N, 3, H, W) or (3, H, W) degraded -> restored, of the same shape, both nominally in [0, 1].

    Args:
        identity_start: start as the identity map. Each colour passes through one feature of each layer. The other
            features start as He et al. proposed, with weight 0 in the output. False: PyTorch's initialisation.
        residual: the output of the layers is added to the input; not the paper's network.
    """

    receptive_radius = 4 + 2 + 2  # pixels: an output pixel depends on inputs up to this far away

    def __init__(self, *, identity_start: bool = True, residual: bool = False):
        super().__init__()
        self.residual = residual
        self.layers = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=9, padding=4),
            nn.PReLU(64, init=PRELU_START),
            nn.Conv2d(64, 64, kernel_size=5, padding=2),
            nn.PReLU(64, init=PRELU_START),
            nn.Conv2d(64, 3, kernel_size=5, padding=2),
        )
        if identity_start:
            self._start_as_identity()

    def forward(self, degraded: Tensor) -> Tensor:
        # one image without the dimension N: PReLU would take its rows for channels
        output = self.layers(degraded) if degraded.ndim == 4 else self.layers(degraded[None])[0]
        return degraded + output if self.residual else output

    @torch.no_grad()
    def _start_as_identity(self) -> None:
        convolutions = [layer for layer in self.layers if isinstance(layer, nn.Conv2d)]
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.weight, a=PRELU_START)
            if convolution.bias is not None:
                nn.init.zeros_(convolution.bias)
        if self.residual:
            nn.init.zeros_(convolutions[-1].weight)
            return
        for convolution in convolutions:
            centre = convolution.kernel_size[0] // 2
            for colour in range(3):
                convolution.weight[colour] = 0
                convolution.weight[colour, colour, centre, centre] = 1
