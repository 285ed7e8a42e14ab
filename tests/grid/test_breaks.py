#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths that break in the middle of a transfer, and how long no data comes: breaks.py has the list.

    test_breaks.py [--quick] [--clients hn-ts,hn-hn,ts-ts] [--faults NAME+NAME] [--jobs N]
                   [--server VERSION]

Prints TAP and then a table, in Markdown into the file that HEADNET_TABLE names. Data has to come
again within two seconds where anybody can know. That is judged by datagrams: TCP waits for up to twice the time that nothing
came before it tries again, whatever the path does. --quick is two faults, judged less strictly.
What two tailscaled need stands beside it and is not judged.
"""

import argparse
import statistics
import sys

import runner
import case
from breaks import FAULTS

QUICK = ("UDP blocked, lifted", "own address")
HEADER = ("clients, fault", "no data, s", "no TCP, s", "afterwards, s", "TCP", "direct again, s", "")
# More time with a sanitizer and beside other tests.
QUICK_FACTOR = 2.5


def judge(quick, result):
    """What is wrong with a result, as a list of sentences."""
    wrong = []
    limit = FAULTS[result["fault"]].LIMIT * (QUICK_FACTOR if quick else 1)
    if result["ended"]:
        wrong.append("the transfer ended")
    if not result["found_direct"] and "paths" in result:
        wrong.append("it was not direct before")
    for moment in ("begin", "end"):
        gaps = result[moment]
        if gaps and gaps["datagrams"] > limit:
            wrong.append(f"no data for {gaps['datagrams']} s at its {moment}")
    if "paths" in result and result["fault"] != "NAT becomes hard" and \
            result["direct_again"] is None:
        wrong.append("not direct again")
    return wrong


def row(result):
    def seconds(value):
        return "-" if value is None else f"{value:.2f}"

    columns = []
    for moment in ("begin", "end"):
        gaps = result[moment] or {}
        columns += [seconds(gaps.get("datagrams")), seconds(gaps.get("transfer"))]
    return [*columns, seconds(result["direct_again"])]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--clients", default="")
    parser.add_argument("--faults", default="")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--server", default=case.DEFAULT_VERSION)
    args = parser.parse_args()
    if runner.skip(args.server):
        return 0
    names = args.faults.split("+") if args.faults else QUICK if args.quick else list(FAULTS)
    clients = args.clients.split(",") if args.clients else \
        ["hn-ts"] if args.quick else ["ts-ts", "hn-ts", "hn-hn"]
    jobs = [(f"{kind} {name}", "breaks.py", [kind, name, "--server", args.server],
             (lambda result: []) if kind == "ts-ts" else lambda result: judge(args.quick, result), row)
            for name in names for kind in clients]
    return runner.run_all(jobs, args.jobs, HEADER)


if __name__ == "__main__":
    sys.exit(main())
