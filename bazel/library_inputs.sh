#!/bin/sh
# Prints the files by which a build notices that libraries of the system have changed, one a line:
#
#   library_inputs.sh PC-FILE... LINK-FLAG...
#
# They are the libraries that -l and -L name and the pkg-config files. For what a Debian package owns, the package's
# list of checksums stands in: it changes with every upgrade, and tells of the package's headers too.
set -eu

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

folders=
for argument; do
  case $argument in
    -L*) folders="$folders ${argument#-L}" ;;
  esac
done
searched=$(${CC:-cc} -print-search-dirs | sed -n 's/^libraries: =//p' | tr ':' ' ')

find_library() {
  # No folder of libraries has a space in its name: pkg-config's flags could not tell it.
  for folder in $folders $searched; do
    for name; do
      if [ -f "$folder/$name" ]; then
        echo "$folder/$name"
        return
      fi
    done
  done
}

for argument; do
  case $argument in
    -l:*) find_library "${argument#-l:}" ;;
    -l*) find_library "lib${argument#-l}.so" "lib${argument#-l}.a" ;;
    /*) echo "$argument" ;;
  esac
done | sort -u >"$scratch/named"
# A shared object is often a link; what it leads to is in another package.
while IFS= read -r path; do
  readlink -f "$path"
  echo "$(readlink -f "$(dirname "$path")")/$(basename "$path")"
done <"$scratch/named" | sort -u >"$scratch/files"

if ! command -v dpkg-query >/dev/null; then
  cat "$scratch/files"
  exit
fi
# `PACKAGE[:ARCHITECTURE][, PACKAGE...]: FILE`; what no package owns is told on stderr.
xargs -r dpkg-query --search <"$scratch/files" 2>/dev/null >"$scratch/owned" || true
sed 's/^.*: //' "$scratch/owned" | sort -u >"$scratch/owned_files"
{
  comm -23 "$scratch/files" "$scratch/owned_files"
  sed -e 's/: .*//' -e 's/, /\n/g' "$scratch/owned" | sort -u | while read -r package; do
    dpkg-query --control-path "$package" md5sums
  done
} | sort -u
