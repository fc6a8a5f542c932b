"""A trained run evaluated again, with other decoders, data or a flip test."""

import shutil
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from heatmap_research.config import additions, hydra_job, of_run, yaml_file
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError


def evaluate(cfg: DictConfig) -> None:
    trained = RunStore(Path(cfg.run))
    merged = of_run.changed(cfg, trained.folder)
    if not cfg.metric:
        merged.metric = {**merged.metric, **of_run.option("metric", "ellipses")}
    additions.refuse(merged)
    job = of_run.job_of(merged, trained.folder)
    checkpoint = of_run.weights_of(trained.folder, cfg.checkpoint)
    name = str(cfg.name)  # which may be a number
    if Path(name).name != name:
        raise IncompatibleError(f"name={name}: give a name, not a path; it is in DIR/evaluate.")
    store = RunStore(trained.folder / "evaluate" / name)
    first = hydra_job.is_first()
    if first:
        of_run.make_new(store.folder)
        yaml_file.save(job.config, store.folder / ".hydra" / "config.yaml")
    # Lightning starts the other processes of DDP by this command line, or, where it sees Hydra, by
    # the folder of the run, whose config is not this command's.
    sys.argv.append(f"name={cfg.name}")
    HydraConfig.instance().cfg = None
    from heatmap_research.training import fit  # torch: after the config has been looked at

    try:
        fit.evaluate(job, trained, store, checkpoint)
    except IncompatibleError:
        if first and not store.record.exists():  # else the name would be taken
            shutil.rmtree(store.folder, ignore_errors=True)
        raise
    if first:
        store.update(as_trained=of_run.reads_as_trained(merged, trained.folder))
