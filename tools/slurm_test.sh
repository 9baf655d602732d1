#!/usr/bin/env bash
# usage: tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [OPTIONS of tools/test.py]
# The environment is read as by tools/slurm_train.sh.
set -euo pipefail
if (($# < 4)); then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [OPTIONS of tools/test.py]" >&2
    exit 2
fi
SCRIPT=test.py exec "$(dirname "$0")/slurm_train.sh" "$@"
