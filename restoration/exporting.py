"""A network as an ONNX file, for programs without PyTorch."""

import contextlib
import importlib.util
import io
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from restoration.errors import UserError
from restoration.files import replacing
from restoration.networks.inference import evaluating
from restoration.restoring import refuse_existing

PACKAGES = ("onnx", "onnxscript")
EXAMPLE = (2, 3, 40, 48)  # different sizes, so that no axis becomes fixed


def export(network: nn.Module, path: str | Path) -> None:
    """Writes a network in eval mode as ONNX, `degraded` -> `restored`, (N, 3, H, W) each, for any N, H and W.

    Values are nominally in [0, 1]; the output is not clamped. The network is not changed.

    Raises:
        UserError: the file exists, or onnx and onnxscript are not installed.
    """
    path = Path(path)
    missing = [name for name in PACKAGES if not importlib.util.find_spec(name)]
    if missing:
        raise UserError(f"{' and '.join(missing)} must be installed: pip install 'restoration-losses[export]'")
    refuse_existing(path)
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
    sizes = {0: Dim("images"), 2: Dim("height"), 3: Dim("width")}
    with evaluating(network), contextlib.redirect_stdout(io.StringIO()):  # torch prints its steps
        program = torch.onnx.export(
            network,
            (torch.zeros(EXAMPLE, device=device),),
            dynamo=True,
            dynamic_shapes=(sizes,),
            input_names=["degraded"],
            output_names=["restored"],
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx gave no program")
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)
        refuse_existing(path)
