#!/bin/sh
# Creates (or completes) a virtual environment with mmlmseg in editable form. Called by the Makefile.
# usage: install.sh VENV REQUIREMENTS...
set -eu
venv=$1
shift

# numpy 2.2, which OpenCV's pin needs, has no wheels for Python 3.14 and later; this is the one place to raise the limit.
fits='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))'

find_python() {
    for candidate in ${PYTHON:-} python3 python3.12 python3.11 python3.13 python3.10 python; do
        if "$candidate" -c "$fits" >/dev/null 2>&1; then
            if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
                echo "$candidate"
                return
            fi
            without_venv=$candidate
        fi
    done
    if [ -n "${without_venv:-}" ]; then
        echo "error: $without_venv has no venv module; on Debian and Ubuntu: apt install python3-venv" >&2
    else
        echo "error: no Python 3.10 to 3.13 found; install one (apt install python3 python3-venv), or name it: make PYTHON=/path/to/python ..." >&2
    fi
    return 1
}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    echo "creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

files=
for file in "$@"; do files="$files -r $file"; done
echo "installing$files into $venv (some minutes the first time)"
# shellcheck disable=SC2086
"$venv/bin/python" -m pip install --quiet $files
"$venv/bin/python" -m pip install --quiet --no-deps --editable .

# Two OpenCV distributions may come in, and they share the folder cv2: the last one wins. The one with windows needs libGL, which
# servers lack; the headless one, written over it at the same version, does not.
if ! "$venv/bin/python" -c 'import cv2' 2>/dev/null; then
    pin=$(sed -n 's/^opencv-python==/opencv-python-headless==/p' requirements/base.txt)
    echo "OpenCV does not load here (no libGL?): switching to $pin"
    "$venv/bin/python" -m pip install --quiet --no-deps --force-reinstall "$pin"
    "$venv/bin/python" -c 'import cv2'
fi
