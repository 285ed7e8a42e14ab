#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorded list of symbols, the headers and the built library say the same."""

import os
import re
import subprocess
import sys

SOURCE = os.path.join(os.environ["HEADNET_SOURCE"], "libheadnet-glib")
LIBRARY = os.path.join(os.environ["HEADNET_BUILD"], "libheadnet-glib", "libheadnet-glib-1.so.0")
TYPE = re.compile(r"G_DECLARE_FINAL_TYPE \(\w+, (\w+),")
FUNCTION = re.compile(r"HEADNET_AVAILABLE\s+[^;(]*?(headnet_\w+) \(")


def recorded():
    """Symbol -> version."""
    version, found = None, {}
    with open(os.path.join(SOURCE, "libheadnet-glib-1.map"), encoding="utf-8") as file:
        for line in file:
            node = re.match(r"(LIBHEADNET_GLIB_[\d.]+) \{", line)
            version = node.group(1) if node else version
            symbol = re.match(r"  (headnet_\w+);", line)
            if symbol:
                found[symbol.group(1)] = version
    return found


def declared():
    text = ""
    for name in sorted(os.listdir(SOURCE)):
        if name.endswith(".h") and not name.endswith("-private.h"):
            with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
                text += file.read()
    enums = re.findall(r"^\} Headnet(\w+);", text, re.M)
    return (set(FUNCTION.findall(text)) | {f"{name}_get_type" for name in TYPE.findall(text)}
            | {f"headnet_{name.lower()}_get_type" for name in enums})


def exported():
    done = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", LIBRARY],
                          stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        kind, name = line.split()[1:3]
        # what a sanitizer adds, and the names of the versions themselves
        if kind != "A" and not name.startswith(("__asan", "__odr_asan", "__ubsan", "__tsan")):
            found[name.split("@")[0]] = name.split("@")[-1]
    return found


def main():
    problems = []
    for title, first, second in (
            ("declared, not recorded", declared(), set(recorded())),
            ("recorded, not declared", set(recorded()), declared()),
            ("recorded, not exported so", set(recorded().items()), set(exported().items())),
            ("exported, not recorded so", set(exported().items()), set(recorded().items()))):
        difference = sorted(str(item) for item in first - second)
        print(f"{'not ok' if difference else 'ok'} - nothing {title}")
        for item in difference:
            print(f"# {item}")
        problems += difference
    print("1..4")
    sys.exit(1 if problems else 0)


main()
