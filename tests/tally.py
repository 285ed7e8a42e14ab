#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up what meson wrote about its test runs: tally.py [--strict] [--skip "TEXT"]... LOG.json...

Prints failed and skipped tests with their reasons and "N passed, N failed, N skipped" as the last
line. A program that speaks TAP counts by its cases, any other as one. --skip adds one skipped suite.
With --strict a skipped test is a failure of the run. Exit status: 0 only if nothing failed and
something passed.
"""

import argparse
import json
import re
import sys

CASE = re.compile(r"^[ \t]*(not )?ok(?: \d+)?(?:[ -]+(.*?))?(?:[ \t]*# *(SKIP)\b[: ]*(.*))?$",
                  re.I)


def reason_of(test):
    text = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    for line in reversed(text.splitlines()):
        match = re.search(r"(?:1\.\.0 *# *)?skip(?:ped)?:?\s+(.*)", line, re.I)
        if match:
            return match.group(1).strip()
    return "no reason given"


def cases(test):
    """(result, name, reason) of each case of one meson test."""
    name = test["name"].split(" / ")[-1]
    result = test["result"]
    if result in ("EXPECTEDFAIL", "OK", "SKIP", "FAIL", "ERROR", "TIMEOUT", "INTERRUPT",
                  "UNEXPECTEDPASS"):
        found = []
        for line in (test.get("stdout") or "").splitlines():
            match = CASE.match(line)
            if match and result != "EXPECTEDFAIL":
                label = f"{name}: {(match.group(2) or '').strip()}".rstrip(": ")
                if (match.group(3) or "").upper() == "SKIP":
                    found.append(("skipped", label, (match.group(4) or "").strip()))
                else:
                    found.append(("failed" if match.group(1) else "passed", label, ""))
        if result in ("OK", "EXPECTEDFAIL"):
            return found or [("passed", name, "")]
        if result == "SKIP":
            return found or [("skipped", name, reason_of(test))]
        # failed: perhaps after its last case, or without a word
        if not any(case[0] == "failed" for case in found):
            found.append(("failed", name, result.lower()))
        return found
    return [("failed", name, f"unknown result {result}")]


def tally(logs):
    for log in logs:
        try:
            with open(log, encoding="utf-8", errors="replace") as file:
                for line in file:
                    for case in cases(json.loads(line)):
                        yield case
        except FileNotFoundError:
            yield "failed", log, "the run left no results"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--skip", action="append", default=[], metavar="TEXT")
    parser.add_argument("--fail", action="append", default=[], metavar="TEXT")
    parser.add_argument("logs", nargs="*")
    args = parser.parse_args()
    results = list(tally(args.logs))
    results += [("skipped", *text.split(": ", 1)) for text in args.skip]
    results += [("failed", *text.split(": ", 1)) for text in args.fail]
    count = {kind: sum(1 for r in results if r[0] == kind) for kind in ("passed", "failed", "skipped")}
    for kind in ("failed", "skipped"):
        for _, name, reason in (r for r in results if r[0] == kind):
            print(f"{kind}: {name}" + (f" ({reason})" if reason else ""))
    strict = args.strict and count["skipped"] > 0
    if strict:
        print("A skipped test counts as a failure here (CI is set).")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count))
    return 1 if count["failed"] or strict or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
