import csv
import http.server
import json
import math
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import rich
import running
import torch
import wandb
import yaml
from PIL import Image
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.sdk.launch.sweeps import utils as wandb_sweeps

from heatmap_research.metrics.ellipses import FIGURES
from heatmap_research.runs.store import RunStore
from heatmap_research.training import telling
from heatmap_research.training.callbacks.pictures import FIRST_SECONDS, Pictures
from heatmap_research.training.callbacks.progress import Bar, Lines
from heatmap_research.training.loggers import tensorboard
from heatmap_research.training.loggers.wandb import refuse_unreachable
from heatmap_research.types import IncompatibleError, Sample

FEW = (
    *running.SMOKE,
    "trainer.max_steps=2",
    "trainer.log_every_n_steps=1",
    "decoder=[argmax,dark]",
)
ARMS, SIGMAS = ("ce_2d", "simcc"), (2, 4)
KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def sweep(folder: Path) -> Path:
    """Four jobs, one after the other in one process; nobody asked for csv."""
    grid = (f"arm={','.join(ARMS)}", f"sigma={','.join(map(str, SIGMAS))}")
    place = folder / "logged"
    where = f"hydra.sweep.dir={place}"
    running.succeed("train", "-m", *grid, "logger=[wandb,tensorboard]", *FEW, where, cwd=folder)
    return place


def jobs(sweep):
    return sorted(file.parent for file in sweep.glob("*/run.json"))


def wandb_runs(job):
    """Their folders, in the order of time."""
    return sorted(job.glob("wandb/offline-run-*"))


def records(folder):
    """By type, as wandb's own tool reads them from its file."""
    line = [running.SCRIPTS / "wandb", "leet", "inspect", "--json", folder]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    found = defaultdict(list)
    for record in map(json.loads, done.stdout.splitlines()):
        found[record["type"]].append(record[record["type"]])
    return found


@pytest.fixture(scope="module")
def logged(sweep: Path) -> dict[Path, dict[str, list]]:
    return {job: records(*wandb_runs(job)) for job in jobs(sweep)}


def history(found, name):
    return [item["item"][name] for item in found["history"] if name in item["item"]]


def ended(found):
    return [exit.get("exit_code") for exit in found["exit"]]


def a(kind, **facts):
    """Nothing but these facts."""
    made = Mock(spec=kind)
    for name, value in facts.items():
        setattr(made, name, value)
    return made


# wandb


def test_each_job_of_a_process_is_a_run_of_its_own_in_the_group_of_the_sweep(sweep, logged):
    told = [found["run"][0] for found in logged.values()]
    assert len({run["run_id"] for run in told}) == len(ARMS) * len(SIGMAS)
    assert {run["run_group"] for run in told} == {sweep.name}
    begun = {" ".join(run["display_name"].split()[:2]) for run in told}
    assert begun == {f"{arm} sigma={sigma}" for arm in ARMS for sigma in SIGMAS}
    assert [ended(found) for found in logged.values()] == [[0]] * len(told)


def test_a_config_is_logged_as_it_is_nested_with_what_runs_are_grouped_by(logged):
    for job, found in logged.items():
        config = {}
        for record in [found["run"][0].get("config", {}), *found["config"]]:
            config |= record.get("update", {})
        record = RunStore(job).read()
        assert config["head"] == record["config"]["head"]
        assert config["data"]["figures"] == record["config"]["data"]["figures"]
        assert config["arm"] == record["choices"]["arm"]
        assert config["parameters"] == record["parameters"]
        assert config["sigma"] in SIGMAS


def test_wandb_is_told_the_metrics_of_every_decoder(logged):
    for job, found in logged.items():
        for stage, decoders in RunStore(job).read()["metrics"].items():
            for decoder, metrics in decoders.items():
                last = history(found, f"{stage}/{decoder}/pixel_error")[-1]
                assert last == pytest.approx(metrics["pixel_error"], rel=1e-6)


def test_wandb_is_told_how_training_goes(logged):
    for found in logged.values():
        for name in ("lr", "train/loss", "train/images_per_second"):
            assert len(history(found, name)) == 2, name
        assert len(history(found, "val/dark/pixel_error")) == 2  # of an epoch, and in the end


@pytest.mark.parametrize("name", ["val/samples", "val/errors"])
def test_wandb_is_given_pictures_of_the_validation(name, logged):
    for job, found in logged.items():
        files = history(found, f"{name}.filenames")[-1]
        with Image.open(wandb_runs(job)[0] / "files" / files[0]) as picture:
            assert picture.width == history(found, f"{name}.width")[-1] > 400
            assert len(picture.convert("RGB").getcolors(2**24)) > 20


def test_the_samples_that_are_shown_are_the_same_in_every_run_of_a_study():
    data = list(range(50))
    module = SimpleNamespace(dataset=lambda stage: data, collate=_sample)
    there = a(Trainer, datamodule=module)
    first, again = (_pictures(images=3)._batch(there).instance_id.tolist() for _ in range(2))
    assert first == again
    assert len(set(first)) == 3


def _sample(numbers):
    n = len(numbers)
    facts = dict.fromkeys(Sample._fields, torch.zeros(n))
    image = torch.zeros(n, 3, 4, 4, dtype=torch.uint8)
    return Sample(**facts | {"image": image, "instance_id": torch.tensor(numbers)})


def _pictures(images=4, every=1, share=0.01):
    return Pictures(images, every, share, seed=0)


def test_pictures_change_nothing_of_a_training(sweep, folder):
    plain = running.train(folder / "plain", "arm=ce_2d", "sigma=2", *FEW)
    job = next(job for job in jobs(sweep) if _is(job, "ce_2d", 2))
    running.assert_same_weights(plain, job)
    assert running.metrics(plain) == running.metrics(job)
    assert RunStore(plain).read()["config_hash"] == RunStore(job).read()["config_hash"]


def _is(job, arm, sigma):
    record = RunStore(job).read()
    return record["choices"]["arm"] == arm and record["config"]["sigma"] == sigma


def test_pictures_take_no_more_than_their_share_of_a_fit():
    """They are guessed to take a second; then a hundred are to pass before the first."""
    pictures = _pictures(every=2)
    fitting = a(Trainer, state=SimpleNamespace(fn=TrainerFn.FITTING))
    pictures.began = time.monotonic() - 90 * FIRST_SECONDS
    assert not any(pictures._is_time(fitting) for _ in range(4))
    pictures.began = time.monotonic() - 110 * FIRST_SECONDS
    assert [pictures._is_time(fitting) for _ in range(4)] == [False, True, False, True]
    pictures.spent, pictures.last = 0.6, 0.6
    assert not any(pictures._is_time(fitting) for _ in range(4))
    done = a(Trainer, state=SimpleNamespace(fn=TrainerFn.VALIDATING))
    assert pictures._is_time(done)


def test_a_run_that_fails_is_ended_as_failed(folder):
    run = folder / "failing"
    lost = ("optimizer.lr=1e30", "optimizer=sgd", "logger=wandb", f"hydra.run.dir={run}")
    done = running.command("train", *FEW, *lost, cwd=folder)
    assert done.status != 0
    assert ended(records(*wandb_runs(run))) == [1]


def test_a_run_that_is_gone_on_with_is_still_the_same_one(folder, tmp_path):
    (tmp_path / "callback").mkdir()
    stop = f"stop:\n  _target_: running.SignalAt\n  batch: 3\n  number: {int(signal.SIGINT)}\n"
    (tmp_path / "callback" / "stop.yaml").write_text(stop)
    run = folder / "stopped"
    where = ("--config-dir", str(tmp_path), f"hydra.run.dir={run}", "callback=[last,stop]")
    options = (*FEW, "trainer.max_steps=6", "data.batch_size=8", "logger=wandb")
    assert running.command("train", *where, *options, cwd=folder).status == 130
    again = (f"resume={run}", "callback.stop.batch=-1")
    running.succeed("train", *again, cwd=folder)
    first, second = (records(each) for each in wandb_runs(run))
    assert (ended(first), ended(second)) == ([1], [0])
    for fact in ("run_id", "display_name"):
        assert first["run"][0][fact] == second["run"][0][fact]


# Always and elsewhere


def test_the_curves_are_in_metrics_csv_whatever_else_is_logged_to(sweep):
    for job in jobs(sweep):
        with (job / "metrics.csv").open(newline="") as file:
            assert {"train/loss", "val/argmax/pixel_error"} <= set(next(csv.reader(file)))


def test_tensorboard_reads_the_same_figures_and_pictures(sweep):
    for job in jobs(sweep):
        found = EventAccumulator(str(job / "tensorboard"), {"images": 0, "scalars": 0})
        found.Reload()
        for stage, decoders in RunStore(job).read()["metrics"].items():
            for decoder, metrics in decoders.items():
                last = found.Scalars(f"{stage}/{decoder}/pixel_error")[-1].value
                assert last == pytest.approx(metrics["pixel_error"], rel=1e-6)
        assert {"lr", "train/loss", "train/images_per_second"} <= set(found.Tags()["scalars"])
        assert {"val/samples", "val/errors"} <= set(found.Tags()["images"])
        assert found.Images("val/samples")[-1].encoded_image_string.startswith(b"\x89PNG")


def test_tensorboard_that_is_not_installed_is_asked_for_in_a_line(monkeypatch, tmp_path):
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(IncompatibleError, match=r"pip install .*tensorboard") as refusal:
        tensorboard.TensorBoard(str(tmp_path))
    assert "\n" not in str(refusal.value)


# Without a key or a network


@pytest.fixture
def server(monkeypatch):
    """wandb's, as far as this process can tell."""

    def at(port: int, key: str | None = KEY) -> None:
        wandb.teardown()  # it read the environment once
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("NETRC", "/nowhere")
        monkeypatch.delenv("WANDB_API_KEY", raising=False)
        if key:
            monkeypatch.setenv("WANDB_API_KEY", key)

    yield at
    wandb.teardown()


def refusal(patience):
    began = time.monotonic()
    with pytest.raises(IncompatibleError) as refused:
        refuse_unreachable(patience)
    assert "\n" not in str(refused.value)
    assert "logger=wandb," in str(refused.value)
    return str(refused.value), time.monotonic() - began


def test_a_port_that_refuses_is_reported_at_once(server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        server(taken.getsockname()[1])
        words, seconds = refusal(patience=30)
    assert "no connection" in words
    assert seconds < 10


def test_a_server_that_never_answers_is_not_waited_for(server):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        server(silent.getsockname()[1])
        words, seconds = refusal(patience=1)
    assert "no answer in 1 s" in words
    assert 1 <= seconds < 5


@pytest.fixture
def stranger():
    """A server that knows nobody."""
    served = http.server.HTTPServer(("127.0.0.1", 0), _Stranger)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served.server_port
    served.shutdown()


class _Stranger(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(401)
        self.end_headers()

    def log_message(self, *words):
        pass


def test_a_missing_key_is_reported_and_no_prompt_waits(server, stranger):
    server(stranger, key=None)
    words, _ = refusal(patience=10)
    assert "no API key" in words
    assert "wandb login" in words


def test_a_key_the_server_does_not_know_is_reported_without_saying_it(server, stranger):
    server(stranger)
    words, seconds = refusal(patience=10)
    assert "cannot be used" in words
    assert KEY not in words
    assert seconds < 15


def test_a_run_that_cannot_log_online_never_begins_and_keeps_no_secret(folder):
    run = folder / "online"
    away = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": KEY}
    line = (*FEW, "logger=wandb_online", f"hydra.run.dir={run}")
    done = running.script("train", *line, cwd=folder, environment=away)
    assert done.status == 1
    assert done.err.startswith("heatmap-train: logger=wandb_online: http://127.0.0.1:9 ")
    assert done.err.count("\n") == 1
    assert not (run / "run.json").exists()
    for file in run.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()


# Sweeps and workspaces of wandb

SWEEP = running.ROOT / "experiments" / "wandb_sweep.yaml"


def test_what_a_wandb_sweep_makes_best_is_the_decoder_best_on_val_of_every_arm(logged):
    followed = yaml.safe_load(SWEEP.read_text())["metric"]["name"]
    for job, found in logged.items():
        on_val = RunStore(job).read()["metrics"]["val"]
        best = min(figures["pixel_error"] for figures in on_val.values())
        assert history(found, followed) == [pytest.approx(best)]


@pytest.mark.parametrize("arm", ARMS)
def test_what_a_wandb_agent_would_run_is_a_config(arm):
    sweep = yaml.safe_load(SWEEP.read_text())
    for name, node in sweep["parameters"].items():
        assert name in running.compose() or name in running.groups()
        assert len(node["values"]) > 1
    given = {"arm": {"value": arm}, "sigma": {"value": 8}, "seed": {"value": 2}}
    made = wandb_sweeps.create_sweep_command_args({"args": given})["args_no_hyphens"]
    command = wandb_sweeps.create_sweep_command(sweep["command"])
    replaced = {"${env}": ["/usr/bin/env"], "${args_no_hyphens}": made}  # as the agent does
    words = [word for part in command for word in replaced.get(part, [part])]
    assert words[:2] == ["/usr/bin/env", "heatmap-train"]
    cfg = running.compose(*words[2:])
    assert (cfg.sigma, cfg.seed, cfg.logger.wandb.offline) == (8, 2, False)
    assert cfg.head == running.compose(f"arm={arm}").head


def test_a_study_has_a_workspace_that_shows_what_its_runs_log(logged):
    pytest.importorskip("wandb_workspaces")
    script = running.ROOT / "experiments" / "workspace.py"
    line = [sys.executable, script, "sigma", "--entity", "me", "--dry-run"]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=120)
    spec = json.loads(done.stdout)["spec"]["section"]
    wanted = [{"key": {"section": "run", "name": "group"}, "op": "=", "value": "sigma"}]
    chosen = spec["runSets"][0]["filters"]["filters"]
    assert [{k: each[k] for k in wanted[0]} for each in chosen] == wanted
    assert spec["runSets"][0]["grouping"] == [{"section": "config", "name": "arm.value"}]
    panels = [p["config"] for each in spec["panelBankConfig"]["sections"] for p in each["panels"]]
    shown = {
        name for panel in panels for name in panel.get("metrics") or panel.get("mediaKeys", [])
    }
    found = next(iter(logged.values()))
    known = {name for item in found["history"] for name in item["item"]}
    assert shown <= known | {name.removesuffix(".filenames") for name in known}
    assert len(shown) > 8


# Progress


def trainer(step, steps, error=None):
    measured = {} if error is None else {"val/dark/pixel_error": torch.tensor(error)}
    return a(Trainer, global_step=step, estimated_stepping_batches=steps, callback_metrics=measured)


def step_by_step(report, shown=lambda: None):
    """Ten steps a second apart, of thirty; then the end."""
    task = a(LightningModule)
    report.on_train_start(trainer(0, 30), task)
    for step in range(1, 11):
        report.began, report.last = report.began - 1, report.last - 1
        loss = {"loss": torch.tensor(1 / step)}
        report.on_train_batch_end(trainer(step, 30, 4.5), task, loss, None, 0)
        shown()
    report.on_train_batch_end(trainer(30, 30, 4.5), task, {"loss": torch.tensor(0.01)}, None, 0)
    report.on_train_end(trainer(30, 30, 1.25), task)


def test_lines_say_how_far_how_well_how_fast_and_how_long_still(caplog):
    caplog.set_level("INFO")
    step_by_step(Lines(10, "val/dark/pixel_error"))
    far, end = caplog.messages
    assert far == "  step 10/30  loss 0.1000  val/dark/pixel_error 4.500  1.0 steps/s  20 s left"
    assert end.startswith(
        "  step 30/30  loss 0.0100  val/dark/pixel_error 1.250  3.0 steps/s  done"
    )


@pytest.mark.parametrize(("file", "words"), [("b.json", "test (is val) AP"), ("c.json", "test AP")])
def test_the_last_line_says_where_test_is_val(caplog, tmp_path, file, words):
    caplog.set_level("INFO")
    store = RunStore(tmp_path)
    data = {"val": {"annotations": "b.json"}, "test": {"annotations": file}}
    store.update(config={"data": data}, seconds=1.0)
    figures = {"dark": {"AP": 0.5}}
    telling.report({"val": figures, "test": figures}, ["AP"], [], store, sweep=False)
    assert caplog.messages[-1].splitlines()[:2] == [
        "  val AP: dark 0.500",
        f"  {words}: dark 0.500",
    ]


def test_answers_without_a_covariance_have_no_rows_of_ellipses_but_a_sentence(caplog, tmp_path):
    caplog.set_level("INFO")
    line = ("image_size=[32,32]", "metric=[pixel_error,ellipses]", "decoder=[coordinates]")
    task = running.build(running.compose_as_is(*line, "arm=regression"))
    assert task.first_figures == ["pixel_error"]
    of_spreads = running.build(running.compose_as_is(*line, "arm=rle"))
    assert of_spreads.first_figures[1:] == list(FIGURES)
    assert of_spreads.beyond_reach == []
    store = RunStore(tmp_path)
    store.update(config={})
    found = {"val": {"coordinates": {"pixel_error": 1.5, "within_68": math.nan}}}
    telling.report(found, task.first_figures, [], store, False, task.beyond_reach)
    assert caplog.messages[-1].splitlines()[:2] == [
        "  val pixel_error: coordinates 1.500",
        "  ellipses: n/a, as coordinates without a spread have no covariance",
    ]


def test_lines_of_a_sweep_leave_a_short_job_to_its_report(caplog):
    caplog.set_level("INFO")
    step_by_step(Lines(600, "val/dark/pixel_error"))
    assert caplog.messages == []


def test_a_bar_shows_steps_loss_and_error_and_stays_with_the_last(monkeypatch):
    written = StringIO()
    console = rich.console.Console(file=written, force_terminal=True, width=120)
    monkeypatch.setattr("rich.progress.get_console", lambda: console)
    bar = Bar(1, "val/dark/pixel_error")
    step_by_step(bar, lambda: bar.bar.refresh())
    assert "10/30" in written.getvalue()
    assert "loss 0.1000  val/dark/pixel_error 4.500" in written.getvalue()
    last = written.getvalue().strip().splitlines()[-2]  # then the cursor comes back
    assert "30/30" in last
    assert "loss 0.0100  val/dark/pixel_error 1.250" in last
