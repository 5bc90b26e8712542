"""The command `restoration`: arguments and exit codes. `restoration.commands` does the work.

Heavy packages are imported only after the arguments are parsed, so that help is fast.
"""

import argparse
import io
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from restoration import __version__
from restoration.commands import SOME_FAILED
from restoration.errors import UserError
from restoration.names import METRICS, TASKS

WRONG_USAGE, INTERRUPTED = 2, 130
EXIT_CODES = "Exit codes: 0 all right, 1 some files failed, 2 wrong usage."
COMMANDS = "restoration.commands."  # each command is a module with a function `run`


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know all letters of a file name
    commands = parser()
    asked = commands.parse_args(arguments)
    if asked.command == "score" and asked.explain and (asked.metrics or asked.border):
        commands.error("--explain uses fixed metrics and borders: leave out --metrics and --border")
    try:
        with _loading():
            command = import_module(COMMANDS + asked.command.replace("-", "_"))
        code = command.run(asked)
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # as after `restoration losses | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except Exception as error:
        if os.environ.get("TRACEBACK"):
            traceback.print_exception(error)
        hint = "TRACEBACK=1 before the same command shows where"
        print(f"error: {type(error).__name__}: {error}\n{hint}", file=sys.stderr)
        return SOME_FAILED


@contextmanager
def _loading() -> Iterator[None]:
    """Prints a message on a terminal, since PyTorch takes seconds to load."""
    on_terminal = sys.stderr.isatty()
    if on_terminal:
        print("loading PyTorch ...", end="\r", file=sys.stderr, flush=True)
    yield
    if on_terminal:
        print("\33[K", end="", file=sys.stderr, flush=True)


def run() -> None:
    """The entry point of the installed command."""
    sys.exit(main())


def parser() -> argparse.ArgumentParser:
    """The arguments of all commands."""
    top = argparse.ArgumentParser(
        prog="restoration",
        description="Networks that restore photographs, trained with different losses; scores of restored photographs.",
        epilog=EXIT_CODES,
    )
    top.add_argument("--version", action="version", version=f"restoration {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _restore(commands)
    _score(commands)
    _command(commands, "losses", "the losses of restoration.losses: meaning, unit and cost on this machine")
    _check_loss(commands)
    _export(commands)
    _command(commands, "pretrained", "the networks that are shipped: task, loss and what trained them")
    return top


def _command(
    commands: "argparse._SubParsersAction", name: str, purpose: str, epilog: str = EXIT_CODES
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=epilog,
    )


def _restore(commands: "argparse._SubParsersAction") -> None:
    command = _command(
        commands,
        "restore",
        "restore photographs: remove the blocks of JPEG, double the size, or demosaick raw files",
        epilog=f"""examples:
  restoration restore photo.jpg
  restoration restore photos/ -o restored/
  restoration restore "photos/**/*.png" --task sr --loss l1 --format png

A new file has the same format. EXIF, colour profile, resolution, transparency, grey and 16 bits are kept.
Without -o, the new file gets a new name in the same folder. Existing files are never overwritten.
{EXIT_CODES}""",
    )
    command.add_argument("files", nargs="+", metavar="PHOTO", help="a file, a folder (with subfolders) or a pattern")
    command.add_argument(
        "--task",
        choices=TASKS,
        default="jpeg",
        help="jpeg: remove the blocks of JPEG files (the default); sr: double the size; demosaic: raw files",
    )
    command.add_argument("--loss", default="mix", help="what trained the network; mix by default")
    command.add_argument(
        "-o", "--out", type=_home, metavar="DIR", help="folder of the new files, which keep their names"
    )
    command.add_argument("--format", metavar="KIND", help="jpeg, png, tiff, webp or bmp, instead of the file's kind")
    command.add_argument(
        "--force",
        action="store_true",
        help="also restore JPEG files of a higher quality than the network was trained for",
    )
    command.add_argument(
        "--compare", action="store_true", help="instead, write a strip of crops: the input, and after every loss"
    )


def _score(commands: "argparse._SubParsersAction") -> None:
    command = _command(
        commands,
        "score",
        "how close restored photographs are to the true ones: PSNR, SSIM, MS-SSIM and others",
        epilog=f"""examples:
  restoration score restored.png truth.png
  restoration score restored/ truth/ --csv > scores.csv
  restoration score restored.png truth.png --explain

Files of two folders are partners if they have the same name, up to the suffix. {EXIT_CODES}""",
    )
    command.add_argument("restored", type=Path, metavar="RESTORED", help="a file or a folder")
    command.add_argument("truth", type=Path, metavar="TRUTH", help="the same photographs, undegraded")
    command.add_argument(
        "--metrics", type=_metrics, metavar="A,B", help=f"only these; known are {', '.join(METRICS)} and artefacts"
    )
    command.add_argument("--border", type=_pixels, default=0, metavar="PIXELS", help="leave out pixels at each edge")
    command.add_argument(
        "--explain", action="store_true", help="why other libraries give other values: which setting makes which gap"
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="one row a photograph (with --explain: a setting)")
    form.add_argument("--json", action="store_true", help="the same with protocol and means")


def _export(commands: "argparse._SubParsersAction") -> None:
    command = _command(
        commands,
        "export",
        "a shipped network as an ONNX file, for images of any size",
        epilog=f"""example:
  restoration export --task jpeg --loss mix jpeg-mix.onnx

Input `degraded` and output `restored` are (N, 3, H, W), nominally in [0, 1].
Needs pip install 'restoration-losses[export]'. A network of yours, in Python: restoration.export(network, "mine.onnx").
{EXIT_CODES}""",
    )
    command.add_argument("--task", choices=TASKS, required=True)
    command.add_argument("--loss", default="mix", help="what trained the network; mix by default")
    command.add_argument("file", type=_home, metavar="FILE.onnx", help="the new file")


def _check_loss(commands: "argparse._SubParsersAction") -> None:
    command = _command(
        commands,
        "check-loss",
        "the report card of a loss: about forty probes, each with a reason and a verdict",
        epilog="""examples:
  restoration check-loss restoration.losses:MixLoss
  restoration check-loss 'torch.nn:SmoothL1Loss(beta=0.01)' --write card.html

Exit codes: 0 no fault, 1 a fault, 2 wrong usage.""",
    )
    command.add_argument(
        "loss", metavar="MODULE:LOSS", help="a class of losses, with options in brackets, or an object"
    )
    command.add_argument(
        "--write", type=Path, action="append", default=[], metavar="FILE", help="the whole card, as .md or .html"
    )


def _home(text: str) -> Path:
    return Path(text).expanduser()


def _metrics(text: str) -> list[str]:
    from restoration.names import ARTEFACTS

    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in (*METRICS, *ARTEFACTS):
            raise argparse.ArgumentTypeError(f"unknown metric {name!r}; known: {', '.join((*METRICS, *ARTEFACTS))}")
    return names


def _pixels(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pixels")
    return int(text)


if __name__ == "__main__":
    run()
