"""data.held_out=N, for sets of files that leave no part to choose on."""

from omegaconf import DictConfig


def with_held_out(cfg: DictConfig) -> DictConfig:
    """Lets N images of train be val; the file that was val is test, unless test has one of its own.

    A config whose parts say what they take is left as it is.
    """
    stages = [cfg.data.get(stage) or {} for stage in ("train", "val", "test")]
    if not cfg.data.get("held_out") or any(stage.get("part") != "all" for stage in stages):
        return cfg
    cfg = cfg.copy()
    train, val, test = (cfg.data[stage] for stage in ("train", "val", "test"))
    files = ("annotations", "images")
    for key in files:
        test[key] = test[key]  # as it is now, and no longer whatever val says
    for key in files:
        val[key] = train[key]
    train.part, val.part = "rest", "held_out"
    val.boxes, val.detections = "gt", None  # detections are of the images of test
    return cfg
