"""The processes that train one network together, started by torchrun; without torchrun, one process alone.

Each process has the whole network and draws its own patches. Gradients are averaged, so that all take the same step.
Tensors on a GPU are sent by NCCL, everything else by gloo. All processes must send the same messages in the same order.
"""

import hashlib
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

TIMEOUT = timedelta(minutes=10)  # for gradients
PATIENCE = timedelta(days=1)  # for all other messages: the first process may be packing or scoring photographs

# Parts of gloo's and NCCL's error messages for a process that has ended.
CLOSED = (
    "connection closed by peer",
    "connection reset by peer",
    "unexpectedly closed",
    "broken pipe",
    "remote process exited",
)

Value = TypeVar("Value")


class PeerProcessFailed(Exception):
    """Another process of this training has ended; that process prints the reason."""


@dataclass(frozen=True)
class World:
    """This process and the number of all processes; `rank` counts from 0.

    Attributes:
        patient: the processes, connected with a timeout of a day; None for one process alone, which sends nothing.
    """

    rank: int = 0
    size: int = 1
    patient: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this process scores, logs and writes."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """How many patches of a batch each process draws.

        Raises:
            UserError: the batch cannot be divided equally.
        """
        if batch % self.size:
            raise UserError(
                f"budget.batch={batch} cannot be divided equally among {self.size} processes; "
                f"take budget.batch={self.size * max(1, round(batch / self.size))} or another number of processes"
            )
        return batch // self.size

    def seed(self, seed: int, step: int) -> int:
        """The seed of this process's random numbers from `step` on; other ranks, sizes and steps have other seeds."""
        digest = hashlib.sha256(repr((seed, self.size, self.rank, step)).encode()).digest()
        return int.from_bytes(digest[:7], "big")

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replaces each tensor by its mean over all processes.

        One message for all tensors. DistributedDataParallel would send the same message at the same time, because the
        network's 123 k weights fit into one of its buckets; it would need a second, wrapped model.
        """
        if self.size > 1:
            tensors = list(tensors)
            flat = torch.cat([tensor.flatten() for tensor in tensors])
            with self._reported():
                dist.all_reduce(flat)
            flat /= self.size
            for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(mean.view(tensor.shape))

    def gathered(self, value: Value) -> list[Value]:
        """The plain values or CPU tensors of all processes, by rank."""
        values = [value] * self.size
        if self.size > 1:
            with self._reported():
                dist.all_gather_object(values, value, group=self.patient)
        return values

    def meet(self) -> None:
        """Waits for all processes."""
        self.gathered(None)

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Calls `make` in the first process; returns its result, plain values and CPU tensors, in all processes."""
        return self.gathered(make() if self.first else None)[0]  # pyright: ignore[reportReturnType]

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Runs the block in the first process, then in all others, which read the files that the first wrote."""
        if not self.first:
            self.meet()
        yield
        if self.first:
            self.meet()

    def leave_to(self, rank: int) -> None:
        """Lets only process `rank` continue, to report an error; the others wait until that process has ended."""
        if self.rank != rank:
            self.meet()
            raise PeerProcessFailed

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Names this process in an error of a collective, unless only the connection to another process is closed."""
        try:
            yield
        except RuntimeError as error:
            if any(words in str(error).lower() for words in CLOSED):
                raise PeerProcessFailed from error
            raise UserError(
                f"process {self.rank} of {self.size} failed to exchange data with the others: "
                f"{type(error).__name__}: {error}"
            ) from error


ALONE = World()


@contextmanager
def joined() -> Iterator[World]:
    """Connects all processes of this torchrun. The first process ends last; after an error, processes do not wait."""
    size = int(os.environ["WORLD_SIZE"]) if dist.is_torchelastic_launched() else 1
    if size == 1:
        yield ALONE
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=TIMEOUT)
    patient = dist.new_group(backend="gloo", timeout=PATIENCE)
    assert isinstance(patient, dist.ProcessGroup)
    world = World(dist.get_rank(), size, patient)
    yield world  # after an error, pending messages are not waited for: the connections close with the process
    world.meet()
    dist.destroy_process_group()
