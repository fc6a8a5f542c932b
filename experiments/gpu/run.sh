#!/bin/sh
# All that needs a GPU, in one command of at most nine minutes, on a machine without a network:
#   sh experiments/gpu/run.sh [--device cpu] [--tiny] [--wheels DIR] [--out DIR]
# From the folder of a checkout, by the python3 that is there, which has torch, timm and Lightning.
# DIR of --wheels holds what it lacks (README.md says how to fetch it). It runs the tests that need a
# GPU, heatmap-bench, and the demo's arms at 20 times their steps, side by side; gpu.json says what
# came of each. --device cpu --tiny does the same in a minute, without the figures.
set -u
device=cuda tiny= wheels= out=outputs/gpu patience=1
while [ $# -gt 0 ]; do
  case $1 in
    --tiny) tiny=yes ;;
    --device) device=$2; shift ;;
    --wheels) wheels=$2; shift ;;
    --out) out=$2; shift ;;
    *) echo "run.sh: $1 is none of --device, --tiny, --wheels and --out." >&2; exit 2 ;;
  esac
  shift
done
here=$(cd "$(dirname "$0")/../.." && pwd) && mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2
cd "$here" || exit 2
export PYTHONPATH="$here/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
if [ "$wheels" ]; then
  site=$(mktemp -d)
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" \
    "$wheels"/*.whl || { echo "run.sh: $wheels: see what pip said." >&2; exit 2; }
  export PYTHONPATH="$PYTHONPATH:$site"
fi
rm -rf "$out/arms" "$out"/*.json "$out"/*.log "$out"/*.status

# NAME SECONDS COMMAND...: a part, its output, its status (124 where it took too long), its seconds
part() {
  name=$1 limit=$(($2 * patience)) began=$(date +%s); shift 2
  timeout "$limit" "$@" > "$out/$name.log" 2>&1; status=$?
  echo "$status $(($(date +%s) - began))" > "$out/$name.status"
  echo "$name: status $status, $(($(date +%s) - began)) s"
}

bench='python3 -m heatmap_research.commands.bench' train='python3 -m heatmap_research.commands.train'
trainer=gpu arms='mse_2d ce_2d simcc marginal' steps=20000
sizes='--batch 1024 --rounds 9 --steps 50' some=
[ "$device" = cuda ] || trainer=cpu patience=5
if [ "$tiny" ]; then
  arms=simcc steps=4 sizes='--batch 2 --joints 3 --size 64 48 --rounds 1 --steps 2'
  some='image_size=[32,32] data.pool=64 data.val.pool=32 data.test.pool=32'
fi

# A machine like that has not the checkers of types that our settings name.
part tests 100 python3 -m pytest -q -o addopts= -p no:cacheprovider \
  tests/training/test_gpu.py tests/metrics/test_metrics.py -k 'device or cpu or graphs or bfloat16'
part bench 120 $bench codec step --device "$device" $sizes --out "$out/bench.json"
# shellcheck disable=SC2086
part pool 60 $train arm=mse_2d trainer=$trainer trainer.max_steps=1 $some hydra.run.dir="$out/arms/first"
for arm in $arms; do
  part "$arm" 240 $train arm=$arm trainer=$trainer trainer.max_steps=$steps $some \
    hydra.run.dir="$out/arms/$arm" &
done
wait
python3 experiments/gpu/summary.py "$out"
