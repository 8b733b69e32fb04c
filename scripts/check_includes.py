"""Holds the C++ includes against the targets of Bazel: check_includes.py <QUERY.xml, in the root of the tree.

QUERY.xml is what `bazel query --output=xml` tells of the cc_library, cc_binary and cc_test targets. Prints what is wrong,
one line each, and exits 1 if anything is:

- a header that is included without its target among the deps, or a dep of which no header is included;
- a source that does not include its own header first, by which headers are known to compile alone;
- a room of service/ that includes a room above it, or has more lines than a room may have;
- a target of client/, flags/ or service/ that other workspaces could not compile, since it does not say that it is C++17.
"""

import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

# From top to bottom: a room includes rooms below it only. "" is service/ itself, which puts them together.
ROOMS = [
    "", "rpc", "server", "tracker", "pace", "dingtalk", "store", "http", "quota", "secrets", "text", "task", "runtime"
]
MOST_LINES = 2000

ABSL_BASE = "@com_google_absl//absl/base:"
GRPC = "@com_github_grpc_grpc//:"
GTEST = "@com_google_googletest//:"
PROTO = "//proto/taskwatch/v1:task_service_"
HEALTH = "//proto/grpc/health/v1:health_"
RPC = "@com_google_googleapis//google/rpc:"

# What a header that is not ours takes: any one of these. The first pattern that matches counts. Headers that none
# matches are the language's and the system's. \1 is what the pattern's group matched.
EXTERNAL = [
    (r"absl/base/(?:attributes|casts|const_init|thread_annotations|optimization|macros|port)\.h",
     [ABSL_BASE + "core_headers"]),
    (r"absl/base/config\.h", [ABSL_BASE + "config"]),
    (r"absl/base/", [ABSL_BASE + "base"]),
    (r"absl/container/btree_(?:map|set)\.h", ["@com_google_absl//absl/container:btree"]),
    (r"absl/flags/(?:flag|declare)\.h", ["@com_google_absl//absl/flags:flag"]),
    (r"absl/flags/commandlineflag\.h", ["@com_google_absl//absl/flags:reflection"]),
    (r"absl/flags/usage_config\.h", ["@com_google_absl//absl/flags:usage_internal", "@com_google_absl//absl/flags:usage"]),
    (r"absl/strings/(cord|str_format)\.h", [r"@com_google_absl//absl/strings:\1"]),
    (r"absl/(strings|time|synchronization|random|hash|memory)/", [r"@com_google_absl//absl/\1:\1"]),
    (r"absl/(\w+)/(\w+)\.h", [r"@com_google_absl//absl/\1:\2"]),
    (r"(?:grpc|grpcpp)/(?!health/|reflection/)", [GRPC + "grpc++"]),
    (r"google/protobuf/", ["@com_google_protobuf//:protobuf"]),
    (r"google/rpc/(\w+)\.pb\.h", [RPC + r"\1_cc_proto"]),
    (r"taskwatch/v1/task_service\.pb\.h", [PROTO + "cc_proto", PROTO + "cc_grpc"]),
    (r"taskwatch/v1/task_service(?:_mock)?\.grpc\.pb\.h", [PROTO + "cc_grpc"]),
    (r"grpc/health/v1/health\.pb\.h", [HEALTH + "cc_proto", HEALTH + "cc_grpc"]),
    (r"grpc/health/v1/health\.grpc\.pb\.h", [HEALTH + "cc_grpc"]),
    (r"grpc/reflection/v1/reflection\.grpc\.pb\.h", ["//proto/grpc/reflection/v1:reflection_cc_grpc"]),
    (r"grpc/reflection/v1alpha/reflection\.grpc\.pb\.h", ["//proto/grpc/reflection/v1alpha:reflection_cc_grpc"]),
    (r"(tests/.*)/(\w+)\.grpc\.pb\.h", [r"//\1:\2_cc_grpc"]),
    (r"(tests/.*)/(\w+)\.pb\.h", [r"//\1:\2_cc_proto", r"//\1:\2_cc_grpc"]),
    (r"(?:gtest|gmock)/", [GTEST + "gtest", GTEST + "gtest_main"]),
    (r"curl/", ["@curl//:curl"]),
    (r"sqlite3\.h", ["@sqlite3//:sqlite3"]),
    (r"nlohmann/", ["@nlohmann_json//:json"]),
    (r"spdlog/|fmt/", ["@spdlog//:spdlog"]),
    (r"httplib\.h|openssl/", ["@cpp_httplib//:httplib"]),
]

# Deps that no include tells of: they bring the program's main.
WITHOUT_HEADER = [GTEST + "gtest_main"]

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)


class Target:
    def __init__(self, rule):
        self.label = rule.get("name")
        self.kind = rule.get("class")
        lists = {
            element.get("name"): [child.get("value") for child in element]
            for element in rule.findall("list")
        }
        strings = {element.get("name"): element.get("value") for element in rule.findall("string")}
        self.package = self.label[2:].partition(":")[0]
        self.headers = [label for label in lists.get("hdrs", []) if label.endswith(".h")]
        self.sources = [label for label in lists.get("srcs", []) if label.endswith((".cc", ".h"))]
        self.deps = lists.get("deps", [])
        self.copts = lists.get("copts", [])
        self.include_prefix = strings.get("include_prefix")

    def files(self):
        """Those that were written, not generated."""
        paths = [path_of(label) for label in self.headers + self.sources if label.startswith("//")]
        return [path for path in paths if path.is_file()]

    def names(self):
        """What stands in an include of each of its headers."""
        for label in self.headers + [label for label in self.sources if label.endswith(".h")]:
            path = path_of(label)
            yield str(path)
            if self.include_prefix:
                yield "{}/{}".format(self.include_prefix, path.relative_to(self.package))


def path_of(label):
    return pathlib.Path(label.lstrip("/").replace(":", "/"))


def includes_of(path):
    return [(quote, name) for quote, name in INCLUDE.findall(path.read_text())]


def external(name):
    for pattern, labels in EXTERNAL:
        match = re.match(pattern, name)
        if match:
            return [match.expand(label) for label in labels]
    return []


def wrong_deps(target, owners):
    """Includes without a dep, and deps without an include."""
    own = set(target.names())
    used = set()
    for path in target.files():
        for quote, name in includes_of(path):
            if name in own:
                continue
            candidates = owners.get(name) or external(name)
            found = [label for label in candidates if label in target.deps]
            used.update(found)
            if not candidates and quote == '"':
                yield "{}: {} belongs to no target".format(path, name)
            elif candidates and not found:
                yield "{}: {} is in {}, which {} does not name".format(path, name, " or ".join(candidates), target.label)
    for dep in target.deps:
        if dep not in used and dep not in WITHOUT_HEADER:
            yield "{}: includes nothing of {}".format(target.label, dep)


def late_own_header(target):
    """Sources that include another header before their own."""
    names = {}
    for path in target.files():
        if path.suffix == ".h":
            prefixed = "{}/{}".format(target.include_prefix, path.relative_to(target.package))
            names[path.with_suffix(".cc")] = [str(path), prefixed]
    for path in target.files():
        included = [name for _, name in includes_of(path)]
        if path in names and (not included or included[0] not in names[path]):
            yield "{}: does not include its own header first".format(path)


def room_of(path):
    parts = pathlib.PurePath(path).parts
    return parts[1] if len(parts) > 2 else ""


def wrong_rooms():
    """Includes of rooms above, and rooms that are too large."""
    lines = collections.Counter()
    for path in sorted(pathlib.Path("service").rglob("*")):
        if path.suffix not in (".cc", ".h"):
            continue
        room = room_of(path)
        lines[room] += len(path.read_text().splitlines())
        if room not in ROOMS:
            yield "{}: the room {} is not among the rooms in scripts/check_includes.py".format(path, room)
            continue
        for _, name in includes_of(path):
            other = room_of(name)
            if name.startswith("service/") and other in ROOMS and ROOMS.index(other) < ROOMS.index(room):
                yield "{}: {} is in a room above".format(path, name)
    for room, count in sorted(lines.items()):
        if count > MOST_LINES:
            yield "service/{}: has {} lines, and a room may have {}".format(room, count, MOST_LINES)


def main():
    query = xml.etree.ElementTree.parse(sys.stdin)
    targets = [Target(rule) for rule in query.iter("rule") if rule.get("class") in ("cc_library", "cc_binary", "cc_test")]
    owners = collections.defaultdict(list)
    for target in targets:
        for name in target.names():
            owners[name].append(target.label)

    wrong = list(wrong_rooms())
    for target in targets:
        if not target.files():
            continue
        wrong += wrong_deps(target, owners)
        wrong += late_own_header(target)
        if target.package.startswith(("client", "flags", "service")) and "-std=c++17" not in target.copts:
            wrong.append("{}: load its rule from //bazel:cc.bzl".format(target.label))
    print("\n".join(sorted(wrong)), end="\n" if wrong else "")
    print("{} targets checked".format(len(targets)))
    sys.exit(1 if wrong or not targets else 0)


main()
