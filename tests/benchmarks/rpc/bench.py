"""Measures taskwatchd against a null server, bare libcurl and straightforward peers, side by side in one run.

Every figure is the median of the ratios that alternating rounds give, or an amount where the baseline is nothing. CPU is
the server process's own user and system time, memory its resident set. A run in which one call failed gives no figure.
Needs the paths of the programs, which scripts/bench passes.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../interop"))
import servers

NGINX = """
daemon off;
{user}
pid {dir}/nginx.pid;
error_log stderr notice;
worker_processes 1;
pcre_jit on;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
  keepalive_requests 100000000;
  default_type application/json;
  server {{
    listen unix:{dir}/unused.sock;
    listen 127.0.0.1:{port};
    # A task that has ended, one that changes with every call, and any number of tasks that run on.
    location ~ ^/v2.0/doc/task/info/(done.*)$ {{
      return 200 '{{"taskId":"$1","status":1,"totalCount":100,"succCount":100,"failCount":0}}';
    }}
    location ~ ^/v2.0/doc/task/info/(changing.*)$ {{
      return 200 '{{"taskId":"$1","status":0,"totalCount":1000000000,"succCount":$connection_requests,"failCount":0}}';
    }}
    location ~ ^/v2.0/doc/task/info/(.*)$ {{
      return 200 '{{"taskId":"$1","status":0,"totalCount":100,"succCount":1,"failCount":0}}';
    }}
  }}
}}
"""

# Flags of taskwatchd under which it neither polls nor ends streams while a measurement lasts.
QUIET = ("--min_poll_interval=10m", "--max_poll_interval=10m", "--max_stream_age=1h")


# The longest that one run of a client may take, in seconds.
LONGEST_RUN = 600


class Server(servers.Program):
    """A server process that says `listening on HOST:PORT` on stderr."""

    def __init__(self, command):
        super().__init__(command, echo=False)
        self.address = self.await_line("stderr", r"listening on ([0-9.]+:[0-9]+)")[1]

    def cpu_seconds(self):
        # In nanoseconds, by thread; /proc/PID/stat counts in ticks of 10 ms. None of the measured servers ends a thread.
        nanoseconds = 0
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{thread}/schedstat") as schedstat:
                nanoseconds += int(schedstat.read().split()[0])
        return nanoseconds / 1e9

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))

    def stop(self):
        self.terminate()
        self.wait()


@contextlib.contextmanager
def running(command):
    server = Server(command)
    try:
        yield server
    finally:
        server.stop()


class Bench:
    def __init__(self, options, directory):
        self.o = options
        self.dir = directory
        # nginx cannot pick a free one.
        self.port = servers.HeldPort()
        self.upstream = f"http://{self.port.address}"
        self.token = os.path.join(directory, "token")
        with open(self.token, "w") as token:
            token.write("benchmark-token\n")
        self.figures = []

    # -- programs --------------------------------------------------------------------------------------------------

    def start_nginx(self):
        config = os.path.join(self.dir, "nginx.conf")
        with open(config, "w") as file:
            # Started by root it would give its folders to a user that a sandbox may not know.
            file.write(NGINX.format(dir=self.dir, port=self.port.port, user="user root;" if os.geteuid() == 0 else ""))
        nginx = servers.Program([self.o.nginx, "-e", "stderr", "-c", config], echo=False)
        nginx.await_line("stderr", servers.NGINX_READY)
        return nginx

    def taskwatchd(self, *flags, listen="127.0.0.1:0"):
        return [self.o.taskwatchd, f"--listen={listen}", f"--dingtalk_base_url={self.upstream}",
                f"--access_token_file={self.token}", *self.o.taskwatchd_flags.split(), *flags]

    def null_server(self, listen="127.0.0.1:0"):
        return [self.o.null_server, f"--listen={listen}"]

    def sync_peer(self):
        return [self.o.sync_peer, "--listen=127.0.0.1:0", f"--upstream={self.upstream}"]

    def node_peer(self):
        return ["env", f"NODE_PATH={os.path.abspath(self.o.node_modules)}", "node", self.o.node_peer, self.o.proto_dir,
                self.o.google_proto_dir, self.port.address]

    def client(self, *arguments):
        done = subprocess.run([self.o.load_client, *arguments], stdout=subprocess.PIPE, text=True, timeout=LONGEST_RUN)
        if done.returncode != 0:
            raise RuntimeError(f"load_client {' '.join(arguments)} failed: no figure")
        return json.loads(done.stdout.splitlines()[-1])

    def floor(self, calls, concurrency):
        done = subprocess.run([self.o.curl_floor, f"--url={self.upstream}", f"--calls={calls}",
                               f"--concurrency={concurrency}"], stdout=subprocess.PIPE, text=True, timeout=LONGEST_RUN)
        if done.returncode != 0:
            raise RuntimeError("curl_floor failed: no figure")
        return json.loads(done.stdout)

    # -- measuring -------------------------------------------------------------------------------------------------

    def rounds(self, *measures, times=1, most=99):
        """Runs the measures alternately, `times` as often as asked for but at most `most`; the samples of each."""
        samples = [[] for _ in measures]
        for _ in range(min(self.o.rounds * times, most)):
            for measure, into in zip(measures, samples):
                into.append(measure())
        return samples

    def report(self, name, ours, baseline, must, aim, unit, better="lower", combine=None):
        combine = combine or (lambda a, b: a / b)
        pairs = [combine(a, b) for a, b in zip(ours, baseline)]
        figure = {
            "figure": name, "unit": unit, "must": must, "aim": aim,
            "min": round(min(pairs), 3), "median": round(statistics.median(pairs), 3), "max": round(max(pairs), 3),
            "ours": round(statistics.median(ours), 3), "baseline": round(statistics.median(baseline), 3),
        }
        if self.o.smoke:
            must = None
        if must is not None:
            figure["reached"] = figure["median"] <= must if better == "lower" else figure["median"] >= must
        self.figures.append(figure)
        print("{figure:68} {ours:>10} {baseline:>10} {median:>9} [{min} .. {max}] {unit}".format(**figure)
              + ("" if must is None else f"  must {must}: {'yes' if figure['reached'] else 'NO'}"), flush=True)

    def cpu_per_call(self, server, calls, *arguments):
        before = server.cpu_seconds()
        result = self.client(f"--server={server.address}", "--mode=unary", f"--calls={calls}", *arguments)
        return (server.cpu_seconds() - before) * 1e6 / calls, result

    # -- figures ---------------------------------------------------------------------------------------------------

    def unary(self):
        n = self.o.calls
        counter = iter(range(10**9))
        with running(self.taskwatchd("--default_max_staleness=0s")) as ours, running(self.null_server()) as null, \
                running(self.sync_peer()) as sync, running(self.node_peer()) as node:
            self.client(f"--server={ours.address}", "--calls=1", "--task=done")
            finished, baseline = self.rounds(
                lambda: self.cpu_per_call(ours, n, "--concurrency=32", "--task=done")[0],
                lambda: self.cpu_per_call(null, n, "--concurrency=32")[0])
            self.report("CPU per GetTaskInfo of a finished task / null server", finished, baseline, 1.25, 1.10, "us")

            def distinct(server, calls, concurrency):
                return self.cpu_per_call(server, calls, f"--concurrency={concurrency}", "--distinct",
                                         f"--task=run{next(counter)}")

            # Short and often: the machine's own speed changes from second to second.
            results, floors, nulls = self.rounds(
                lambda: distinct(ours, n // 5, 32), lambda: self.floor(n // 5, 32), lambda: distinct(null, n // 5, 32),
                times=2)
            self.report("CPU per GetTaskInfo upstream / (null server + curl floor)", [r[0] for r in results],
                        [f["cpu_us_per_call"] + s[0] for f, s in zip(floors, nulls)], 1.4, 1.15, "us")

            # As many callers as it takes to keep each server busy.
            results, floors, nulls, nodes, syncs = self.rounds(
                lambda: distinct(ours, n // 5, 128)[1], lambda: self.floor(n // 5, 64),
                lambda: distinct(null, n // 5, 128)[1], lambda: distinct(node, n // 10, 128)[1],
                lambda: distinct(sync, n // 10, 128)[1], times=2)
            rate = lambda samples: [s["calls_per_second"] for s in samples]
            self.report("GetTaskInfo upstream, calls a second / Node peer", rate(results), rate(nodes), 4, 6, "1/s",
                        better="higher")
            self.report("GetTaskInfo upstream, calls a second / synchronous peer", rate(results), rate(syncs), None,
                        None, "1/s")
            self.report("curl floor, calls a second / ours (the upstream's own limit)",
                        rate(floors), rate(results), None, None, "1/s")
            self.report("null server, calls a second / ours (the load client's own limit)", rate(nulls), rate(results),
                        None, None, "1/s")

            few = n // 20
            results, floors, nulls = self.rounds(
                lambda: distinct(ours, few, 1)[1], lambda: self.floor(few, 1), lambda: distinct(null, few, 1)[1],
                times=2)
            p50 = lambda samples: [s["p50_us"] for s in samples]
            self.report("p50 of one caller's upstream GetTaskInfo - (null + floor)", p50(results),
                        [a + b for a, b in zip(p50(floors), p50(nulls))], 100, 50, "us", combine=lambda a, b: a - b)

    def watch_memory(self, command, streams, *flags, idle_seconds=0.0):
        """The resident memory per stream, and the share of a core that all of them take while nothing happens."""
        with running(command) as server:
            before = server.rss_kib()
            client = subprocess.Popen(
                [self.o.load_client, f"--server={server.address}", "--mode=watch", f"--streams={streams}",
                 "--connections=10", "--hold", *flags],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            if "open" not in client.stdout.readline():
                raise RuntimeError("streams did not open: no figure")
            kib = (server.rss_kib() - before) / streams
            cpu_before, start = server.cpu_seconds(), time.monotonic()
            time.sleep(idle_seconds)
            idle = (server.cpu_seconds() - cpu_before) / (time.monotonic() - start)
            client.communicate(timeout=LONGEST_RUN)
            if client.returncode != 0:
                raise RuntimeError("a stream failed: no figure")
            return kib, idle

    def change(self, command, streams, changes):
        """The server's CPU per delivered change, and how long after the first of the watchers the last has it."""
        with running(command) as server:
            # Opening the streams costs too; what it costs is measured without changes and taken off.
            def run(changes):
                before = server.cpu_seconds()
                result = self.client(f"--server={server.address}", "--mode=watch", f"--streams={streams}",
                                     "--connections=10", f"--changes={changes}", "--task=changing")
                return server.cpu_seconds() - before, result
            opening, _ = run(0)
            cost, result = run(changes)
            return (cost - opening) * 1e6 / (streams * changes), result["spread_p50_us"]

    def watchers(self):
        for streams in self.o.streams:
            main = streams == self.o.streams[0]
            one = lambda: self.watch_memory(self.taskwatchd(*QUIET), streams, "--task=one")
            ours, null = self.rounds(one, lambda: self.watch_memory(self.null_server(), streams, "--task=one"),
                                     most=5 if main else 3)
            self.report(f"memory per idle watcher, {streams} on 10 connections / null server", [s[0] for s in ours],
                        [s[0] for s in null], 1.25, 1.10, "KiB")
        streams = self.o.streams[0]
        one, many = self.rounds(
            lambda: self.watch_memory(self.taskwatchd(*QUIET), streams, "--task=one"),
            lambda: self.watch_memory(self.taskwatchd(*QUIET), streams, "--task=many", "--distinct",
                                      idle_seconds=self.o.idle_seconds), most=3)
        self.report(f"CPU of {streams} watchers on as many tasks between polls", [s[1] * 100 for s in many],
                    [0.0] * len(many), 2, 0.5, "% of a core", combine=lambda a, b: a)
        self.report("memory per watched task beside its stream", [s[0] for s in many], [s[0] for s in one], 2, 1, "KiB",
                    combine=lambda a, b: a - b)
        ours, null = self.rounds(lambda: self.change(self.taskwatchd(*QUIET), streams, self.o.changes),
                                 lambda: self.change(self.null_server(), streams, self.o.changes))
        self.report(f"CPU per delivered change, {streams} watchers on a task / null server", [s[0] for s in ours],
                    [s[0] for s in null], 1.25, 1.0, "us")
        self.report(f"first to last of {streams} watchers to have a change / null server", [s[1] for s in ours],
                    [s[1] for s in null], 1.25, 1.0, "us")

    def growth(self):
        """The same figures at sizes below those of the table: what is judged there is what comes out largest."""
        counter = iter(range(10**9))
        with running(self.taskwatchd("--default_max_staleness=0s")) as ours, running(self.null_server()) as null:
            for callers in self.o.sizes:
                calls = max(self.o.calls // 10, callers)

                def distinct(server):
                    return self.cpu_per_call(server, calls, f"--concurrency={callers}", "--distinct",
                                             f"--task=grow{next(counter)}")

                # nginx has no more connections than this to give.
                parallel = min(callers, 1000)
                results, floors, nulls = self.rounds(lambda: distinct(ours), lambda: self.floor(calls, parallel),
                                                     lambda: distinct(null), most=3)
                self.report(f"growth: CPU per GetTaskInfo upstream, {callers} callers / (null + floor)",
                            [r[0] for r in results],
                            [f["cpu_us_per_call"] + s[0] for f, s in zip(floors, nulls)], None, None, "us")
                self.report(f"growth: p50 of GetTaskInfo upstream, {callers} callers / null",
                            [r[1]["p50_us"] for r in results], [s[1]["p50_us"] for s in nulls], None, None, "us")
        for streams in self.o.sizes:
            changes = max(self.o.changes, self.o.calls // 20 // streams)
            ours, null = self.rounds(lambda: self.change(self.taskwatchd(*QUIET), streams, changes),
                                     lambda: self.change(self.null_server(), streams, changes), most=3)
            self.report(f"growth: CPU per delivered change, {streams} watchers / null server", [s[0] for s in ours],
                        [s[0] for s in null], None, None, "us")

    def start_up(self):
        def first(command_for):
            return self.client(f"--server={port.address}", "--mode=first", "--task=done", "--",
                               *command_for(port.address))["first_answer_ms"]

        # The client has to know where before there is a server.
        port = servers.HeldPort()
        ours, null = self.rounds(lambda: first(lambda listen: self.taskwatchd(listen=listen)),
                                 lambda: first(lambda listen: self.null_server(listen)))
        port.close()
        self.report("first answer after exec (baseline: null server)", ours, null, 150, 50, "ms", combine=lambda a, b: a)

        def rss(command):
            with running(command) as server:
                return server.rss_kib()

        ours, null = self.rounds(lambda: rss(self.taskwatchd()), lambda: rss(self.null_server()))
        self.report("RSS after start / null server", ours, null, 2, 1.3, "KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ["taskwatchd", "null_server", "load_client", "curl_floor", "sync_peer", "node_peer", "node_modules",
                 "proto_dir", "google_proto_dir"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    parser.add_argument("--taskwatchd_flags", help="what switches the quota off",
                        default="--state_file=:memory: --upstream_qps=0 --upstream_monthly_calls=0")
    parser.add_argument("--smoke", action="store_true", help="tiny counts: whether it works, not how fast")
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement")
    parser.add_argument("--streams", type=int, nargs="+", default=[10000, 50000], help="watchers")
    parser.add_argument("--only", default="", help="one of unary, watchers, start_up, growth")
    parser.add_argument("--commit", default="", help="what is measured, for the file")
    parser.add_argument("--json", default="", help="a file for the figures")
    options = parser.parse_args()
    options.calls, options.changes = (200, 2) if options.smoke else (40000, 10)
    if options.smoke:
        options.rounds, options.streams = 1, [20]
    options.sizes = [1, 10] if options.smoke else [1, 10, 100, 1000, 10000]
    options.idle_seconds = 0.2 if options.smoke else 4

    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(options, directory)
        nginx = bench.start_nginx()
        try:
            print(f"{'figure':68} {'ours':>10} {'baseline':>10} {'figure':>9} [min .. max]", flush=True)
            for part in ["unary", "watchers", "start_up", "growth"]:
                if options.only in ("", part):
                    getattr(bench, part)()
        finally:
            nginx.terminate()
            nginx.wait()
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"commit": options.commit, "cores": os.cpu_count(), "rounds": options.rounds,
                       "figures": bench.figures}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    sys.exit(main())
