#!/usr/bin/env bash
# usage: tools/dist_train.sh CONFIG GPUS [OPTIONS of tools/train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each. Without a GPU the processes share the CPU.
set -euo pipefail
if (($# < 2)); then
    echo "usage: $0 CONFIG GPUS [OPTIONS of tools/train.py]" >&2
    exit 2
fi
CONFIG=$1
GPUS=$2
shift 2

# The threads of a process, where torchrun would leave it one: its share of the cores.
CORES=$(getconf _NPROCESSORS_ONLN)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((CORES > GPUS ? CORES / GPUS : 1))}

"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --nproc_per_node="$GPUS" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    "$(dirname "$0")/${SCRIPT:-train.py}" "$CONFIG" --launcher pytorch "$@"
