#!/usr/bin/env bash
# usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [OPTIONS of tools/train.py]
# Two minutes before its time limit the job is asked to end (SIGUSR1): it saves a checkpoint and exits with status 75; with
# --resume among the options, the same command, or sbatch --requeue around it, goes on from there.
# GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) and SRUN_ARGS come from the environment. On nodes without GPUs set
# GRES to nothing; GPUS and GPUS_PER_NODE then count processes, which share the CPUs.
set -euo pipefail
if (($# < 3)); then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [OPTIONS of tools/train.py]" >&2
    exit 2
fi
PARTITION=$1
JOB_NAME=$2
CONFIG=$3
shift 3
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
GRES=${GRES-gpu:$GPUS_PER_NODE}

# shellcheck disable=SC2086
srun -p "$PARTITION" \
    --job-name="$JOB_NAME" \
    ${GRES:+--gres="$GRES"} \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    --signal=USR1@120 \
    ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/${SCRIPT:-train.py}" "$CONFIG" --launcher slurm "$@"
