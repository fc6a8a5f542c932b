"""What came of run.sh: python experiments/gpu/summary.py FOLDER writes FOLDER/gpu.json.

Status 1, if a part of it failed.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from heatmap_research.runs.source import source_version, versions

TAIL = 2000  # letters of a part's output
OF_A_RUN = ("status", "steps", "seconds", "peak_memory", "metrics")
DRIVER = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")


def main() -> None:
    folder = Path(sys.argv[1])
    parts = {file.stem: part(file) for file in sorted(folder.glob("*.status"))}
    bench = folder / "bench.json"
    made = {
        "device": device(),
        **versions(),
        **source_version(),
        "parts": parts,
        "bench": json.loads(bench.read_text())["figures"] if bench.exists() else None,
        "arms": {run.parent.name: arm(run) for run in sorted(folder.glob("arms/*/run.json"))},
    }
    (folder / "gpu.json").write_text(json.dumps(made, indent=1) + "\n")
    failed = [name for name, each in parts.items() if each["status"]]
    print(f"{folder / 'gpu.json'}: {len(parts) - len(failed)} of {len(parts)} parts ended well")
    for name in failed:
        print(f"{name}: status {parts[name]['status']}\n{parts[name]['output']}", file=sys.stderr)
    sys.exit(bool(failed) or not parts)


def part(file: Path) -> dict[str, Any]:
    status, seconds = map(int, file.read_text().split())
    output = file.with_suffix(".log").read_text(errors="replace")
    return {"status": status, "seconds": seconds, "output": output[-TAIL:]}


def arm(file: Path) -> dict[str, Any]:
    """What a run's record says of its training."""
    record = json.loads(file.read_text())
    return {
        key: record.get(key) for key in ("status", "steps", "seconds", "peak_memory", "metrics")
    }


def device() -> dict[str, Any]:
    if not torch.cuda.is_available():
        return {"name": "cpu"}
    facts = torch.cuda.get_device_properties(0)
    return {
        "name": facts.name,
        "memory": facts.total_memory,
        "cuda": torch.version.cuda,
        "driver": subprocess.run(DRIVER, capture_output=True, text=True).stdout.strip(),
    }


if __name__ == "__main__":
    main()
