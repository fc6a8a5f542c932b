"""wandb: a run of its own for every job, on disk unless the network is asked for."""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from threading import Thread
from typing import Any

import requests
import wandb
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only
from wandb import env

from heatmap_research.types import IncompatibleError, in_a_line

OF_A_JOB = ("SLURM_JOB_", "SLURM_ARRAY_")  # what a scheduler calls it, which is no secret
log = logging.getLogger(__name__)


class Wandb(WandbLogger):
    """Lightning's logger, but the mode of one job is not handed on to the next by the environment.

    Keys and passwords are no business of a config: wandb finds them where `wandb login` put them.
    """

    def __init__(
        self,
        project: str,
        entity: str | None,
        save_dir: str,
        offline: bool,
        group: str | None,
        name: str | None,
        tags: Sequence[str],
        resume: str | None,  # folder of the run that goes on, if one does
        patience: float,  # seconds for the server to answer, and half as many for each first try
    ) -> None:
        _find_room_for_its_log()
        if not offline:
            refuse_unreachable(patience)
        super().__init__(
            name=name,
            save_dir=save_dir,
            project=project,
            id=earlier_id(Path(save_dir)) if resume else None,
            mode="offline" if offline else "online",
            entity=entity,
            group=group,
            tags=list(tags),
            settings=wandb.Settings(
                silent=True, init_timeout=4 * patience, finish_timeout=12 * patience
            ),
        )
        del self._wandb_init["anonymous"]  # which wandb warns of, even as None

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        fresh = self._experiment is None
        if fresh:  # of a folder that is not there it warns
            Path(self.save_dir or ".").mkdir(parents=True, exist_ok=True)
        try:
            with without_tokens():
                run = super().experiment
        except wandb.Error as error:
            raise IncompatibleError(f"logger: wandb says: {in_a_line(error)}") from error
        if fresh and not run.offline:
            log.info(f"wandb: {run.url}")
        return run


@contextmanager
def without_tokens() -> Iterator[None]:
    """wandb's own process, as it starts, writes down all that begins so; SLURM_JWT is a key."""
    names = [n for n in os.environ if n.startswith("SLURM_") and not n.startswith(OF_A_JOB)]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(kept)


def _find_room_for_its_log() -> None:
    """Without a home that can be written to, wandb's own process would print what it logs."""
    cache = Path(env.get_cache_dir())
    try:
        cache.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=cache).close()
    except OSError:
        os.environ[env.CACHE_DIR] = str(Path(gettempdir()) / f"wandb-{os.getuid()}")


@rank_zero_only
def refuse_unreachable(patience: float) -> None:
    """Says in seconds what wandb would find out in a minute and a half, in the middle of a run."""
    with without_tokens():
        _refuse_unreachable(patience)


def _refuse_unreachable(patience: float) -> None:
    url = wandb.setup(wandb.Settings(silent=True, mode="online")).settings.base_url
    try:
        _knock(url, patience)
        has_key = wandb.login(prompt=False, verify=True)
    except (wandb.Error, requests.RequestException, TimeoutError) as error:
        raise IncompatibleError(
            f"logger=wandb_online: {url} cannot be used ({in_a_line(error)}): choose logger=wandb, "
            "which writes to disk for `wandb sync` to send later."
        ) from error
    if not has_key:
        raise IncompatibleError(
            "logger=wandb_online: there is no API key: call `wandb login` once or set "
            "WANDB_API_KEY, or choose logger=wandb, which writes to disk."
        )


def _knock(url: str, patience: float) -> None:
    """Waits for any answer; in a thread, as looking up a name knows no timeout."""
    answer: Future[int] = Future()

    def ask() -> None:
        try:
            answer.set_result(requests.head(url, timeout=patience).status_code)
        except requests.RequestException as error:
            answer.set_exception(error)

    Thread(target=ask, daemon=True).start()
    try:
        answer.result(timeout=patience)
    except (requests.Timeout, TimeoutError) as error:
        raise TimeoutError(f"no answer in {patience:g} s") from error
    except requests.ConnectionError as error:
        raise TimeoutError("no connection") from error


def earlier_id(folder: Path) -> str | None:
    """The id of the run that was logged in this folder; the last, if there were several."""
    runs = sorted(folder.glob("wandb/*run-*_*-*"))  # run-DATE_TIME-ID
    return runs[-1].name.rsplit("-", 1)[1] if runs else None
