"""The processes that train one network together, as torchrun starts them; without torchrun, this one alone.

Each holds the whole network and draws patches of its own; gradients are averaged, so that all take the same step.
Tensors on a GPU travel by NCCL, all others by gloo. Every process must send the same messages in the same order.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from restoration.errors import UserError

PATIENCE = timedelta(days=1)  # for the others while the first packs photographs; its death ends the wait at once

Value = TypeVar("Value")


class Elsewhere(Exception):
    """Another process of this training has ended; it says why."""


@dataclass(frozen=True)
class World:
    """This process among all: `rank` counts from 0. One alone sends nothing."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that scores, logs and writes."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """How many patches of a batch each process draws.

        Raises:
            UserError: the batch cannot be shared out equally.
        """
        if batch % self.size:
            raise UserError(
                f"budget.batch={batch} cannot be shared by {self.size} processes alike; "
                f"take budget.batch={self.size * max(1, round(batch / self.size))} or another number of processes"
            )
        return batch // self.size

    def seed(self, seed: int, step: int) -> int:
        """The seed of this process's random numbers from `step` on, unlike that of any other rank, size or step."""
        digest = hashlib.sha256(repr((seed, self.size, self.rank, step)).encode()).digest()
        return int.from_bytes(digest[:7], "big")

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Puts the mean over all processes in the place of each tensor.

        One message: the network's 123 k weights would fill one bucket of DistributedDataParallel, which then sends
        the same message at the same time, after the last gradient, and needs a second, wrapped model for it.
        """
        if self.size > 1:
            tensors = list(tensors)
            flat = torch.cat([tensor.flatten() for tensor in tensors])
            with _unless_another_ended():
                dist.all_reduce(flat)
            flat /= self.size
            for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(mean.view(tensor.shape))

    def largest(self, *numbers: int) -> list[int]:
        """The largest of each number over all processes, on which all then agree; also a place where all meet."""
        if self.size == 1:
            return list(numbers)
        largest = torch.tensor(numbers)
        with _unless_another_ended():
            dist.all_reduce(largest, dist.ReduceOp.MAX)
        return largest.tolist()

    def gathered(self, value: Value) -> list[Value]:
        """The plain values or CPU tensors of all processes, by rank."""
        values = [value] * self.size
        if self.size > 1:
            with _unless_another_ended():
                dist.all_gather_object(values, value)
        return values

    def from_first(self, make: Callable[[], Value]) -> Value:
        """What `make` gives in the first process, for all: plain values and tensors, which come to the others' CPU."""
        if self.size == 1:
            return make()
        buffer = io.BytesIO()
        if self.first:
            torch.save(make(), buffer)
        message = [buffer.getvalue()]
        with _unless_another_ended():
            dist.broadcast_object_list(message)
        return torch.load(io.BytesIO(message[0]), weights_only=True, map_location="cpu")

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process goes through alone and makes the files that the others, after it, find."""
        if not self.first:
            self.largest(0)
        yield
        if self.first:
            self.largest(0)

    def leave_to(self, rank: int) -> None:
        """Lets process `rank` go on, to report why it ends; the others wait for its end and follow."""
        if self.rank != rank:
            self.largest(0)
            raise Elsewhere


ALONE = World()


@contextmanager
def joined() -> Iterator[World]:
    """All processes of this torchrun; their first one ends last, or on an error each as it can."""
    size = int(os.environ["WORLD_SIZE"]) if dist.is_torchelastic_launched() else 1
    if size == 1:
        yield ALONE
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    world = World(dist.get_rank(), size)
    yield world  # after an error the messages under way are not waited for: the group ends with the process
    world.largest(0)
    dist.destroy_process_group()


@contextmanager
def _unless_another_ended() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # gloo: the connection is closed
        raise Elsewhere from error
