"""Several processes of one run: of one machine, of two nodes, and after an interruption."""

import json
import math
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import people
import pytest
import running

from heatmap_research.runs.find import find
from heatmap_research.runs.store import RunStore

pytestmark = pytest.mark.slow
PEOPLE = 19  # no multiple of 2 or 4
STEPS, EPOCH = 10, 4  # of two processes: 19 people are four batches of two each
MINUTES = 20
PATHS = ":".join(str(running.ROOT / name) for name in ("src", "tests"))
OWN = {"HEATMAP_TRUST": "running", "PYTHONPATH": PATHS}
DDP = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.precision=32-true")
DDP += ("trainer.log_every_n_steps=1", "data.batch_size=2", "--config-dir=conf")

CALLBACKS = {
    "shown": {"_target_": "running.Shown"},
    "told": {"_target_": "running.SignalAt", "batch": 6, "number": int(signal.SIGTERM)},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Where a set in shards lies, and the runs of this module."""
    place = tmp_path_factory.mktemp("processes")
    file = people.write(place / "set", images=PEOPLE)
    running.succeed(
        "data", "shard", str(file), "--images", str(file.parent), "--out", "packed", cwd=place
    )
    for name, node in CALLBACKS.items():
        config = place / "conf" / "callback" / f"{name}.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(f"{name}: {json.dumps(node)}\n")
    return place


def line(place: Path, *others: str) -> tuple[str, ...]:
    packed = (f"data.{stage}.images={place / 'packed'}" for stage in ("train", "val"))
    return (
        *people.options(place / "set" / "people.json"),
        *packed,
        *DDP,
        "callback=[last,shown]",
        *others,
    )


def train(place: Path, *words: str) -> running.Finished:
    return running.script("train", *words, cwd=place, environment=OWN, timeout=60 * MINUTES)


@pytest.fixture(scope="module")
def two(place) -> Path:
    """A run of two processes, each with two that read, to which nothing happens."""
    words = ("trainer.devices=2", "data.workers=2", f"trainer.max_steps={STEPS}", "name=two")
    done = train(place, *line(place, *words))
    assert done.status == 0, done.out + done.err
    return place / "outputs" / "two"


def test_four_processes_count_each_person_once_and_have_the_figures_of_one(place):
    """To the last bit of a place, where both evaluate one person at a time."""
    alone = ["evaluate=[val]", "data.batch_size=1"]
    words = ("trainer.devices=4", "trainer.max_steps=3", f"+also.alone={alone}", "name=four")
    done = train(place, *line(place, *words))
    assert done.status == 0, done.out + done.err
    run = place / "outputs" / "four"
    first = [i for each in running.shown(run) for step in (1, 2) for i in each[step]]
    assert len(first) == len(set(first)) == 16  # an epoch is two steps of four batches of two
    running.succeed("evaluate", f"run={run}", "name=one", "trainer=cpu", *alone, cwd=place)
    four, one = run / "evaluate" / "alone", run / "evaluate" / "one"
    assert by_key(four) == by_key(one)
    assert by_key(run).keys() == {(s, *key) for s in ("val", "test") for _, *key in by_key(one)}
    assert figures(four) == pytest.approx(figures(one), rel=1e-6, nan_ok=True)


def figures(run: Path) -> dict[tuple[str, str], float]:
    """Those of val by decoder and name, as a training counts them; nan where none was counted."""
    kept = running.without_ellipses(RunStore(run).read()["metrics"])["val"].items()
    named = {(decoder, name): value for decoder, each in kept for name, value in each.items()}
    return {key: math.nan if value is None else value for key, value in named.items()}


def by_key(run: Path) -> dict[tuple[str | int, ...], dict]:
    """Predictions, of which each person has one a joint, decoder and stage."""
    rows = running.predictions(run)
    found = {(r["stage"], r["decoder"], r["instance"], r["joint"]): r for r in rows}
    stages, decoders = ({row[name] for row in rows} for name in ("stage", "decoder"))
    assert len(rows) == len(found)
    assert len(rows) == len(stages) * len(decoders) * PEOPLE * len(people.JOINTS)
    return found


def by_hand(node: int, port: int) -> tuple[list[str], dict[str, str]]:
    """What starts a node as Lightning's own environment has it."""
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    return [sys.executable], own | {"NODE_RANK": str(node)}


def by_torchrun(node: int, port: int) -> tuple[list[str], dict[str, str]]:
    where = ("--nnodes=2", f"--node-rank={node}", "--nproc-per-node=1", "--master-addr=127.0.0.1")
    return [sys.executable, "-m", "torch.distributed.run", *where, f"--master-port={port}"], {}


@pytest.mark.parametrize("started", [by_hand, by_torchrun])
def test_two_nodes_are_one_run_and_that_of_two_processes(started, two, place):
    nodes, name = "trainer.num_nodes=2", started.__name__
    words = ("trainer.devices=1", nodes, "data.workers=2", f"trainer.max_steps={STEPS}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def node(number: int) -> subprocess.CompletedProcess[str]:
        command, own = started(number, port)
        command += [str(running.SCRIPTS / "heatmap-train"), *line(place, *words, f"name={name}")]
        environment = running.plain_environment() | OWN | own
        output = {"capture_output": True, "text": True, "timeout": 60 * MINUTES}
        return subprocess.run(command, cwd=place, env=environment, **output)

    with ThreadPoolExecutor(2) as both:
        done = list(both.map(node, (0, 1)))
    assert [each.returncode for each in done] == [0, 0], [each.stderr for each in done]
    run = place / "outputs" / name
    assert sorted(run.parent.glob(f"*{name}*")) == [run]
    assert [each.status for each in find(run)] == ["finished"]
    running.assert_same_weights(two, run)
    assert running.shown(run) == running.shown(two)
    assert running.predictions(run) == running.predictions(two)
    assert running.metrics(run) == running.metrics(two)
    assert RunStore(run).read()["metrics"] == RunStore(two).read()["metrics"]


def test_two_processes_go_on_within_an_epoch_with_that_epochs_images(two, place):
    """Lightning tells a sampler of its epoch only after workers have asked it for batches."""
    words = ("trainer.devices=2", "data.workers=2", f"trainer.max_steps={STEPS}", "name=told")
    stopped = train(place, *line(place, *words, "callback=[last,shown,told]"))
    assert stopped.status == 130, stopped.out + stopped.err
    run = place / "outputs" / "told"
    assert [list(each) for each in running.shown(run)] == [[1, 2, 3, 4, 5, 6]] * 2
    done = train(place, f"resume={run}")
    assert done.status == 0, done.out + done.err
    whole, parts = running.shown(two), running.shown(run)
    for each in whole:
        assert [each[step] for step in (7, 8)] != [each[step - EPOCH] for step in (7, 8)]
    assert parts == whole
    running.assert_same_weights(two, run)
    assert running.predictions(run) == running.predictions(two)
    assert running.metrics(run) == running.metrics(two)
