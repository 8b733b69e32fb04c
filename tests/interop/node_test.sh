#!/bin/sh
# Runs a test file under Node: node_test.sh FILE.js [NAME=PATH]...
#
# Each PATH, a file of the test's runfiles, is put into the environment as an absolute path under NAME. NODE_MODULES is
# the folder of npm packages, which `require` then finds.
set -eu

fail() {
  echo "node_test: $1" >&2
  exit 1
}

absolute() {
  case $1 in
    /*) printf '%s' "$1" ;;
    # Bazel's $(rootpath) of another repository's file is external/..., which the runfiles keep beside the workspace.
    external/*) printf '%s' "$PWD/../${1#external/}" ;;
    *) printf '%s' "$PWD/$1" ;;
  esac
}

file=$(absolute "$1")
shift
for setting in "$@"; do
  path=$(absolute "${setting#*=}")
  [ -e "$path" ] || fail "$path does not exist"
  export "${setting%%=*}=$path"
done

node=$(command -v node) || fail "node is missing: install the Debian package nodejs"
if [ -n "${NODE_MODULES:-}" ]; then
  [ ! -e "$NODE_MODULES/missing" ] || fail "$(cat "$NODE_MODULES/missing")"
  export NODE_PATH="$NODE_MODULES"
fi
exec "$node" --test "$file"
