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
import shutil
import sys

import natlab
import runner
import case

QUICK = ("none-none", "easy-easy", "easy-hard")
HEADER = ("clients, cell", "a's path", "s", "b's path", "s", "lost", "")

# More than the sixteen: (name, arguments of cell.py, packets that may be lost). A direct path that
# breaks loses what was on it until that is noticed: two seconds at most each time. Nothing is lost
# when a direct path opens. Two tailscaled lose 27 in each of the last two, and stay on the relay for
# longer than these runs last. In the last one a tailscaled goes on sending to the port that is no
# more for seven seconds, whoever its peer is.
MORE = (
    ("none-none, IPv6", ["none", "none", "--ipv6"], 0),
    ("hard-hard, IPv6", ["hard", "hard", "--ipv6", "--expect", "relay"], 0),
    ("hard-hard, mapping", ["hard", "hard", "--mapping", "all"], 0),
    ("hard-hard, NAT-PMP", ["hard", "hard", "--mapping", "pmp"], 0),
    ("hard-hard, UPnP", ["hard", "hard", "--mapping", "upnp"], 0),
    ("blocked-easy, a opens", ["blocked", "easy", "--switch", "10:a:easy", "--expect", "direct"],
     0),
    ("easy-easy, a blocked 10 s", ["easy", "easy", "--switch", "10:a:blocked", "--switch",
                                   "20:a:easy"], 10),
    ("easy-easy, a hard 15 s", ["easy", "easy", "--switch", "10:a:hard", "--switch", "25:a:easy"],
     40),
)


def limit(name, quick):
    """Seconds from the first packet to the direct path."""
    if quick:
        return 10.0
    return 0.3 if name == "none-none" else 1.5


def judge(name, may_lose, quick, result):
    """What is wrong with a result, as a list of sentences."""
    wrong = []
    direct = result["expected"] == "direct"
    paths = [result["path_a"][0], result["path_b"][0]]
    if direct and paths != ["direct", "direct"]:
        wrong.append(f"paths {' and '.join(paths)}, not direct")
    if not direct and not set(paths) <= {"direct", "relay"}:
        wrong.append(f"paths {' and '.join(paths)}")
    moments = [result["direct_a"], result["direct_b"]]
    if direct and "," not in name and None not in moments and max(moments) > limit(name, quick):
        wrong.append(f"direct only after {max(moments)} s")
    if result["lost"] > may_lose:
        wrong.append(f"{result['lost']} of {result['sent']} pings lost")
    return wrong


def row(result):
    columns = []
    for side in "ab":
        seconds = result[f"direct_{side}"]
        columns += [" ".join(result[f"path_{side}"]), "-" if seconds is None else f"{seconds:.2f}"]
    return [*columns, f"{result['lost']}/{result['sent']}"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--clients", default="")
    parser.add_argument("--cells", default="")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--server", default=case.DEFAULT_VERSION)
    args = parser.parse_args()
    if runner.skip(args.server):
        return 0
    seconds = args.seconds or (8 if args.quick else 60)
    cells = [*((f"{a}-{b}", [a, b], 0) for a in natlab.KINDS for b in natlab.KINDS), *MORE]
    if args.cells:
        cells = [cell for cell in cells if cell[0] in args.cells.split("+")]
    elif args.quick:
        cells = [cell for cell in cells if cell[0] in QUICK]
    if not shutil.which("miniupnpd"):
        print("# no miniupnpd here: the cells with it are left out")
        cells = [cell for cell in cells if "--mapping" not in cell[1]]
    chosen = [(clients, *cell) for clients in (args.clients or "hn-ts,hn-hn").split(",")
              for cell in cells]
    if args.quick and not args.clients and not args.cells:
        # with both kinds of peers, without twice the time
        chosen = [cell for cell in chosen if cell[0] == "hn-ts" or cell[1] == "easy-easy"]
    jobs = [(f"{clients} {name}", "cell.py",
             [clients, *arguments, "--seconds", str(seconds), "--server", args.server],
             lambda result, name=name, may_lose=may_lose: judge(name, may_lose, args.quick, result),
             row) for clients, name, arguments, may_lose in chosen]
    return runner.run_all(jobs, args.jobs, HEADER)


if __name__ == "__main__":
    sys.exit(main())
