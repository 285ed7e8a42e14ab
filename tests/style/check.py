#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of style that a compiler does not do: check.py NAME ROOT, check.py --list.

Each check is a function that takes a Tree and returns complaints. selftest.py feeds each of them
something bad. Exit status: 0 clean, 1 complaints, 77 skipped.
"""

import os
import re
import shutil
import subprocess
import sys

MAX_LINES = 1000

# Who may include whom in daemon/: the arrows of ARCHITECTURE.md with all that follows from them.
# A value with a slash is that one header.
LAYERS = {
    "base": [],
    "crypto": ["base"],
    "model": ["crypto", "base"],
    "net": ["base"],
    "control": ["net", "model", "crypto", "base"],
    "wireguard": ["crypto", "base"],
    "path": ["net", "model", "crypto", "base"],
    "names": ["model", "net", "crypto", "base"],
    "dataplane": ["wireguard", "path", "names", "net", "model", "crypto", "base"],
    "tun": ["dataplane/hn-packet-port.h", "base"],
    "netstack": ["dataplane/hn-packet-port.h", "net", "base"],
    "system": ["model", "crypto", "base"],
    "engine": [
        "control", "dataplane", "tun", "netstack", "system", "names",
        "wireguard", "path", "net", "model", "crypto", "base",
    ],
    "bus": ["engine", "model", "crypto", "base"],
}

# Headers of other projects that only some places may name: (pattern, place, why).
FOREIGN = [
    (r"sodium(/.*)?\.h|sodium|gnutls/.*|gcrypt\.h|openssl/.*|intel-ipsec-mb\.h|nettle/.*",
     r"daemon/crypto/|tests/", "only daemon/crypto names a crypto library"),
    (r"json-glib/.*", r".*-codec\.c|cli/|tests/|tools/", "json-glib belongs into *-codec.c"),
    (r"nghttp2/.*", r"daemon/net/|tests/", "only daemon/net names nghttp2"),
    (r"polkit/.*", r"daemon/bus/|tests/", "only daemon/bus names polkit"),
    (r"netlink/.*", r"daemon/system/|tests/", "only daemon/system names libnl"),
]

# What a folder promises to do without, whoever provides it.
WITHOUT = [
    ("wireguard", r"gio/.*|glib-object\.h|sys/socket\.h|netinet/.*|arpa/.*",
     "wireguard has no GObject and no sockets"),
    ("model", r"gio/gnetworking\.h|sys/socket\.h", "model has no sockets"),
    ("crypto", r"gio/.*|sys/socket\.h", "crypto does no I/O"),
]

CODE = (".c", ".h")
TEXT = CODE + (".py", ".sh", ".build", ".xml", ".md", ".in", ".bash", ".zsh", ".fish", ".go",
               ".service", ".conf", ".policy", ".yaml", ".json", ".txt")


class Skip(Exception):
    """The check can not be made here; the text says what is missing."""


class Tree:
    """The project's own files: what git knows or would take, else everything but build folders."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        self._paths = None

    def _from_git(self):
        if not os.path.exists(os.path.join(self.root, ".git")):
            return None
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", self.root, "ls-files", "-z", "--cached",
             "--others", "--exclude-standard"], capture_output=True, check=False)
        return done.stdout.decode().split("\0") if done.returncode == 0 else None

    def _from_disk(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders
                          if f != ".git" and not f.startswith("build") and f != "__pycache__"]
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), self.root)

    @property
    def paths(self):
        if self._paths is None:
            found = self._from_git()
            found = self._from_disk() if found is None else found
            self._paths = sorted({p for p in found if p and self._is_ours(p)})
        return self._paths

    def _is_ours(self, path):
        full = os.path.join(self.root, path)
        return (os.path.isfile(full) and not os.path.islink(full)
                and not path.startswith(("LICENSES/", "subprojects/", "tests/fuzz/corpus/"))
                and os.path.basename(path) not in ("go.mod", "go.sum"))

    def select(self, *suffixes):
        return [p for p in self.paths if p.endswith(suffixes)]

    def scripts(self):
        """Shell scripts: by suffix or by their first line."""
        for path in self.paths:
            if path.endswith((".sh", ".bash")):
                yield path
            elif "." not in os.path.basename(path):
                if re.match(r"#!.*\b(ba|da)?sh\b", self.lines(path)[0] if self.lines(path) else ""):
                    yield path

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8",
                  errors="replace", newline="") as file:
            return file.read()

    def lines(self, path):
        return self.read(path).splitlines()


def includes(text):
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text, re.M):
        yield match.group(1), match.group(2), text.count("\n", 0, match.start()) + 1


def is_generated_bus(name):
    return bool(re.search(r"dbus.*\.h$", name)) and not name.startswith("dbus/")


def check_layer(path, quote, name):
    """Why a file of daemon/ may not include this, or None."""
    parts = path.split("/")
    folder = parts[1] if len(parts) > 2 else None
    if folder is None:  # main.c builds the objects and hands them to each other
        return None
    if is_generated_bus(name) and folder != "bus":
        return "generated D-Bus code stays in bus"
    if quote == "<" or name == "config.h":
        return None
    if folder not in LAYERS:
        return f"folder {folder} has no row in the table of layers"
    target = name.split("/")[0] if "/" in name else folder
    if "/" not in name and not is_generated_bus(name) and not name.endswith(".inc"):
        return 'write "folder/hn-name.h"'
    if target != folder and target not in LAYERS[folder] and name not in LAYERS[folder]:
        return f"{folder} may not see {target}"
    return None


def check_client(tree, path, name):
    """The same for cli, the library, and the other clients: they see only the library."""
    top = path.split("/")[0]
    base = os.path.basename(name)
    if name == "config.h" or f"{top}/{base}" in tree.paths:
        return None
    # the last is made of the library's own enumerations
    if f"libheadnet-glib/{base}" in tree.paths or base == "headnet-enum-types.h":
        return None
    if top == "libheadnet-glib" and is_generated_bus(name):
        return None
    return f"{top} sees only libheadnet-glib"


def layers(tree):
    for path in tree.select(*CODE):
        top = path.split("/")[0]
        if top == "tests":
            continue
        folder = path.split("/")[1] if top == "daemon" and path.count("/") > 1 else None
        for quote, name, line in includes(tree.read(path)):
            why = None
            if top == "daemon":
                why = check_layer(path, quote, name)
            elif quote == '"':
                why = check_client(tree, path, name)
            for pattern, place, text in FOREIGN:
                if re.fullmatch(pattern, name) and not re.match(place, path):
                    why = text
            for owner, pattern, text in WITHOUT:
                if owner == folder and re.fullmatch(pattern, name):
                    why = text
            if why:
                yield f"{path}:{line}: includes {name}: {why}"


def length(tree):
    for path in tree.select(*TEXT):
        n = len(tree.lines(path))
        if n > MAX_LINES:
            yield f"{path}: {n} lines, at most {MAX_LINES}"


def licence(tree):
    wanted = list(tree.select(".c", ".h", ".py", ".go", ".sh", ".bash", ".zsh", ".fish"))
    wanted += [p for p in tree.scripts() if p not in wanted]
    for path in wanted:
        name = "LGPL-2.1-or-later" if path.startswith("libheadnet-glib/") else "GPL-2.0-or-later"
        lines = tree.lines(path)
        head = lines[:1] if path.endswith(CODE) else lines[:4]
        # the tail would match LGPL too
        if not any(re.search(r"SPDX-License-Identifier: " + re.escape(name), l) for l in head):
            yield f"{path}:1: no line SPDX-License-Identifier: {name}"


def purpose(tree):
    for path in tree.select(".h"):
        text = tree.read(path)
        match = re.match(r"/\* SPDX[^\n]*\*/\n/\*(.*?)\*/", text, re.S)
        words = re.sub(r"[\s*]+", " ", match.group(1)).strip() if match else ""
        if len(words) < 30:
            yield f"{path}:2: no comment that says what this header is for"
        if "#pragma once" not in text and not re.search(r"#ifndef \w+_H", text):
            yield f"{path}:1: no #pragma once"


# "type name (" at the start of a line; not a macro in capitals, a typedef or a static inline
PROTOTYPE = re.compile(r"^(?!typedef|static|#|return|else|extern \"C\")"
                       r"(?:[A-Za-z_][\w]*[ \t*]+)+\**([a-z_]\w*) \(")
# these need no word: what they do follows from the name everywhere in GLib
PLAIN_NAME = re.compile(r".*_(new|init|clear|free|ref|unref|get_type|quark)$")


def groups(lines):
    """Runs of lines without an empty one, with the number of the first."""
    start, group, in_comment = 1, [], False
    for number, line in enumerate(lines, 1):
        if not line.strip() and not in_comment:
            if group:
                yield start, group
            start, group = number + 1, []
            continue
        group.append(line)
        if "/*" in line:
            in_comment = True
        if "*/" in line:
            in_comment = line.rfind("/*") > line.rfind("*/")
    if group:
        yield start, group


def comments(tree):
    """Functions of a header are explained where they stand, or by a word on their group; those of
    the library have a documentation block of their own."""
    library = "\n".join(tree.read(p) for p in tree.select(*CODE) if p.startswith("libheadnet-glib/"))
    for path in tree.select(".h"):
        if not path.startswith(("daemon/", "libheadnet-glib/")):
            continue
        for start, group in groups(tree.lines(path)):
            commented = any("/*" in line for line in group)
            for offset, line in enumerate(group):
                match = PROTOTYPE.match(line)
                if not match or PLAIN_NAME.match(match.group(1)):
                    continue
                name = match.group(1)
                if path.startswith("libheadnet-glib/") and not path.endswith("-private.h"):
                    if not re.search(rf"/\*\*\n \* {re.escape(name)}:", library):
                        yield f"{path}:{start + offset}: {name} has no documentation block"
                elif not commented:
                    yield f"{path}:{start + offset}: nothing explains {name}"


def formatting(tree):
    tool = next((t for t in ("clang-format-14", "clang-format") if shutil.which(t)), None)
    if not tool:
        raise Skip("clang-format is not installed")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    if not re.search(r"version 14\.", version):
        raise Skip(f"clang-format 14 decides, this is {version.strip()}")
    files = tree.select(*CODE)
    if not files:
        return
    done = subprocess.run([tool, "--style=file", "--dry-run", "-Werror", *files], cwd=tree.root,
                          capture_output=True, text=True, check=False)
    for line in done.stderr.splitlines():
        if re.search(r": (error|warning): ", line):
            yield line.replace(tree.root + "/", "")


def shell(tree):
    if not shutil.which("shellcheck"):
        raise Skip("shellcheck is not installed")
    files = list(tree.scripts())
    if not files:
        return
    done = subprocess.run(["shellcheck", "--format=gcc", "--severity=style", *files], cwd=tree.root,
                          capture_output=True, text=True, check=False)
    yield from done.stdout.splitlines()
    yield from done.stderr.splitlines()


def spaces(tree):
    for path in list(tree.select(*TEXT)) + [p for p in tree.scripts() if "." not in p]:
        text = tree.read(path)
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line and not path.endswith(".go"):
                yield f"{path}:{number}: tab"
            if line != line.rstrip():
                yield f"{path}:{number}: space at the end of the line"
            if "\r" in line:
                yield f"{path}:{number}: carriage return"
        if text and not text.endswith("\n"):
            yield f"{path}: no newline at the end"


# put together here, so that this file does not match itself
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
MACHINE = re.compile(r"(?<![\w.~-])/(" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me/\\w+",
                                                 "tmp/pl" + "an", "tmp/b-"]) + ")(/|\\b(?=[\"' ]))")


def leftovers(tree):
    for path in tree.paths:
        if path.endswith((".png", ".gz", ".zst", ".bin")):
            continue
        for number, line in enumerate(tree.lines(path), 1):
            if UNFINISHED.search(line):
                yield f"{path}:{number}: unfinished: {line.strip()[:60]}"
            if MACHINE.search(line):
                yield f"{path}:{number}: a path of somebody's machine: {line.strip()[:60]}"


def translations(tree):
    """po/POTFILES has just the files with words for people."""
    listed = [line for line in tree.lines("po/POTFILES") if line and not line.startswith("#")]
    for path in listed:
        if path not in tree.paths:
            yield f"po/POTFILES: {path} does not exist"
    for path in tree.select(".c"):
        if path.startswith("tests/"):
            continue
        marked = re.search(r'\b(?:N?_|ngettext|C_|NC_) ?\(\s*"', tree.read(path))
        if marked and path not in listed:
            yield f"{path}: has words for people and is not in po/POTFILES"
        if path in listed and not marked:
            yield f"po/POTFILES: {path} has no words for people"


CHECKS = {f.__name__: f for f in
          (layers, length, licence, purpose, comments, formatting, shell, spaces, leftovers,
           translations)}


def main(argv):
    if argv == ["--list"]:
        print("\n".join(CHECKS))
        return 0
    if len(argv) != 2 or argv[0] not in CHECKS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        complaints = list(CHECKS[argv[0]](Tree(argv[1])))
    except Skip as skip:
        print(f"skipped: {skip}")
        return 77
    for complaint in complaints:
        print(complaint)
    print(f"{argv[0]}: {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
