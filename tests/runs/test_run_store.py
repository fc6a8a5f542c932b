import ast
import csv
import json
import math
import re

import pyarrow as pa
import pytest
import running
from omegaconf import OmegaConf

from heatmap_research.runs.record import config_hash
from heatmap_research.runs.store import PREDICTIONS, RunStore
from heatmap_research.types import IncompatibleError

SAME_EXPERIMENT = (
    "output_dir=/elsewhere",
    "logger=[wandb]",
    "trainer.devices=4",
    "trainer.accelerator=gpu",
    "trainer.strategy=ddp",
    "data.cache=/elsewhere",
    "data.workers=3",
    "resume=/some/run",
)
ANOTHER_EXPERIMENT = (
    "sigma=3",
    "stride=8",
    "seed=1",
    "image_size=[128,128]",
    "optimizer.lr=0.5",
    "data.batch_size=16",
    "data.occlusion=0.1",
    "trainer.max_steps=7",
    "trainer.precision=bf16-mixed",
    "loss=cross_entropy",
    "backbone.frozen=true",
    "ema=0.9",
)


def hash_of(*overrides):
    return config_hash(OmegaConf.to_container(running.compose(*overrides), resolve=True))


@pytest.mark.parametrize("override", SAME_EXPERIMENT)
def test_where_and_on_what_a_run_happens_does_not_name_it(override):
    assert hash_of(override) == hash_of()


@pytest.mark.parametrize("override", ANOTHER_EXPERIMENT)
def test_what_changes_the_outcome_names_a_run(override):
    assert hash_of(override) != hash_of()


def test_a_name_does_not_depend_on_the_order_of_keys():
    assert config_hash({"a": 1, "b": {"c": 2, "d": 3}}) == config_hash(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_facts_are_added_to_those_that_are_known(tmp_path):
    store = RunStore(tmp_path)
    store.update(status="running", seed=3)
    store.update(status="finished", seconds=1.5)
    assert store.read() == {"version": 1, "status": "finished", "seed": 3, "seconds": 1.5}


def test_what_is_not_a_number_becomes_null(tmp_path):
    store = RunStore(tmp_path)
    store.update(metrics={"val": {"argmax": {"error": math.nan, "other": [1.0, math.inf]}}})
    found = json.loads(store.record.read_text(), parse_constant=pytest.fail)
    assert found["metrics"]["val"]["argmax"] == {"error": None, "other": [1.0, None]}


def test_a_record_that_cannot_be_written_leaves_the_old_one_whole(tmp_path):
    store = RunStore(tmp_path)
    store.update(status="running")
    with pytest.raises(TypeError):
        store.update(status=object())
    assert store.read() == {"version": 1, "status": "running"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *[('{"version": 1, "sta', "line 1"), ("[]", "no record of a run"), ("{}", "lacks choices")],
        *[("[" * 100_000, "recursion depth"), ("1" * 5000, "4300 digits"), ("\udcff", "decode")],
        *[('{"config": null}', "its config is not what"), ('{"decoders": [[1]]}', "its decoders")],
    ],
)
def test_a_damaged_record_is_refused_in_a_line(text, why, tmp_path):
    (tmp_path / "run.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(IncompatibleError, match=r"run=.*: its run\.json cannot be read") as refused:
        RunStore(tmp_path).read("choices")
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_without_a_record_is_refused_in_a_line(tmp_path):
    with pytest.raises(IncompatibleError, match=r"there is no run\.json"):
        RunStore(tmp_path).read()


def damaged(tmp_path):
    """The folder of a run, as far as commands look into it before they read its record."""
    folder = tmp_path / "run"
    for name in (".hydra", "checkpoints"):
        (folder / name).mkdir(parents=True)
    OmegaConf.save(running.compose(f"output_dir={folder}"), folder / ".hydra" / "config.yaml")
    for name in ("checkpoints/last.ckpt", "predictions.parquet"):
        (folder / name).touch()
    (folder / "run.json").write_text('{"version": 1, "status": "fini')
    return folder


@pytest.mark.parametrize("command", ["ceiling", "evaluate", "budget", "train"])
def test_commands_on_a_run_with_a_damaged_record_say_so_in_a_line(command, tmp_path):
    folder = damaged(tmp_path)
    (folder / "evaluate" / "budget").mkdir(parents=True)  # of an earlier budget
    key = "resume" if command == "train" else "run"
    done = running.command(command, f"{key}={folder}", cwd=tmp_path)
    assert done.status == 1
    assert done.err.startswith(f"heatmap-{command}: run={folder}: its run.json cannot be read")
    assert len(done.err.splitlines()) == 1
    assert [item.name for item in (folder / "evaluate").iterdir()] == ["budget"]


def rows(*keys, x=0.0):
    """One per (stage, instance, joint, decoder)."""
    columns = {name: [0] * len(keys) for name in PREDICTIONS.names}
    columns |= {"flip_test": [False] * len(keys), "x": [x] * len(keys)}
    for place, name in enumerate(("stage", "instance", "joint", "decoder")):
        columns[name] = [key[place] for key in keys]
    columns["image"] = columns["instance"]
    return pa.table(columns).cast(PREDICTIONS)


def found(store):
    table = store.read_predictions()
    names = ("stage", "instance", "joint", "decoder", "x")
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_predictions_of_a_stage_replace_those_of_the_same_stage_only(tmp_path):
    store = RunStore(tmp_path)
    store.write_predictions(rows(("val", 1, 0, "argmax"), x=1.0))
    store.write_predictions(rows(("test", 1, 0, "argmax"), x=2.0))
    store.write_predictions(rows(("val", 1, 0, "dark"), ("val", 2, 0, "dark"), x=3.0))
    assert sorted(found(store)) == [
        ("test", 1, 0, "argmax", 2.0),
        ("val", 1, 0, "dark", 3.0),
        ("val", 2, 0, "dark", 3.0),
    ]


def test_of_an_instance_that_came_twice_the_first_row_is_kept(tmp_path):
    store = RunStore(tmp_path)
    key, other = ("val", 1, 0, "argmax"), ("val", 1, 1, "argmax")
    store.write_predictions(pa.concat_tables([rows(key, x=1.0), rows(key, x=2.0), rows(other)]))
    assert found(store) == [(*key, 1.0), (*other, 0.0)]


def test_predictions_keep_their_columns_and_types(tmp_path):
    store = RunStore(tmp_path)
    store.write_predictions(rows(("val", 1, 0, "argmax")))
    store.write_predictions(rows(("test", 1, 0, "argmax")))
    assert store.read_predictions().schema.names == PREDICTIONS.names
    assert store.read_predictions().schema.field("visible").type == pa.int8()


def write_csv(store, *records):
    with (store.folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(n for r in records for n in r)))
        writer.writeheader()
        writer.writerows(records)


def read_csv(store):
    with (store.folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


def test_rows_from_before_are_kept_up_to_where_training_went_on(tmp_path):
    store = RunStore(tmp_path)
    old = [{"step": str(step), "loss": "old"} for step in (10, 20, 30)]
    new = [{"step": str(step), "loss": "new", "lr": "1"} for step in (20, 30, 40)]
    write_csv(store, *old)
    with store.continued_metrics():
        (tmp_path / "metrics.csv").unlink()  # as a logger does that starts anew
        write_csv(store, *new)
    assert read_csv(store) == [old[0], *new]


def test_rows_from_before_are_kept_when_training_fails(tmp_path):
    store = RunStore(tmp_path)
    write_csv(store, {"step": "10", "loss": "old"})

    def fail():
        (tmp_path / "metrics.csv").unlink()
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"), store.continued_metrics():
        fail()
    assert read_csv(store) == [{"step": "10", "loss": "old"}]


def test_rows_from_before_outlast_trainings_that_are_killed_as_they_go_on(tmp_path):
    store, row = RunStore(tmp_path), "{},{}\n".format
    (tmp_path / "metrics.csv").write_text("step,loss\n" + row(10, "old") + row(20, "old"))
    killed = [store.continued_metrics() for _ in range(2)]
    for step, going_on in zip((20, 30), killed, strict=True):
        going_on.__enter__()  # and comes to no end
        rows = row(step, "new") + "3"  # the last is cut off
        (tmp_path / "metrics.csv").write_text("step,loss\n" + rows)
    with store.continued_metrics():
        pass
    assert [tuple(each.values()) for each in read_csv(store)] == [
        ("10", "old"),
        ("20", "new"),
        ("30", "new"),
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]


# What writes, of all that src has: files beside the old ones, which are then renamed

GUARDS = {"written", "together", "made"}  # of runs/whole_file.py
VERBS = {"write_text", "write_bytes", "savefig", "imwrite", "save_pretrained", "save_file"}
VERBS |= {"save", "savez", "savez_compressed", "savetxt", "write_table", "to_csv", "tofile"}
VERBS |= {"copy2", "copyfile", "copytree", "VideoWriter", "extractall", "quantize_static"}
OURS = {"style", "yaml_file"}  # whose `save` has a guard of its own
OTHERWISE = {
    "into memory": ["analysis/page/drawings.py svg", "analysis/page/drawings.py png"],
    "into memory, and from there by a guard": ["training/checkpoints.py save_checkpoint"],
    "into the part that a guard of jobs/export_steps.py or export_quantised.py has given": [
        *("inference/graph.py write_onnx", "inference/graph.py write_torch"),
        *("inference/graph.py say", "inference/quantised.py to_integers"),
    ],
    "into the part that `_make` has given": ["data/crop_cache.py _write"],
    "into the folder that `convert` has given": ["data/converters/shards.py _pack"],
    "a device or a pipe, such as /dev/stdout": ["runs/whole_file.py write"],
    "an empty file to lock": [
        *("data/crop_cache.py load", "runs/sweep.py claimed", "jobs/tune/studies.py opened"),
    ],
    "a new folder, of what also stays where it is": ["runs/sweep.py shelve"],
    "into a folder for temporary files": [
        *("jobs/bench/evaluation.py rows", "jobs/bench/data.py draw_images"),
        "jobs/bench/data.py annotate",
    ],
}


def test_every_writer_of_src_writes_beside_the_old_file(tmp_path):
    """A new one stands in a `with` of a guard, or in OTHERWISE with its reason."""
    package = running.ROOT / "src" / "heatmap_research"
    found = {name for file in package.rglob("*.py") for name in unguarded(file, package)}
    assert found == {name for names in OTHERWISE.values() for name in names}
    sample = tmp_path / "sample.py"
    for line in ('open(f, "w")', 'f.open(mode="ab")', "np.save(f, x)", "f.write_text(x)"):
        sample.write_text(f"def writes(f, x):\n    {line}\n")
        assert list(unguarded(sample, tmp_path)) == ["sample.py writes"], line
    sample.write_text(
        'def writes(f):\n    with written(f) as part, part.open("w"):\n        pass\n'
    )
    assert not list(unguarded(sample, tmp_path))


def unguarded(file, package):
    """The functions of a file that write, each as often as it does so without a guard."""

    def look(node, function, guarded):
        if isinstance(node, ast.FunctionDef):
            function = node.name
        if isinstance(node, ast.With):
            for item in node.items:
                yield from look(item, function, guarded)
                guarded = guarded or called(item.context_expr) in GUARDS
            children = node.body
        else:
            children = ast.iter_child_nodes(node)
        if isinstance(node, ast.Call) and not guarded and writes(node):
            yield f"{file.relative_to(package)} {function}"
        for child in children:
            yield from look(child, function, guarded)

    yield from look(ast.parse(file.read_text()), "", False)


def called(node):
    function = getattr(node, "func", None)
    return getattr(function, "attr", getattr(function, "id", None))


def writes(call):
    name, words = called(call), [*call.args, *(word.value for word in call.keywords)]
    if name == "open":
        modes = (word.value for word in words if isinstance(word, ast.Constant))
        return any(re.fullmatch("(?=.*[wax+])[rwaxbt+]+", str(mode)) for mode in modes)
    module = getattr(getattr(call.func, "value", None), "id", "yaml_file")  # its own calls, too
    return name in VERBS and (name != "save" or module not in OURS)


def test_a_run_in_a_used_folder_inherits_no_evaluation_of_the_weights_that_were_there(tmp_path):
    store = RunStore(tmp_path)
    budget = tmp_path / "evaluate" / "budget" / "budget.json"
    budget.parent.mkdir(parents=True)
    budget.write_text("{}")
    store.update(status="finished")
    store.clear()
    assert not budget.exists()
    assert not store.record.exists()
