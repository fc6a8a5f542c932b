"""A config names the options it is made of, and never code that does something else."""

import pytest
import running
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError
from pairwise import each

from heatmap_research.config import instantiate
from heatmap_research.config.of_run import refuse_instructions
from heatmap_research.config.trusted import ASKED, OWN, guard_environment, located, without_trust
from heatmap_research.types import IncompatibleError

RUNS = "os.mkdir", "RAN"  # what is refused would make a folder
EVIL = {
    "a function": {"_target_": "os.mkdir", "path": "RAN"},
    "a string to be executed": {"_target_": "sympy.sympify", "a": "__import__('os').mkdir('RAN')"},
    "builtins": {"_target_": "builtins.eval", "_args_": ["__import__('os').mkdir('RAN')"]},
    "a partial": {"_target_": "os.mkdir", "_partial_": True, "path": "RAN"},
    "of functools": {"_target_": "functools.partial", "_args_": [RUNS]},
    "in a list": [{"fine": 1}, [{"_target_": "os.mkdir", "path": "RAN"}]],
    "as an argument": {
        "_target_": "torch.nn.ReLU",
        "inplace": {"_target_": "os.mkdir", "path": "RAN"},
    },
    "among arguments": {"_target_": "torch.nn.ReLU", "_args_": [{"_target_": "os.getcwd"}]},
    "by Hydra": {"_target_": "hydra.utils.call", "config": {"_target_": "os.getcwd"}},
    "made by Hydra": {"_target_": "hydra.utils.instantiate", "config": {"_target_": "os.getcwd"}},
    "handed over by Hydra": {"_target_": "hydra.utils.get_object", "path": "os.mkdir"},
    "a class by Hydra": {"_target_": "hydra.utils.get_class", "path": "subprocess.Popen"},
    "through torch": {"_target_": "torch.nn.functional.importlib.import_module", "name": "RAN"},
    "through us": {"_target_": "heatmap_research.data.datamodule.os.mkdir", "path": "RAN"},
    "through a method": {"_target_": "heatmap_research.types.Schema.of_lists.__func__"},
    "from the web": {"_target_": "torch.hub.load", "repo_or_dir": "a/b", "model": "c"},
    "pickles": {"_target_": "torch.load", "f": "RAN", "weights_only": False},
    "our own commands": {"_target_": "heatmap_research.runs.sweep.leave", "folder": "RAN"},
    "our own instantiate": {"_target_": "heatmap_research.config.instantiate.make", "node": {}},
    "what writes files": {"_target_": "heatmap_research.data.converters.coco_file.write"},
    "a name that begins alike": {"_target_": "torch.nnx.Linear"},
    "no name": {"_target_": ["os.mkdir"]},
    "nothing": {"_target_": ""},
    "a module that lies about": {"_target_": "lab.Option"},
}


@each(case=list(EVIL))
@each(way=[instantiate.make, instantiate.maker, instantiate.instantiate])
def test_code_that_is_no_option_is_refused_before_it_is_imported(way, case, tmp_path, monkeypatch):
    (tmp_path / "lab.py").write_text("import os; os.mkdir('RAN')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    node = OmegaConf.create({"part": EVIL[case]}).part
    with pytest.raises(IncompatibleError, match="a config may name classes of this package"):
        way(node, "part")
    assert [file.name for file in tmp_path.iterdir()] == ["lab.py"]


def test_a_name_put_together_by_interpolation_is_looked_at_as_well():
    cfg = OmegaConf.create({"a": "os", "part": {"_target_": "${a}.getcwd"}})
    with pytest.raises(IncompatibleError, match=r"part._target_=os.getcwd"):
        instantiate.make(cfg.part, "part")


def test_classes_of_the_libraries_that_options_are_made_of_may_be_named():
    for name in ("torch.nn.ReLU", "torchmetrics.MeanMetric", "torchvision.transforms.RandomInvert"):
        assert type(instantiate.make({"_target_": name}, "part")).__name__ == name.split(".")[-1]


def test_a_module_of_ones_own_is_trusted_by_name_and_nothing_beyond_it(tmp_path, monkeypatch):
    text = "import os\nclass Option:\n    pass\ndef made():\n    return Option()\n"
    (tmp_path / "lab_of_mine.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(OWN, "running")
    monkeypatch.setenv(ASKED, "")
    assert without_trust(["a=1", "trust=lab_of_mine", "b=2"]) == ["a=1", "b=2"]
    for name in ("Option", "made"):
        made = instantiate.make({"_target_": f"lab_of_mine.{name}"}, "part")
        assert type(made).__name__ == "Option"
    with pytest.raises(IncompatibleError, match="may name"):
        instantiate.make({"_target_": "lab_of_mine.os.getcwd"}, "part")


@each(
    text=[
        "seed: 0\nhydra:\n  callbacks: {a: {_target_: os.getcwd}}\n",
        "seed: 0\n'hydr\\u0061': {searchpath: [file:///]}\n".replace("'", '"'),
        "{seed: 0, defaults: [a]}\n",
        "# @package hydra.callbacks\na: {_target_: os.getcwd}\n",
    ],
)
def test_a_stored_config_gives_hydra_no_instructions(text, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(IncompatibleError, match="it instructs Hydra"):
        refuse_instructions(file)


def test_a_strangers_run_has_no_configs_of_hydras_own_and_learns_no_secret(tmp_path, monkeypatch):
    """Hydra had executed what a file hydra/launcher/basic.yaml beside config.yaml says."""
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    refuse_instructions(tmp_path / "config.yaml")
    (tmp_path / "hydra").mkdir()
    with pytest.raises(IncompatibleError, match=r"instructs Hydra .the folder hydra"):
        refuse_instructions(tmp_path / "config.yaml")
    monkeypatch.setenv(OWN, "running")
    for name in ("MY_KEY", "MY_FOLDER", "HEATMAP_FOLDER"):
        monkeypatch.setenv(name, "told")
    guard_environment()
    asked = "${oc.env:MY_KEY}", '${oc.decode:"\\${oc.env:MY_KEY}"}', "${oc.${b}:MY_KEY}"
    for text in asked:
        with pytest.raises(InterpolationResolutionError, match=r"MY_KEY.: a config may ask"):
            _ = OmegaConf.create({"a": text, "b": "env"}).a
    assert OmegaConf.create({"a": "${oc.env:HEATMAP_FOLDER}"}).a == "told"
    assert OmegaConf.create({"a": "${oc.env:HEATMAP_NONE,x}"}).a == "x"
    without_trust(["resume=runs/${oc.env:MY_FOLDER}"])  # as a stranger has called a folder
    with pytest.raises(InterpolationResolutionError, match=r"MY_FOLDER.: a config may ask"):
        _ = OmegaConf.create({"a": "${oc.env:MY_FOLDER}"}).a
    without_trust(["data.root=${oc.env: MY_FOLDER}/a"])  # who runs the command may say so
    with pytest.raises(IncompatibleError, match=r"add trust=MY_FOLDER"):
        located("MY_FOLDER.run", "callback")  # but not which code it may name
    assert OmegaConf.create({"a": "${oc.env:MY_FOLDER}/a"}).a == "told/a"


@pytest.mark.parametrize("name", ["evaluate", "budget"])
def test_a_run_from_elsewhere_whose_config_names_code_is_refused(name, smoke, tmp_path):
    run = tmp_path / "run"
    (run / ".hydra").mkdir(parents=True)
    config = OmegaConf.load(smoke / ".hydra" / "config.yaml")
    config.loss = {"_target_": "sympy.sympify", "a": f"__import__('os').mkdir('{tmp_path}/RAN')"}
    OmegaConf.save(config, run / ".hydra" / "config.yaml")
    (run / "run.json").write_bytes((smoke / "run.json").read_bytes())
    (run / "predictions.parquet").write_bytes((smoke / "predictions.parquet").read_bytes())
    done = running.command(name, f"run={run}", cwd=tmp_path)
    assert done.status == 1
    assert "loss._target_=sympy.sympify" in done.err
    assert not (tmp_path / "RAN").exists()
