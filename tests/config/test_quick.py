import subprocess
import sys

import running
import yaml
from omegaconf import OmegaConf


def loaded(file):
    return OmegaConf.to_container(OmegaConf.load(file))


def test_every_config_is_the_same_whichever_way_it_is_parsed(monkeypatch):
    files = sorted(running.CONF.rglob("*.yaml"))
    monkeypatch.setattr(yaml, "SafeLoader", yaml.loader.SafeLoader)
    plain = [loaded(file) for file in files]
    monkeypatch.setattr(yaml, "SafeLoader", yaml.CSafeLoader)
    assert len(plain) > 100
    assert [loaded(file) for file in files] == plain


COMPOSED = """
import sys
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from heatmap_research.config import cli

load, loads = ConfigLoaderImpl._load_configuration_impl, []
def counting(*arguments, **named):
    loads.append(1)
    return load(*arguments, **named)
ConfigLoaderImpl._load_configuration_impl = counting
cli.run("check", lambda cfg: None, "train")
print(len(loads))
"""


TIMES = {  # a sweeper composes each of its jobs to see whether it can, and then to run it
    (): 1,
    ("-m", "seed=0,1"): 1 + 4,
    ("hydra.mode=MULTIRUN", "seed=0,1"): 2 + 4,
}


def test_a_config_is_composed_once_before_its_jobs(tmp_path):
    for words, times in TIMES.items():
        line = [sys.executable, "-c", COMPOSED, *words, f"hydra.sweep.dir={tmp_path}"]
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=True)
        assert int(done.stdout.split()[-1]) == times, (words, done.stderr)


EACH = """
import sys
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from heatmap_research.config import cli, quick

quick.composing_once()
if sys.argv.pop() == "once":
    quick.composing_a_grid_once()

def told(cfg):
    job = HydraConfig.get()
    print(OmegaConf.to_yaml(cfg), job.runtime.choices, job.overrides, job.job.override_dirname)

cli.run("check", told, "train")
"""


def test_jobs_of_a_grid_are_what_they_are_alone(tmp_path):
    """Options and values that change from job to job, added, taken away, and that refer."""
    grid = ("-m", "arm=ce_2d,simcc", "seed=0,1", "decoder=[dark],main", "sigma=choice(1,3)")
    more = ("+tag=a,b", "~callback.pictures", "optimizer.lr='${sigma}'", "image_size=[32,32]")
    line = [sys.executable, "-c", EACH, *grid, *more, f"hydra.sweep.dir={tmp_path / 'jobs'}"]
    whole, once = (
        subprocess.run([*line, how], capture_output=True, text=True, cwd=tmp_path, check=True)
        for how in ("each", "once")
    )
    assert once.stdout == whole.stdout
    assert once.stdout.count("neck:") == 2**5
