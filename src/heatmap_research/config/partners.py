"""Further processes that work on the same study, so that every core of a laptop does.

Of small networks one process a core does more than one process on all cores. Each job is done by
one of them, as where the same command is given twice (`runs/sweep.py`).
"""

import atexit
import os
import signal
import subprocess
import sys

from omegaconf import DictConfig

GIGABYTES = 4  # of memory, for each process
THREADS = "OMP_NUM_THREADS"
PARTNER = "HEATMAP_PARTNER"  # set in the environment of those that were started here
ALONE = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"

_started: list[subprocess.Popen[bytes]] = []
_command: list[str] = []  # what this process was started as


def is_partner() -> bool:
    return PARTNER in os.environ


def may_help(command: str) -> None:
    """Says which command this process is: only trainings have partners."""
    _command[:] = [command]


def start(config: DictConfig) -> None:
    """Starts what a study on CPUs has room for; none where threads or a launcher were chosen."""
    number = room() - 1
    plain = config.hydra.launcher._target_ == ALONE and config.trainer.accelerator == "cpu"
    if (
        _command != ["train"]
        or not (config.study and plain)
        or THREADS in os.environ
        or is_partner()
        or number < 1
    ):
        return
    os.environ[THREADS] = "1"
    own = {k: v for k, v in os.environ.items() if k != "HYDRA_FULL_ERROR"} | {PARTNER: "1"}
    command = [sys.executable, "-m", "heatmap_research.commands.train", *sys.argv[1:]]
    for _ in range(number):  # out of the reach of a Ctrl-C, which is handed on
        _started.append(subprocess.Popen(command, env=own, process_group=0))
    atexit.register(_stop)
    print(f"{number + 1} processes work on study {config.study} ({THREADS}=N: one alone)")


def wait() -> None:
    """Until partners, too, have done their jobs."""
    for partner in _started:
        partner.wait()


def _stop() -> None:
    """Stops what still runs as this process ends, as an interrupt does: after a step, saved."""
    for partner in _started:
        if partner.poll() is None:
            partner.send_signal(signal.SIGINT)
            partner.wait()


def room() -> int:
    """How many processes there are cores and memory for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(cores or 1, memory // (GIGABYTES << 30))
