"""A workspace beside this one, with a Bazel of its own: it shares no server, no output and no settings with any other."""

import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile

# In seconds: nearly all that the outer Bazel gives the test. Another Bazel compiles as slowly as the machine is.
PATIENCE = float(os.environ.get("TEST_TIMEOUT", 900)) * 0.9

# What of this tree a workspace gets that builds on it: the data of this library.
SOURCES = ["BUILD", "WORKSPACE", "bazel", "client", "proto"]


class OtherWorkspace:
    """In a folder that exists until the test ends; the copy of this tree in it is `taskwatch`, below a space."""

    def __init__(self, test):
        # Bazel takes no workspace of its own below a space, but TEST_TMPDIR has none: the outer Bazel chose it.
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="other-", dir=os.environ["TEST_TMPDIR"])).resolve()
        self.root = self._folder / "workspace"
        self.taskwatch = self._folder / "task watch"
        for source in SOURCES:
            self._copy(pathlib.Path(source), self.taskwatch / source)
        self.write("WORKSPACE", """
local_repository(name = "taskwatch", path = "{}")

load("@taskwatch//bazel:dependencies.bzl", "taskwatch_dependencies")

taskwatch_dependencies()
""".format(self.taskwatch))
        home = self._folder / "home"
        home.mkdir()
        self.environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "USER": "test"}
        test.addCleanup(self._remove)
        # For a test that is ended early.
        atexit.register(self._shut_down)

    @staticmethod
    def _copy(source, target):
        # Runfiles are links, and the copy is to outlive them.
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("cli", "examples", "taskwatchd"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

    def write(self, path, text):
        """A file of the workspace, or (with an absolute path) any other."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def bazel(self, command, *arguments):
        """Runs Bazel, with no .bazelrc but that of Debian's package; returns the exit code and what it told."""
        process = subprocess.run(
            [
                "/usr/bin/bazel",
                "--nohome_rc",
                "--host_jvm_args=-Xmx512m",
                "--max_idle_secs=60",
                "--output_user_root={}".format(self._folder / "bazel"),
                command,
                *arguments,
            ],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        return process.returncode, process.stdout

    def build(self, *targets):
        """Returns what Bazel told; the build must succeed."""
        code, output = self.bazel("build", "--nosandbox_debug", *targets)
        if code != 0:
            raise AssertionError("bazel build ended with {}:\n{}".format(code, output))
        return output

    def program(self, name):
        return self.root / "bazel-bin" / name

    def _shut_down(self):
        if self.root.exists():
            self.bazel("shutdown")

    def _remove(self):
        self._shut_down()
        atexit.unregister(self._shut_down)
        # Bazel takes the right to write from what it built.
        subprocess.run(["chmod", "-R", "u+w", str(self._folder)], check=True)
        shutil.rmtree(self._folder)
