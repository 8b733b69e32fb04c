#!/usr/bin/python3
"""Counts what `bazel test` ran: `N passed, N failed`, and `, N skipped` after a line with the reasons.

Reads Bazel's build event file (--build_event_json_file) and the test.xml of each test that it names. Test cases count,
cached ones too. A test that tells no cases, or that failed with no case failing (a crash, a timeout), counts as one,
and so does each target that could not be built, or else Bazel's own failure. Exits 0 if something passed and nothing
failed.

usage: count_tests.py BUILD_EVENT_FILE EXIT_CODE_OF_BAZEL
"""

import collections
import json
import sys
import urllib.parse
import xml.etree.ElementTree

Counts = collections.namedtuple("Counts", ["passed", "failed", "skipped"])

# Bazel's exit code when there are no tests among the targets.
NO_TESTS = 4


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.rstrip().rpartition("\n")[2])
    counts = count(read_events(sys.argv[1]), int(sys.argv[2]))
    for name in counts.failed:
        print("failed: " + name)
    if counts.skipped:
        print("skipped: " + "; ".join(counts.skipped))
    print(closing_line(counts))
    sys.exit(0 if counts.passed and not counts.failed else 1)


def closing_line(counts):
    line = "{} passed, {} failed".format(len(counts.passed), len(counts.failed))
    return line + (", {} skipped".format(len(counts.skipped)) if counts.skipped else "")


def read_events(path):
    """The events in the file; a last one that Bazel did not get to finish is left out."""
    events = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                events.append(json.loads(line))
            except ValueError:
                break
    return events


def count(events, bazel_exit_code=0):
    """The names of all test cases, by what became of them."""
    results, summaries = {}, {}
    unbuilt = []
    for event in events:
        event_id = event.get("id", {})
        if "testResult" in event_id:
            key = event_id["testResult"]
            # Of several attempts at a flaky test the last one counts.
            results[key["label"], key.get("run", 1), key.get("shard", 1)] = event.get("testResult", {})
        elif "testSummary" in event_id:
            summaries[event_id["testSummary"]["label"]] = event.get("testSummary", {}).get("overallStatus", "NO_STATUS")
        elif "targetCompleted" in event_id and not event.get("completed", {}).get("success"):
            unbuilt.append(event_id["targetCompleted"]["label"])

    counts = Counts([], [], [])
    for (label, _, _), result in sorted(results.items()):
        add_result(counts, label, result.get("status", "NO_STATUS"), xml_path(result))
    ran = {label for label, _, _ in results}
    for label, status in sorted(summaries.items()):
        if label not in ran and label not in unbuilt:
            counts.failed.append("{} ({})".format(label, status))
    for label in sorted(set(unbuilt) - ran):
        counts.failed.append(label + " (could not be built)")
    if bazel_exit_code not in (0, NO_TESTS) and not counts.failed:
        counts.failed.append("bazel (exit code {})".format(bazel_exit_code))
    return counts


def xml_path(result):
    for output in result.get("testActionOutput", []):
        if output.get("name") == "test.xml":
            uri = urllib.parse.urlsplit(output.get("uri", ""))
            return urllib.parse.unquote(uri.path) if uri.scheme == "file" else None
    return None


def add_result(counts, label, status, path):
    own = cases(label, path)
    if status not in ("PASSED", "FLAKY") and not own.failed:
        own.failed.append("{} ({})".format(label, status))
    if not any(own):
        own.passed.append(label)
    for total, names in zip(counts, own):
        total.extend(names)


def cases(label, path):
    """The cases that a test.xml tells of, as GoogleTest, unittest or Bazel itself write it."""
    found = Counts([], [], [])
    try:
        root = xml.etree.ElementTree.parse(path).getroot() if path else None
    except (OSError, xml.etree.ElementTree.ParseError):
        root = None
    for case in root.iter("testcase") if root is not None else ():
        class_name, name = case.get("classname", ""), case.get("name", "")
        # Bazel's own test.xml has one case that is named like the test.
        own_name = ".".join(part for part in (class_name, name) if part)
        full_name = label if own_name == label.lstrip("/").replace(":", "/") else label + " " + own_name
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            found.failed.append(full_name)
        elif skipped is not None:
            reason = " ".join((skipped.get("message") or skipped.text or "no reason given").split())
            found.skipped.append("{} ({})".format(full_name, reason))
        elif case.get("status") == "notrun":
            found.skipped.append(full_name + " (disabled)")
        else:
            found.passed.append(full_name)
    return found


if __name__ == "__main__":
    main()
