# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of faults: HEADNET_TABLE names a file, and each case adds its row of Markdown to it."""

import fcntl
import os

HEAD = ("| what was done | what the user saw | recovery | left behind |\n"
        "|---|---|---|---|\n")


def row(what, seen, recovery, left):
    """Adds a row. @recovery: seconds, or a text."""
    path = os.environ.get("HEADNET_TABLE")
    if not path:
        return
    if not isinstance(recovery, str):
        recovery = f"{recovery:.2f} s"
    cells = [str(cell).replace("|", "\\|").replace("\n", " ") for cell in
             (what, seen, recovery, left)]
    with open(path, "a", encoding="utf-8") as file:
        # programs run side by side
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0, os.SEEK_END)
        if not file.tell():
            file.write(HEAD)
        file.write(f"| {' | '.join(cells)} |\n")
