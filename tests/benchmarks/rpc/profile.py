"""Counts the instructions that taskwatchd spends on each operation of a hot path, by thread and by library.

Runs it under valgrind's callgrind, which counts the same whatever else the machine is doing, but counts no time and
nothing of the kernel's. Needs the Debian package valgrind; scripts/profile passes the paths of the programs.
"""

import argparse
import collections
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import bench

OPERATIONS = 2000
STREAMS = 100


def costs(path):
    """Own instructions by object and by function of one thread's profile, in callgrind's format."""
    names = {}
    objects, functions = collections.Counter(), collections.Counter()
    current_object = current_function = None
    skip = False
    for line in open(path):
        found = re.match(r"(ob|cob|fn|cfn)=\((\d+)\)(?: (.*))?", line)
        if found:
            kind, number, name = found.groups()
            key = (kind[-2:], number)
            names[key] = name or names.get(key)
            if kind == "ob":
                current_object = os.path.basename(names[key])
            elif kind == "fn":
                current_function = names[key]
        elif line.startswith("calls="):
            skip = True  # The next line is what the called function cost.
        elif re.match(r"[+*\d-]", line):
            if not skip:
                cost = int(line.split()[-1])
                objects[current_object] += cost
                functions[current_function] += cost
            skip = False
    return objects, functions


def load(name, runner, server):
    """Brings the operations about; how many they are."""
    address = f"--server={server.address}"
    if name == "changes":
        changes = OPERATIONS // STREAMS
        runner.client(address, "--mode=watch", f"--streams={STREAMS}", "--connections=10", f"--changes={changes}",
                      "--task=changing")
        return changes * STREAMS
    task = ["--task=done"] if name == "finished" else ["--distinct", "--task=run"]
    runner.client(address, f"--calls={OPERATIONS}", "--concurrency=32", *task)
    return OPERATIONS


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", choices=["finished", "upstream", "changes"], help="which calls")
    parser.add_argument("--taskwatchd", required=True)
    parser.add_argument("--load_client", required=True)
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    parser.add_argument("--taskwatchd_flags", default="--state_file=:memory: --upstream_qps=0 --upstream_monthly_calls=0")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("profile: valgrind is missing: apt-get install valgrind")

    with tempfile.TemporaryDirectory() as directory:
        runner = bench.Bench(options, directory)
        nginx = runner.start_nginx()
        try:
            out = os.path.join(directory, "callgrind")
            flags = bench.QUIET if options.path == "changes" else ("--default_max_staleness=0s",)
            with bench.running(["valgrind", "--tool=callgrind", "--separate-threads=yes", "--instr-atstart=no",
                                f"--callgrind-out-file={out}"] + runner.taskwatchd(*flags)) as server:
                load(options.path, runner, server)
                control = ["callgrind_control", "-i", "on", str(server.process.pid)]
                subprocess.run(control, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                operations = load(options.path, runner, server)
        finally:
            nginx.terminate()
            nginx.wait()

        threads = sorted((costs(path) for path in glob.glob(out + "-*")), key=lambda c: -sum(c[0].values()))
        for objects, functions in threads[:2]:
            total = sum(objects.values())
            print(f"\n{total / operations:.0f} instructions for each operation on one thread, of which")
            for counter, count in ((objects, 5), (functions, 12)):
                for name, cost in counter.most_common(count):
                    print(f"  {cost / operations:8.0f}  {100 * cost / total:4.1f} %  {(name or '?')[:110]}")
                print()


if __name__ == "__main__":
    main()
