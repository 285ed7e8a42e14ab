#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one fuzz target for a while, or prints what many found.

    run.py PROGRAM CORPUS         fuzzes for HEADNET_FUZZ_SECONDS (20), starting from the corpus
    run.py --table LOG.json       the table of a run of the suite "fuzz" by meson, as in LOG.md

What a target learns and what brings it down stay in the build directory, beside the program:
corpus-NAME/ (the next run starts from there, too) and crash-NAME-*. A message of GLib that is
critical, undefined behaviour, a leak, 20 s for one input and 2 GiB of memory count as crashes.
"""

import datetime
import glob
import json
import os
import re
import subprocess
import sys
import time

# for the table, in the output of the test
RESULT = "RESULT "


def run(program, corpus):
    name = os.path.basename(program).split("-", 1)[1]
    folder = os.path.dirname(os.path.abspath(program))
    learned = os.path.join(folder, "corpus-" + name)
    crash = os.path.join(folder, f"crash-{name}-")
    seconds = int(os.environ.get("HEADNET_FUZZ_SECONDS", "20"))
    os.makedirs(learned, exist_ok=True)
    environment = dict(os.environ, G_DEBUG="fatal-criticals",
                       ASAN_OPTIONS="intercept_tls_get_addr=0",
                       UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")
    start = time.time()
    process = subprocess.Popen(
        [program, f"-max_total_time={seconds}", "-print_final_stats=1", "-rss_limit_mb=2048",
         "-timeout=20", f"-artifact_prefix={crash}", learned, corpus],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        errors="replace")
    tail, coverage, executions = [], 0, 0
    for line in process.stderr:
        tail = tail[-60:] + [line.rstrip()]
        found = re.search(r"\bcov: (\d+)", line)
        coverage = int(found.group(1)) if found else coverage
        found = re.match(r"(?:#|stat::number_of_executed_units: *)(\d+)", line)
        executions = max(executions, int(found.group(1))) if found else executions
    status = process.wait()
    # an input that was slow, but not too slow, is kept as well
    inputs = sorted(path for path in glob.glob(crash + "*") if os.path.getmtime(path) >= start - 1
                    and not path.startswith(crash + "slow-unit"))
    if status:
        print("\n".join(tail))
        print("the input:", ", ".join(inputs) or "none was written")
    print(RESULT + json.dumps({
        "target": name, "seconds": round(time.time() - start), "executions": executions,
        "coverage": coverage, "crashes": len(inputs) or int(status != 0), "inputs": inputs}))
    return 1 if status else 0


def table(path):
    results = []
    with open(path, encoding="utf-8") as log:
        for line in log:
            output = json.loads(line).get("stdout") or ""
            results += [json.loads(text[len(RESULT):]) for text in output.splitlines()
                        if text.startswith(RESULT)]
    day = datetime.date.today()
    print("| date | target | hours | executions | coverage | findings |")
    print("|---|---|---:|---:|---:|---|")
    for result in sorted(results, key=lambda result: result["target"]):
        findings = f"{result['crashes']} to look into" if result["crashes"] else "none"
        print(f"| {day} | {result['target']} | {result['seconds'] / 3600:.2f} "
              f"| {result['executions']} | {result['coverage']} | {findings} |")
    hours = sum(result["seconds"] for result in results) / 3600
    total = sum(result["executions"] for result in results)
    print(f"{len(results)} targets, {hours:.2f} hours, {total} executions")
    for result in results:
        for found in result["inputs"]:
            print(f"{result['target']} crashed, its input: {found}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--table":
        table(sys.argv[2])
    else:
        sys.exit(run(sys.argv[1], sys.argv[2]))


if __name__ == "__main__":
    main()
