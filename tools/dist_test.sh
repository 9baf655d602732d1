#!/usr/bin/env bash
# usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [OPTIONS of tools/test.py]
# The environment is read as by tools/dist_train.sh.
set -euo pipefail
if (($# < 3)); then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [OPTIONS of tools/test.py]" >&2
    exit 2
fi
SCRIPT=test.py exec "$(dirname "$0")/dist_train.sh" "$1" "$3" "$2" "${@:4}"
