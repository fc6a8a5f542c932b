import subprocess
import sys

import pytest
import running
import yaml
from omegaconf import OmegaConf


def test_every_config_is_the_same_whichever_way_it_is_parsed(monkeypatch):
    files = sorted(running.CONF.rglob("*.yaml"))
    monkeypatch.setattr(yaml, "SafeLoader", yaml.loader.SafeLoader)
    plain = [OmegaConf.to_container(OmegaConf.load(file)) for file in files]
    monkeypatch.setattr(yaml, "SafeLoader", yaml.CSafeLoader)
    assert len(plain) > 100
    assert [OmegaConf.to_container(OmegaConf.load(file)) for file in files] == plain


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


@pytest.mark.parametrize(
    ("words", "times"),
    [  # a sweeper composes each of its jobs to see whether it can, and then to run it
        ((), 1),
        (("-m", "seed=0,1"), 1 + 4),
        (("hydra.mode=MULTIRUN", "seed=0,1"), 2 + 4),
    ],
)
def test_a_config_is_composed_once_before_its_jobs(words, times, tmp_path):
    line = [sys.executable, "-c", COMPOSED, *words, f"hydra.sweep.dir={tmp_path}"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert int(done.stdout.split()[-1]) == times, done.stderr
