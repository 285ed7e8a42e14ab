#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of the whole daemon at a real server: bench_daemon.py VERSION [PEERS].

Start to running, memory and wake-ups when idle, and transfer through the relay, as rows of a table.
Needs what the interop suite needs; HEADNET_BUILD names a release build.
"""

import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "interop"))

import case  # noqa: E402
import client  # noqa: E402
import servers  # noqa: E402
from lab import Lab  # noqa: E402

STARTS = 10
IDLE_SECONDS = 60
TRANSFER = 100 * 1000 * 1000


def row(what, value, limit):
    print(f"| {what} | {value} | {limit} |", flush=True)


def memory(pid):
    """(anonymous, resident) in MB."""
    fields = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            name, _colon, rest = line.partition(":")
            if rest.endswith("kB\n"):
                fields[name] = int(rest.split()[0]) / 1000
    return fields["Anonymous"], fields["Rss"]


def switches(pid):
    """How often each of its threads has gone to sleep."""
    counts = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("voluntary_ctxt_switches"):
                    counts[thread] = int(line.split()[1])
    return counts


def wakeups(before, after):
    """Between two moments; a thread that ended meanwhile does not count."""
    return sum(count - before.get(thread, 0) for thread, count in after.items())


def cpu(pid):
    """Processor time in seconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_to_running(machine):
    """Seconds from the daemon's start until the bus says running, by the signal and not by asking.
    """
    machine.stop()
    begin = time.monotonic()
    machine.process = machine.host.start(machine.log_name, client.HEADNETD,
                                         env=dict(machine.env, **machine.environment))
    machine.ctl("wait", "--state", "running", "--timeout", "20")
    return time.monotonic() - begin



def bench(version, count):
    with Lab() as lab:
        server = servers.Headscale(lab, version)
        server.add_nodes(count - 1)
        peer = servers.Tailscaled(lab, "b", server)
        folder = lab.path("web", "")
        with open(f"{folder}data", "wb") as file:
            file.write(os.urandom(TRANSFER))
        servers.WebServer(lab, peer.host, folder)
        machine = client.Client(lab)
        machine.ctl("up", "--server", server.url, "--ca", server.ca, "--auth-key-file", "-",
                    stdin=server.key() + "\n")
        machine.wait_peer("ts-b", Online=True)

        print(f"| Headscale {version}, {count} peers | | wanted |\n|---|---|---|")
        times = []
        for _ in range(STARTS):
            times.append(start_to_running(machine))
        row("start to running, enrolled",
            f"{statistics.median(times):.3f} s (worst {max(times):.3f} s)",
            "0.3 s on 0.23.0; 0.29.2 itself takes 0.8 to 1 s")

        machine.wait_peer("ts-b", Online=True)
        time.sleep(10)
        pid = machine.pid()
        before = switches(pid)
        time.sleep(IDLE_SECONDS)
        anonymous, resident = memory(pid)
        row("memory, idle", f"{anonymous:.1f} MB anonymous, {resident:.1f} MB resident",
            "8 MB anonymous")
        row("wake-ups, idle", f"{wakeups(before, switches(pid)) / IDLE_SECONDS:.2f}/s", "1/s")

        used = cpu(pid)
        address = peer.addresses[0]
        speed = float(machine.host.run(
            "curl", "-sS", "-o", "/dev/null", "-w", "%{speed_download}", "--max-time", "240",
            f"http://{address}:{servers.WebServer.PORT}/data", timeout=250).stdout)
        row("100 MB through the relay",
            f"{speed / 1e6:.1f} MB/s, {(cpu(pid) - used) * 1e9 / TRANSFER:.1f} CPU-s/GB", "")
        anonymous, resident = memory(pid)
        row("memory after the transfer", f"{anonymous:.1f} MB anonymous, {resident:.1f} MB resident",
            "")
        machine.close()


def main():
    case.TestCase.VERSION = sys.argv[1]
    lack = case.lacking()
    if lack:
        print(f"skipped: {lack}")
        sys.exit(77)
    bench(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100)


if __name__ == "__main__":
    main()
