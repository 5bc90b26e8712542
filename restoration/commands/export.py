"""`restoration export`: a shipped network as an ONNX file."""

import argparse

from restoration.exporting import export
from restoration.files import printable
from restoration.pretrained import load


def run(arguments: argparse.Namespace) -> int:
    export(load(arguments.task, arguments.loss), arguments.file)
    print(printable(arguments.file))
    return 0
