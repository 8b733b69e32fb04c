"""Starts programs for a test, taskwatchd and the stand-in for DingTalk before all, and ends exactly these processes.

No wait is endless: after PATIENCE, Impatience says what was waited for and what all programs have printed.
"""

import atexit
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid

# In seconds: half of what Bazel gives the test, so that the other half is left to tell of it. No expectation of any.
PATIENCE = float(os.environ.get("TEST_TIMEOUT", 300)) / 2

DAY_MS = 24 * 3600 * 1000

# nginx's last notice before it serves, if it logs them; the socket is open then.
NGINX_READY = r"\[notice\].*: getrlimit"

# Those that have not been waited for.
_running = []


class Impatience(AssertionError):
    """A wait that was given up."""

    def __init__(self, what):
        printed = ["{} printed:\n{}".format(program.name, "".join(program.printed)) for program in _running]
        super().__init__("waited {:g} s for {}\n{}".format(PATIENCE, what, "\n".join(printed)))


def await_that(predicate, what):
    """Returns the first result of `predicate` that is true; looks again and again. `what` is for people."""
    end = time.monotonic() + PATIENCE
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > end:
            raise Impatience(what)
        time.sleep(0.01)


class Program:
    """A program that runs. What it prints is kept, and repeated on stderr unless it is not to `echo`. It is killed when
    the test program ends before the program does. `options` are subprocess.Popen's."""

    def __init__(self, command, echo=True, **options):
        self.name = os.path.basename(command[0])
        # All that it has printed, and its lines by stream.
        self.printed = []
        self.lines = {"stdout": [], "stderr": []}
        self._echo = echo
        self._changed = threading.Condition()
        self._open = {"stdout", "stderr"}
        # How many lines of stdout next_line() has given.
        self._taken = 0
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in self.lines]
        for reader in self._readers:
            reader.start()
        _running.append(self)

    def _read(self, name):
        for line in getattr(self.process, name):
            if self._echo:
                sys.stderr.write("[{}] {}".format(self.process.pid, line))
            with self._changed:
                self.printed.append(line)
                self.lines[name].append(line)
                self._changed.notify_all()
        with self._changed:
            self._open.remove(name)
            self._changed.notify_all()

    def _await(self, predicate, what):
        with self._changed:
            if not self._changed.wait_for(predicate, PATIENCE):
                raise Impatience(what)

    def await_line(self, stream, pattern):
        """The match of the first line on `stream` ("stdout" or "stderr") in which `pattern` is found."""
        found = []

        def look():
            found[:] = filter(None, (re.search(pattern, line) for line in self.lines[stream]))
            return found or stream not in self._open

        self._await(look, "{} to print {!r} on {}".format(self.name, pattern, stream))
        if not found:
            exit_code = self.wait()
            raise RuntimeError("{} ended with {} before it was ready: {}".format(self.name, exit_code, self.output))
        return found[0]

    def next_line(self):
        """The next line of stdout; empty when there are no more."""
        lines = self.lines["stdout"]
        self._await(
            lambda: len(lines) > self._taken or "stdout" not in self._open,
            "line {} of {}".format(self._taken + 1, self.name),
        )
        if len(lines) == self._taken:
            return ""
        self._taken += 1
        return lines[self._taken - 1]

    def rest(self):
        """The lines of stdout that next_line() has not given, up to the end."""
        return list(iter(self.next_line, ""))

    def has_ended(self):
        return self.process.poll() is not None

    def terminate(self):
        """Asks it to end."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        """Ends it, whatever it is doing, unless it has ended."""
        self.process.kill()
        self.wait()

    def wait(self):
        """Waits until it has ended and all that it printed is read; returns its exit code."""
        try:
            exit_code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Impatience("{} to end".format(self.name)) from None
        self._await(lambda: not self._open, "{} to close its output".format(self.name))
        for reader in self._readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        if self in _running:
            _running.remove(self)
        return exit_code

    def result(self):
        """Waits for its end; its exit code, stdout and stderr."""
        exit_code = self.wait()
        return exit_code, "".join(self.lines["stdout"]), "".join(self.lines["stderr"])

    @property
    def output(self):
        return "".join(self.printed)


def _kill_all():
    for program in _running:
        program.process.kill()


# When the test is ended early, too.
atexit.register(_kill_all)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


class HeldPort:
    """A port of 127.0.0.1 for a server that comes and goes, or never comes. It is bound from here on, so that nobody
    else gets it, but nothing listens: a server that binds it with SO_REUSEADDR, as all do here, can."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.address = "127.0.0.1:{}".format(self.port)

    def close(self):
        self._socket.close()


class Standin:
    """The stand-in for DingTalk's gateway. `flags` are added to its command line."""

    def __init__(self, binary, token_file, flags=()):
        self._program = Program(
            [binary, "--listen=127.0.0.1:0", "--qps=0", "--access_token_file={}".format(token_file), *flags]
        )
        self.url = self._program.await_line("stdout", r"listening on (\S+)")[1]
        # It is on this machine, whatever proxies the environment names.
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def stop(self):
        """Returns its exit code."""
        self._program.terminate()
        return self._program.wait()

    def control(self, method, path, body=None):
        """Sends `body` (a value) to the control endpoint and returns its answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + "/control/" + path, data=data, method=method)
        try:
            with self._http.open(request, timeout=PATIENCE) as response:
                return json.load(response)
        except TimeoutError:
            raise Impatience("the stand-in to answer {} {}".format(method, path)) from None

    def add_task(self, task_id, **plan):
        """Creates a task, or lets it begin anew by another plan."""
        self.control("POST", "tasks", dict(plan, task_id=task_id))

    def set_task(self, task_id, state):
        """Lets a task begin anew, to stay "waiting", "running" (nothing done yet), or over with a status of DingTalk's
        (a number): time does not change it."""
        plan = {
            "waiting": {"waiting_ms": DAY_MS, "running_ms": 0},
            "running": {"waiting_ms": 0, "running_ms": DAY_MS},
        }.get(state, {"waiting_ms": 0, "running_ms": 0, "outcome": state})
        self.add_task(task_id, items=4, **plan)

    def break_task_call(self, **fault):
        """From now on, until the faults are cleared, the task call meets `fault`."""
        self.control("POST", "faults", dict(fault, api="task_info", count=-1))

    def clear_faults(self):
        self.control("DELETE", "faults")

    def call_count(self):
        """How many calls of all kinds it has seen."""
        return sum(self.control("GET", "calls")["counts"].values())


class Taskwatchd:
    """A taskwatchd that serves. It asks `standin`, often, for the sake of the test's duration, and leaves nothing
    behind; of `flags`, the last one of a name counts. One that is to be started again listens on a HeldPort."""

    def __init__(self, binary, standin, token_file, flags=(), listen="127.0.0.1:0"):
        self._command = [
            binary,
            "--listen={}".format(listen),
            "--dingtalk_base_url={}".format(standin.url),
            "--access_token_file={}".format(token_file),
            "--state_file=:memory:",
            "--upstream_qps=0",
            "--upstream_monthly_calls=0",
            "--min_poll_interval=50ms",
            "--max_poll_interval=200ms",
            *flags,
        ]
        self._earlier_output = ""
        self.start()

    def start(self):
        """Starts it again, once it has ended; returns when it listens."""
        self._program = Program(self._command)
        self.target = self._program.await_line("stderr", r"listening on (\S+),")[1]

    def terminate(self):
        self._program.terminate()

    def kill(self):
        self._program.kill()

    def wait(self):
        return self._program.wait()

    def restart(self):
        """Ends it and starts it again. Returns the exit code with which it ended."""
        self.terminate()
        exit_code = self.wait()
        self._earlier_output = self.output
        self.start()
        return exit_code

    @property
    def output(self):
        return self._earlier_output + self._program.output


class Nginx:
    """Debian's nginx that serves, by `http`, the settings of its http block. Its files are in `folder`."""

    def __init__(self, folder, http):
        paths = "".join(
            "{0}_temp_path {1}/{0};\n".format(name, folder)
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = pathlib.Path(folder, "nginx.conf")
        config.write_text(
            # As root it would give its folders to another user, whom a sandbox may not know.
            "{}daemon off;\nmaster_process off;\npid {}/nginx.pid;\nerror_log stderr notice;\n"
            "events {{}}\nhttp {{\naccess_log off;\n{}\n{}\n}}\n".format(
                "user root;\n" if os.geteuid() == 0 else "", folder, paths, http
            )
        )
        # -e: where to complain before the settings are read.
        self._program = Program(["/usr/sbin/nginx", "-p", str(folder), "-e", "stderr", "-c", str(config)])
        self._program.await_line("stderr", NGINX_READY)

    def kill(self):
        self._program.kill()


def make_token_file(folder):
    """A file in `folder` with an access token of its own; the file and the token."""
    token = "canary-{}".format(uuid.uuid4())
    path = pathlib.Path(folder, "access_token")
    path.write_text(token)
    return path, token


def start_servers(test, flags=(), listen="127.0.0.1:0"):
    """A Standin and a Taskwatchd, which end with the unittest.TestCase `test`; it fails if they do not end in good
    order, or if taskwatchd has printed the access token."""
    folder = tempfile.TemporaryDirectory(prefix="taskwatch-")
    test.addCleanup(folder.cleanup)
    token_file, token = make_token_file(folder.name)
    standin = Standin(os.environ["STANDIN"], token_file)
    test.addCleanup(lambda: test.assertEqual(standin.stop(), 0))
    taskwatchd = Taskwatchd(os.environ["TASKWATCHD"], standin, token_file, flags, listen)

    def stop():
        taskwatchd.terminate()
        test.assertEqual(taskwatchd.wait(), 0)
        test.assertNotIn(token, taskwatchd.output)

    test.addCleanup(stop)
    return standin, taskwatchd
