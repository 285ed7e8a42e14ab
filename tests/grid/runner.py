# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs laboratories beside each other, each in a process of its own, and reports as TAP and as a
table."""

import concurrent.futures
import ctypes
import json
import os
import signal
import subprocess
import sys

import natlab  # noqa: F401, puts tests/interop into the path
import case

HERE = os.path.dirname(os.path.abspath(__file__))
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def skip(version):
    """Prints why this machine can not run it, if so."""
    case.TestCase.VERSION = version
    lack = case.lacking()
    if lack:
        print(f"1..0 # SKIP {lack}")
    return bool(lack)


def run(program, *arguments):
    """The result of a program that prints one line of JSON, or what it said instead as "error"."""
    process = subprocess.Popen(
        [sys.executable, "-B", f"{HERE}/{program}", *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace",
        preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM))
    out, err = process.communicate()
    try:
        return json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        return {"error": (out + err).strip()}


def run_all(jobs, parallel, header):
    """Runs jobs of (name, program, arguments, judge, row): judge(result) returns what is wrong as a
    list, row(result, wrong) the line of the table as a list. Returns the exit status."""
    rows, failed = {}, 0
    print(f"1..{len(jobs)}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        futures = {pool.submit(run, program, *arguments): (place, name, judge, row)
                   for place, (name, program, arguments, judge, row) in enumerate(jobs)}
        for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
            place, name, judge, row = futures[future]
            result = future.result()
            error = result.get("error")
            wrong = ["it did not run"] if error else judge(result)
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
            for line in [*wrong, *(error.splitlines() if error else [json.dumps(result)])]:
                print(f"# {line}")
            sys.stdout.flush()
            verdict = "; ".join(wrong) or "ok"
            rows[place] = [name, *(["-"] * (len(header) - 2) if error else row(result)), verdict]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    lines += ["| " + " | ".join(rows[place]) + " |" for place in sorted(rows)]
    for line in lines:
        print(f"# {line}")
    if os.environ.get("HEADNET_TABLE"):
        with open(os.environ["HEADNET_TABLE"], "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n\n")
    return 1 if failed else 0
