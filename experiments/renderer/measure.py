"""Images a second that the synthetic set renders, as a pool is rendered.

python experiments/renderer/measure.py [--rounds 4]
"""

import argparse
import time

import torch
from hydra import compose, initialize_config_dir

from heatmap_research.config.cli import conf_folder
from heatmap_research.config.instantiate import instantiate
from heatmap_research.data.rendering import pool

SETTINGS = {
    "64x64": [],
    "64x64, occlusion 0.3": ["data.occlusion=0.3"],
    "64x64, distractor 0.5": ["data.distractor=0.5"],
    "128x128": ["image_size=[128,128]"],
}
COUNT = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    rounds = parser.parse_args().rounds
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        configs = {name: compose("train", values) for name, values in SETTINGS.items()}
    print(f"{torch.get_num_threads()} thread(s), {COUNT} images a round")
    for name, cfg in configs.items():
        figures = instantiate(cfg.data.figures, "data.figures")
        pool.render(figures, first=0, count=128)
        rates = []
        for number in range(rounds):
            began = time.perf_counter()
            pool.render(figures, first=number * COUNT, count=COUNT)
            rates.append(COUNT / (time.perf_counter() - began))
        print(f"{name:24} {' '.join(f'{rate:.0f}' for rate in rates)} images/s")


if __name__ == "__main__":
    main()
