"""`restoration export`: a shipped network as an ONNX file."""

import argparse

from restoration.exporting import export
from restoration.files import printable
from restoration.pretrained import load


def run(asked: argparse.Namespace) -> int:
    export(load(asked.task, asked.loss), asked.file)
    print(printable(asked.file))
    return 0
