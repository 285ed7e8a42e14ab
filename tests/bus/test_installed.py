#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that tell the system about the daemon: starts on demand, is not started by onlookers,
and the unit leaves little to gain."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("HEADNET_SOURCE", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("HEADNET_BUILD", os.path.join(SOURCE, "build"))
HEADNETD = os.environ.get("HEADNETD", os.path.join(BUILD, "daemon", "headnetd"))
NAME = "org.headnet.Headnet1"
PATH = "/org/headnet/Headnet1"

# Not of the type "system", whose buses start services through a set-uid helper alone.
BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path={directory}/bus</listen>
  <servicedir>{directory}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class Skip(Exception):
    """What a case lacks."""


def call(method, *arguments, auto_start=True):
    return subprocess.run(
        ["busctl", "--system", f"--auto-start={'yes' if auto_start else 'no'}", "call", NAME, PATH,
         *method.rsplit(".", 1), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def is_running():
    result = subprocess.run(
        ["busctl", "--system", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus",
         "NameHasOwner", "s", NAME], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    return "true" in result.stdout


def test_activation(directory):
    if os.getuid() != 0:
        raise Skip("needs root")
    for program in ("dbus-daemon", "busctl"):
        if shutil.which(program) is None:
            raise Skip(f"needs {program}")
    if not os.path.exists(HEADNETD):
        raise Skip(f"needs {HEADNETD}")

    os.makedirs(f"{directory}/services")
    with open(f"{BUILD}/data/{NAME}.service", encoding="utf-8") as file:
        text = file.read()
    assert f"Name={NAME}\n" in text and "SystemdService=headnetd.service\n" in text, text
    assert "User=root\n" in text, text
    text, found = re.subn(r"(?m)^Exec=\S+/headnetd --exit-when-idle$",
                          f"Exec={HEADNETD} --exit-when-idle", text)
    assert found == 1, text
    with open(f"{directory}/services/{NAME}.service", "w", encoding="utf-8") as file:
        file.write(text.replace("SystemdService=headnetd.service\n", ""))
    with open(f"{directory}/bus.conf", "w", encoding="utf-8") as file:
        file.write(BUS_CONFIG.format(directory=directory))
    environment = dict(os.environ, STATE_DIRECTORY=f"{directory}/state",
                       RUNTIME_DIRECTORY=f"{directory}/run",
                       DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={directory}/bus")
    for name in ("state", "run"):
        os.makedirs(f"{directory}/{name}", mode=0o700)
    bus = subprocess.Popen(["dbus-daemon", f"--config-file={directory}/bus.conf", "--nofork",
                            "--nopidfile"], env=environment, stderr=subprocess.DEVNULL)
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = environment["DBUS_SYSTEM_BUS_ADDRESS"]
    try:
        end = time.monotonic() + 10
        while not os.path.exists(f"{directory}/bus") and time.monotonic() < end:
            time.sleep(0.05)
        onlooker = call("org.freedesktop.DBus.ObjectManager.GetManagedObjects", auto_start=False)
        assert onlooker.returncode != 0 and not is_running(), onlooker.stdout

        start = time.monotonic()
        asked = call(f"{NAME}.Manager.AddTailnet", "a{sv}", "2", "ServerUrl", "s",
                     "http://127.0.0.1:9", "Name", "s", "home")
        print(f"# started and answered in {(time.monotonic() - start) * 1000:.0f} ms")
        assert asked.returncode == 0 and "tailnet/home" in asked.stdout, asked.stdout
        assert is_running()
    finally:
        bus.terminate()
        bus.wait()


def test_unit_exposure(_directory):
    if shutil.which("systemd-analyze") is None:
        raise Skip("needs systemd-analyze")
    unit = f"{BUILD}/data/headnetd.service"
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if "unrecognized option" in result.stdout:
        raise Skip("needs systemd-analyze security --offline (systemd 250)")
    print("#", result.stdout.strip().splitlines()[-1])
    assert result.returncode == 0, result.stdout


def test_bus_policy(_directory):
    """Nobody but root may own the name, and no rule reaches further than our own name."""
    with open(f"{SOURCE}/data/{NAME}.conf", encoding="utf-8") as file:
        text = file.read()
    assert text.count(" own=") == 1 and f'<allow own="{NAME}"/>' in text
    rules = re.findall(r"<allow\s[^>]*>", text)
    assert all("own=" in rule or f'send_destination="{NAME}"' in rule for rule in rules), rules


def run_inside():
    tests = [test_activation, test_unit_exposure, test_bus_policy]
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        directory = tempfile.mkdtemp(prefix="hn-installed-")
        try:
            test(directory)
            print(f"ok {number} {test.__name__}", flush=True)
        except Skip as reason:
            print(f"ok {number} {test.__name__} # SKIP {reason}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} {test.__name__}", flush=True)
            for line in f"{type(error).__name__}: {error}".splitlines():
                print(f"# {line}", flush=True)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    return 1 if failed else 0


def main():
    """In name spaces of its own where that is possible: the daemon must not see the machine's
    network, and everything it leaves has to end."""
    spaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if "--inside" not in sys.argv and os.getuid() == 0 and shutil.which("unshare") is not None:
        probe = subprocess.run(spaces + ["true"], stderr=subprocess.DEVNULL, check=False)
        if probe.returncode == 0:
            command = [sys.executable, "-B", os.path.abspath(__file__), "--inside"]
            sys.exit(subprocess.run(spaces + command, check=False).returncode)
        print("1..0 # SKIP may not make name spaces")
        sys.exit(0)
    sys.exit(run_inside())


if __name__ == "__main__":
    main()
