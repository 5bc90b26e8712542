"""`restoration check-loss module:Loss`: the report card of a loss."""

import argparse
import ast
import os
import sys
from importlib import import_module

from torch import nn

from restoration.check import check_loss
from restoration.check.rendering import markdown, page, print_card
from restoration.commands import SOME_FAILED
from restoration.errors import UserError

WRITERS = {".md": markdown, ".html": page}


def run(arguments: argparse.Namespace) -> int:
    for path in arguments.write:
        if path.suffix not in WRITERS:
            raise UserError(f"--write takes names that end with {' or '.join(WRITERS)}, got {path}")
    card = check_loss(loss_of(arguments.loss), arguments.loss)
    print_card(card)
    for path in arguments.write:
        path.write_text(WRITERS[path.suffix](card), encoding="utf-8")
    return SOME_FAILED if card.faults else 0


def loss_of(text: str) -> nn.Module:
    """The loss named by `module:Loss` or `module:Loss(option=value)`; the module may be in the current folder.

    Raises:
        UserError: there is no such module, class or option.
    """
    module, colon, name = text.partition(":")
    try:
        call = ast.parse(name, mode="eval").body
        options = {}
        if isinstance(call, ast.Call):
            options = {str(option.arg): ast.literal_eval(option.value) for option in call.keywords}
            call, unnamed = call.func, call.args
        else:
            unnamed = []
        if not colon or unnamed or not isinstance(call, ast.Name):
            raise ValueError
    except (SyntaxError, ValueError):
        raise UserError(
            f"{text!r} names no loss: write module:Loss, or 'module:Loss(option=value)' with plain values"
        ) from None
    sys.path.insert(0, os.getcwd())
    try:
        loss = getattr(import_module(module), call.id)
        loss = loss(**options) if isinstance(loss, type) else loss
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{text} cannot be created: {error}") from error
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(loss, nn.Module):
        raise UserError(
            f"{text} is a {type(loss).__name__}; a loss is a torch.nn.Module with forward(restored, target)"
        )
    return loss
