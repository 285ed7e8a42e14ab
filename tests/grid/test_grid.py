#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The NAT grid: every kind of NAT on both sides, and which path two nodes find through them.

    test_grid.py [--quick] [--clients hn-ts,hn-hn] [--cells none-none+easy-hard] [--seconds N]
                 [--jobs N] [--server VERSION]

Prints TAP and then a table, in Markdown into the file that HEADNET_TABLE names. A cell is right when
both sides say that they use the path that two tailscaled find (or a better one), soon enough, and
when no ping was lost from the first answered one on. --quick is four cells and judges time less
strictly: for a loaded machine and a build with sanitizers.
"""

import argparse
import concurrent.futures
import ctypes
import json
import os
import signal
import subprocess
import sys

import natlab
import case
import client

HERE = os.path.dirname(os.path.abspath(__file__))
QUICK = ("none-none", "easy-easy", "easy-hard", "hard-hard")
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

# More than the sixteen: (name, arguments of cell.py, packets that may be lost). A direct path that
# breaks loses what was on it until that is noticed: two seconds at most each time. Nothing is lost
# when a direct path opens. Two tailscaled lose 27 in each of the last two, and stay on the relay for
# longer than these runs last.
MORE = (
    ("none-none, IPv6", ["none", "none", "--ipv6"], 0),
    ("hard-hard, IPv6", ["hard", "hard", "--ipv6", "--expect", "relay"], 0),
    ("blocked-easy, a opens", ["blocked", "easy", "--switch", "10:a:easy", "--expect", "direct"],
     0),
    ("easy-easy, a blocked 10 s", ["easy", "easy", "--switch", "10:a:blocked", "--switch",
                                   "20:a:easy"], 10),
    ("easy-easy, a hard 15 s", ["easy", "easy", "--switch", "10:a:hard", "--switch", "25:a:easy"],
     20),
)


def limit(name, quick):
    """Seconds from the first packet to the direct path."""
    if quick:
        return 10.0
    return 0.3 if name == "none-none" else 1.5


def run_cell(clients, arguments, seconds, server):
    """Runs cell.py and returns its result, or what it said instead."""
    argv = [sys.executable, "-B", f"{HERE}/cell.py", clients, *arguments, "--seconds",
            str(seconds), "--server", server]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="replace", preexec_fn=lambda: _libc.prctl(
                                   PR_SET_PDEATHSIG, signal.SIGTERM))
    out, err = process.communicate()
    try:
        return json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        return {"error": (out + err).strip()}


def judge(name, result, may_lose, quick):
    """What is wrong with a result, as a list of sentences."""
    if "error" in result:
        return ["it did not run"]
    wrong = []
    direct = result["expected"] == "direct"
    paths = [result["path_a"][0], result["path_b"][0]]
    if direct and paths != ["direct", "direct"]:
        wrong.append(f"paths {' and '.join(paths)}, not direct")
    if not direct and not set(paths) <= {"direct", "relay"}:
        wrong.append(f"paths {' and '.join(paths)}")
    moments = [result["direct_a"], result["direct_b"]]
    if direct and "," not in name and None not in moments:
        slowest = max(moments)
        if slowest > limit(name, quick):
            wrong.append(f"direct only after {slowest} s")
    if result["lost"] > may_lose:
        wrong.append(f"{result['lost']} of {result['sent']} pings lost")
    return wrong


def row(name, clients, result, wrong):
    if "error" in result:
        return f"| {clients} | {name} | - | - | - | - | - | it did not run |"

    def side(letter):
        path = " ".join(result[f"path_{letter}"])
        seconds = result[f"direct_{letter}"]
        return path, "-" if seconds is None else f"{seconds:.2f}"

    (path_a, time_a), (path_b, time_b) = side("a"), side("b")
    return (f"| {clients} | {name} | {path_a} | {time_a} | {path_b} | {time_b} | "
            f"{result['lost']}/{result['sent']} | {'; '.join(wrong) or 'ok'} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--clients", default="")
    parser.add_argument("--cells", default="")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--server", default=case.DEFAULT_VERSION)
    args = parser.parse_args()
    case.TestCase.VERSION = args.server
    lack = case.lacking()
    if lack:
        print(f"1..0 # SKIP {lack}")
        return 77
    seconds = args.seconds or (8 if args.quick else 60)
    names = [f"{a}-{b}" for a in natlab.KINDS for b in natlab.KINDS]
    cells = [(name, name.split("-"), 0) for name in (QUICK if args.quick else names)]
    if not args.quick:
        cells += MORE
    if args.cells:
        cells = [c for c in [*((n, n.split("-"), 0) for n in names), *MORE]
                 if c[0] in args.cells.split("+")]
    jobs = [(kind, *cell) for kind in (args.clients or "hn-ts,hn-hn").split(",") for cell in cells]
    if args.quick and not args.clients:
        # both kinds of peers, in half the time
        jobs = [("hn-ts", *cell) for cell in cells[:3]] + [("hn-hn", *cells[1])]
    rows, failed = [], 0
    print(f"1..{len(jobs)}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = {pool.submit(run_cell, kind, arguments, seconds, args.server):
                   (number, kind, name, may_lose)
                   for number, (kind, name, arguments, may_lose) in enumerate(jobs)}
        for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
            place, kind, name, may_lose = futures[future]
            result = future.result()
            wrong = judge(name, result, may_lose, args.quick)
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {number} - {kind} {name}")
            for line in [*wrong, *result.pop("error", "").splitlines()]:
                print(f"# {line}")
            print(f"# {json.dumps(result)}", flush=True)
            rows.append((place, row(name, kind, result or {"error": ""}, wrong)))
    table = ["| clients | cell | a's path | s | b's path | s | lost | |",
             "|---|---|---|---|---|---|---|---|", *(text for _place, text in sorted(rows))]
    for line in table:
        print(f"# {line}")
    if os.environ.get("HEADNET_TABLE"):
        with open(os.environ["HEADNET_TABLE"], "a", encoding="utf-8") as file:
            file.write("\n".join(table) + "\n\n")
    print(f"# {client.HEADNETD}, Headscale {args.server}, {seconds:.0f} s each", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
