# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of faults: HEADNET_TABLE names a file, and each case adds its row of Markdown to it."""

import fcntl
import os
import re

HEAD = ("| what was done | what the user saw | recovery | left behind |\n"
        "|---|---|---|---|\n")


def escape(letter):
    """A letter as it is, or by its number. What was no UTF-8 is known only as U+FFFD."""
    if letter == "\ufffd":
        return "?"
    return letter if letter.isprintable() else ascii(letter)[1:-1]


def tidy(text):
    """One cell: without what only this run had, the laboratory's folders and the time of day."""
    text = re.sub(r"/tmp/headnet-test-[^/]*/state\.\w+", "/var/lib/headnet", text)
    text = re.sub(r"headnet-\w+-(?:Message|WARNING|INFO)\S*: [\d:.]+: ", "", text)
    # a damaged file is quoted in the log; a table is text
    text = "".join(escape(letter) for letter in text.replace("\n", " "))
    return text.replace("|", "\\|")


def row(what, seen, recovery, left):
    """Adds a row. @recovery: seconds, or a text."""
    path = os.environ.get("HEADNET_TABLE")
    if not path:
        return
    if not isinstance(recovery, str):
        recovery = f"{recovery:.2f} s"
    cells = [tidy(str(cell)) for cell in (what, seen, recovery, left)]
    with open(path, "a", encoding="utf-8") as file:
        # programs run side by side
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0, os.SEEK_END)
        if not file.tell():
            file.write(HEAD)
        file.write(f"| {' | '.join(cells)} |\n")
