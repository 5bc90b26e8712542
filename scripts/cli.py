"""Common parts of the scripts: errors without tracebacks, the device, the precision."""

import contextlib
import ctypes
import inspect
import os
import re
import sys
import traceback
from collections.abc import Iterator

import rich
import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object
from rich.console import Console

from restoration.datasets.decode import BadPhoto
from restoration.errors import UserError
from restoration.training.distributed import PeerProcessFailed
from restoration.training.train import Interrupted
from scripts.make import LARGEST_SEED, nearest

MENDABLE = (UserError, InstantiationException, OSError, torch.OutOfMemoryError)  # errors that a user can correct
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Ends the program with one message if a user can correct the cause."""
    try:
        yield
    except MENDABLE as error:
        sys.exit(f"error: {explained(error)}")
    except KeyboardInterrupt:
        print("stopped; finished work is kept, and the same command goes on.", file=sys.stderr)
        sys.exit(130)
    except PeerProcessFailed:
        end_at_once(1)
    except Interrupted as error:
        if os.environ.get("RANK", "0") == "0":  # torchrun's other processes stop with the same error
            print(f"{error}: stopped with a checkpoint; the same command goes on from there.", file=sys.stderr)
        sys.exit(128 + error.number)


def plain_console(*, quiet: bool = False) -> Console:
    """A console that prints text unchanged: brackets in file names are not read as markup."""
    rich.reconfigure(quiet=quiet, markup=False, highlight=False)
    return rich.get_console()


def say_next(*commands: str) -> None:
    """Prints the commands that a user may type next."""
    rich.get_console().print(f"next: {' or '.join(commands)}", soft_wrap=True)


def end_at_once(status: int) -> None:
    """Ends one of several processes immediately. In a normal exit, a thread of the connection may crash the process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def explained(error: Exception) -> str:
    """The message of an error. Prints the traceback if a user cannot correct the cause, or with TRACEBACK=1."""
    wanted = bool(os.environ.get("TRACEBACK"))
    if wanted or not isinstance(error, MENDABLE):
        traceback.print_exception(error)
    cause = error.__cause__
    if isinstance(error, torch.OutOfMemoryError):
        return f"the GPU is out of memory; lower budget.batch, or take device=cpu ({str(error).splitlines()[0]})"
    if isinstance(error, InstantiationException):
        return str(cause) if isinstance(cause, UserError) else not_built(error)
    if not isinstance(error, MENDABLE):
        return f"{type(error).__name__}: {error}"
    own_code = isinstance(error, UserError) and cause and not isinstance(cause, (*MENDABLE, BadPhoto))
    return f"{error}\nTRACEBACK=1 before the same command shows where." if own_code and not wanted else str(error)


def not_built(error: InstantiationException) -> str:
    """The message for an object of the configuration that cannot be built, with a correction."""
    text, reason = str(error), str(error.__cause__ or error)
    if missing := re.match(r"Error locating target '(.+?)'", text):
        lines = reason.splitlines()[1:]  # below "Error loading ..."
        return (
            f"_target_: {missing[1]} cannot be imported: {lines[0] if lines else 'no such name'}\n"
            "Write module.Class, as in myloss.MyLoss for a class MyLoss in myloss.py beside the Makefile."
        )
    called = re.match(r"Error in call to target '(.+?)'", text)
    if not called or not isinstance(error.__cause__, TypeError):
        return f"{called[1]} refuses its values: {reason}" if called else reason
    maker = get_object(called[1])
    if not isinstance(maker, type):
        return f"_target_: {called[1]} is a function, not a class: write a class whose forward() calls the function"
    takes = [name for name in inspect.signature(maker).parameters if name != "self"]
    known = f"{called[1]} takes {', '.join(takes) or 'no values'}"
    if wrong := re.search(r"unexpected keyword argument '(.+?)'", reason):
        return f"{wrong[1]} is unknown{nearest(wrong[1], takes)}; {known}"
    if lacking := re.search(r"missing \d+ required .*?: (.+)", reason):
        return f"{called[1]} needs a value for {lacking[1]}: add a line below _target_; {known}"
    return f"{called[1]} refuses its values: {reason}"


def chosen_device(name: str) -> torch.device:
    """The device that `device=` names; "auto" prefers CUDA. Each process of torchrun has its own GPU."""
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
    """Makes glibc keep freed blocks; other allocators have no such switch.

    New blocks, page by page, would take a tenth of a training step and a quarter of the scoring of a photograph of 50
    megapixels. The price is memory: such a photograph takes 10 GB instead of 7.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def chosen_seed(seed: object) -> int:
    """The seed that `seed=` names."""
    if not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed is a whole number from 0 to {LARGEST_SEED}, got {seed}")
    return seed


def chosen_bf16(precision: str, device: torch.device) -> bool:
    """Whether to use bfloat16 autocast; "auto" means: if the hardware supports bfloat16."""
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
