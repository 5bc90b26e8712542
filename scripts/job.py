"""One run of a study as a job of a cluster.

It trains in a process of its own, which is started again from its checkpoint when it crashes. The job itself does not
fail, whatever becomes of the run: the launcher would no longer wait for the other jobs.
"""

import os
import signal
from multiprocessing import get_context
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from restoration.files import write_text

LOG = "job.log"  # in the run's folder, what its last start printed
FAILURE = "job_failed.txt"  # why the job gave up
STARTS = 3


def run_job(config: DictConfig, folder: Path) -> None:
    """Trains and scores the run that `config` composes; leaves LOG and, where it gave up, FAILURE in `folder`."""
    OmegaConf.resolve(config)  # its names come from Hydra, which the new process knows nothing of
    log, failure = folder / LOG, folder / FAILURE
    failure.unlink(missing_ok=True)
    for start in range(1, STARTS + 1):
        write_text(log, "")  # what is in it afterwards is of this start
        status = _status(config, log)
        if status == 0:
            return
        _, mendable, reason = f"\n{log.read_text().strip()}".rpartition("\nerror: ")
        if mendable:  # by a user; it would come again
            write_text(failure, f"{reason}\n")
            return
        if start == STARTS:
            last_line = reason.rpartition("\n")[2]
            write_text(failure, f"{last_line} (exit status {status}, started {STARTS} times; see {log})\n")


def _status(config: DictConfig, log: Path) -> int | None:
    """The exit status of the training; does not return when the time of the job is up, which SIGUSR2 announces."""
    announced = []

    def stop(number: int, frame: object) -> None:
        announced.append(number)
        training.terminate()  # it stops with a checkpoint

    training = get_context("spawn").Process(target=_train, args=(config, log), daemon=True)
    training.start()
    requeue = signal.signal(signal.SIGUSR2, stop)
    training.join()
    signal.signal(signal.SIGUSR2, requeue)
    if announced:
        signal.raise_signal(signal.SIGUSR2)  # now submitit puts the job back into the queue and ends it
    return training.exitcode


def _train(config: DictConfig, log: Path) -> None:
    # Imported here alone: the job beside the training does without PyTorch.
    from scripts.cli import clear_errors, plain_console
    from scripts.train import train_and_score

    os.setsid()  # signals to the job are the parent's to pass on
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    with clear_errors():
        train_and_score(config, plain_console())
