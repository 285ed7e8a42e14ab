# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the cases of a program and prints TAP, for tests that need the test server only."""

import os
import sys
import unittest

import world


class Result(unittest.TextTestResult):
    """TAP, with the logs of the laboratory (a case's or class's "lab") after a failure."""

    def startTestRun(self):
        self.number = 0

    def _line(self, verdict, test, tail=""):
        self.number += 1
        print(f"{verdict} {self.number} - {'.'.join(test.id().split('.')[1:])}{tail}", flush=True)

    def addSuccess(self, test):
        self._line("ok", test)

    def addSkip(self, test, reason):
        self._line("ok", test, f" # SKIP {reason}")

    def _bad(self, test, err):
        for line in self._exc_info_to_string(err, test).splitlines():
            print(f"# {line}")
        lab = getattr(test, "lab", None)
        if lab and os.path.isdir(lab.dir):
            lab.print_logs(out=sys.stdout)
        self._line("not ok", test)

    def addError(self, test, err):
        super().addError(test, err)
        self._bad(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._bad(test, err)


def main():
    """The whole program: PROGRAM [CASE...]. Exit status 77 when this machine can not run it."""
    lack = world.lacking()
    if lack:
        print(f"1..0 # SKIP {lack}")
        sys.exit(77)
    loader = unittest.TestLoader()
    if sys.argv[1:]:
        loader.testNamePatterns = [f"*{name}*" for name in sys.argv[1:]]
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    with open(os.devnull, "w", encoding="ascii") as nowhere:
        result = unittest.TextTestRunner(nowhere, resultclass=Result).run(suite)
    print(f"1..{result.number}")
    sys.exit(0 if result.wasSuccessful() and result.number else 1)
