"""What the scripts share: errors without tracebacks, the device, the precision."""

import contextlib
import ctypes
import os
import re
import sys
import traceback
from collections.abc import Iterator

import torch
from hydra.errors import InstantiationException
from rich.console import Console

from restoration.datasets.decode import BadPhoto
from restoration.errors import UserError
from restoration.training.distributed import PeerProcessFailed
from restoration.training.train import Interrupted

MENDABLE = (UserError, InstantiationException, OSError, torch.OutOfMemoryError)  # errors that a user can mend
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Ends the program with one message where a user can mend the cause."""
    try:
        yield
    except MENDABLE as error:
        sys.exit(f"error: {explained(error)}")
    except KeyboardInterrupt:
        sys.exit(130)
    except PeerProcessFailed:
        end_at_once(1)
    except Interrupted as error:
        if os.environ.get("RANK", "0") == "0":  # torchrun's other processes stop alike
            print(f"{error}: stopped with a checkpoint; the same command goes on from there.", file=sys.stderr)
        sys.exit(128 + error.number)


def plain_console(*, quiet: bool = False) -> Console:
    """The terminal, to which texts go as they are: names of files may have brackets."""
    return Console(quiet=quiet, markup=False, highlight=False)


def end_at_once(status: int) -> None:
    """Ends one of several processes: in an orderly end, threads of their connection might still abort it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def explained(error: Exception) -> str:
    """What a user reads of an error. The traceback is printed if no user can mend the cause, or with TRACEBACK=1."""
    wanted = bool(os.environ.get("TRACEBACK"))
    if wanted or not isinstance(error, MENDABLE):
        traceback.print_exception(error)
    cause = error.__cause__
    if isinstance(error, torch.OutOfMemoryError):
        return f"the GPU is out of memory; lower budget.batch, or take device=cpu ({str(error).splitlines()[0]})"
    if isinstance(error, InstantiationException) and (target := re.match(r"Error locating target '(.+?)'", str(error))):
        reason = (str(cause).splitlines()[1:] or ["no such name"])[0]  # below "Error loading ..."
        return (
            f"_target_: {target[1]} cannot be imported: {reason}\n"
            "Write module.Class, as in myloss.MyLoss for a class MyLoss in myloss.py beside the Makefile."
        )
    if isinstance(error, InstantiationException) and not isinstance(cause, UserError):
        # a value that a constructor refused, or a _target_ that is not there
        return f"{cause or error}\n(while building {str(error).splitlines()[-1]})"
    if (
        isinstance(error, UserError)
        and cause is not None
        and not isinstance(cause, (*MENDABLE, BadPhoto))
        and not wanted
    ):
        return f"{error}\nTRACEBACK=1 before the same command shows where."
    if isinstance(error, MENDABLE):
        return str(cause if isinstance(error, InstantiationException) else error)
    return f"{type(error).__name__}: {error}"


def chosen_device(name: str) -> torch.device:
    """The device that `device=` names; "auto" prefers CUDA. Each of torchrun's processes has a GPU of its own."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        device = torch.empty(0, device=name).device
    except RuntimeError as error:
        raise UserError(f"device={name} is not available: {str(error).splitlines()[0]}") from error
    if device.type == "cpu":
        _keep_freed_memory()
    if device.type == "cuda":
        torch.cuda.set_device(device)  # else every process would also take memory of the first GPU
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32: TF32 would round the variances of losses and metrics
    torch.set_float32_matmul_precision("highest")  # an environment variable may have chosen TF32
    return device


def _keep_freed_memory() -> None:
    """Tells glibc to keep freed blocks: to get them anew, page by page, takes a tenth of a training step and a quarter
    of the time in which a photograph of 50 megapixels is scored. That one takes 10 GB then, instead of 7.

    Other systems' allocators have no such switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def chosen_seed(seed: object) -> int:
    """The seed that `seed=` names."""
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UserError(f"seed is a whole number from 0 to {2**63 - 1}, got {seed}")
    return seed


def chosen_bf16(precision: str, device: torch.device) -> bool:
    """Whether to autocast to bfloat16; "auto" does where the hardware computes in it."""
    if precision not in ("auto", "bf16", "fp32"):
        raise UserError(f"precision is auto, bf16 or fp32, got {precision}")
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    instructions = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(instructions.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
