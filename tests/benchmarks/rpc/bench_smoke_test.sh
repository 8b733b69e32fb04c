#!/usr/bin/env bash
# Runs every benchmark with tiny counts: whether it works and counts right, never how fast.
# usage: bench_smoke_test.sh BENCH.PY OPTION=VALUE...
set -euo pipefail

bench=$1
shift
output=$(/usr/bin/python3 "$bench" --smoke --json="$TEST_TMPDIR/figures.json" "${@/#/--}")
echo "$output"
/usr/bin/python3 - "$TEST_TMPDIR/figures.json" <<'PYTHON'
import json, sys

figures = json.load(open(sys.argv[1]))["figures"]
names = {figure["figure"] for figure in figures}
assert len(figures) == len(names) >= 20, names
for figure in figures:
    assert figure["min"] <= figure["median"] <= figure["max"], figure
PYTHON
