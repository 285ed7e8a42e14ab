#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each check of style must find the bad sample and pass the good one."""

import os
import tempfile
import unittest

import check

HEADER = """/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this header is for, in a sentence that is long enough. */
#pragma once

/* Does it. */
void hn_thing_do (int x);
"""
SOURCE = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n"


class Checks(unittest.TestCase):
    def run_check(self, name, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            try:
                return list(check.CHECKS[name](check.Tree(root)))
            except check.Skip as skip:
                self.skipTest(str(skip))

    def bad(self, name, path, text, **more):
        found = self.run_check(name, {path: text, **more})
        self.assertTrue(found, f"{name} missed {path}: {text!r}")
        self.assertTrue(any(path in line for line in found), found)

    def good(self, name, path, text, **more):
        self.assertEqual(self.run_check(name, {path: text, **more}), [])

    def include(self, path, name, bad):
        text = SOURCE + f"#include {name}\n"
        (self.bad if bad else self.good)("layers", path, text)

    def test_layers(self):
        for path, name in (
            ("daemon/control/hn-a.c", '"dataplane/hn-dataplane.h"'),
            ("daemon/control/hn-a.c", '"bus/hn-adaptor.h"'),
            ("daemon/bus/hn-a.c", '"control/hn-client.h"'),
            ("daemon/bus/hn-a.c", '"dataplane/hn-dataplane.h"'),
            ("daemon/base/hn-a.c", '"model/hn-node.h"'),
            ("daemon/crypto/hn-a.c", '"model/hn-node.h"'),
            ("daemon/tun/hn-a.c", '"dataplane/hn-dataplane.h"'),
            ("daemon/engine/hn-a.c", '"bus/hn-adaptor.h"'),
            ("daemon/engine/hn-a.c", '"hn-dbus.h"'),
            ("daemon/engine/hn-a.c", '"hn-engine.h"'),
            ("daemon/newfolder/hn-a.c", '"base/hn-error.h"'),
            ("daemon/net/hn-a.c", "<sodium.h>"),
            ("daemon/model/hn-a.c", "<json-glib/json-glib.h>"),
            ("daemon/engine/hn-a.c", "<json-glib/json-glib.h>"),
            ("daemon/wireguard/hn-a.c", "<gio/gio.h>"),
            ("cli/main.c", '"engine/hn-engine.h"'),
            ("cli/main.c", '"headnet-dbus.h"'),
            ("libheadnet-glib/headnet-client.c", '"base/hn-error.h"'),
            ("nm-plugin/service.c", '"hn-dbus.h"'),
        ):
            with self.subTest(path=path, name=name):
                self.include(path, name, bad=True)
        for path, name in (
            ("daemon/control/hn-a.c", '"crypto/hn-keys.h"'),
            ("daemon/crypto/hn-a.c", "<sodium.h>"),
            ("daemon/control/hn-map-codec.c", "<json-glib/json-glib.h>"),
            ("daemon/tun/hn-a.c", '"dataplane/hn-packet-port.h"'),
            ("daemon/bus/hn-a.c", '"hn-dbus.h"'),
            ("daemon/bus/hn-a.c", '"engine/hn-engine.h"'),
            ("daemon/engine/hn-a.c", '"control/hn-client.h"'),
            ("daemon/main.c", '"bus/hn-manager-adaptor.h"'),
            ("libheadnet-glib/headnet-client.c", '"headnet-dbus.h"'),
        ):
            with self.subTest(path=path, name=name):
                self.include(path, name, bad=False)
        self.good("layers", "cli/main.c", SOURCE + '#include "headnet-client.h"\n',
                  **{"libheadnet-glib/headnet-client.h": HEADER})

    def test_length(self):
        self.bad("length", "daemon/base/hn-a.c", "\n" * (check.MAX_LINES + 1))
        self.good("length", "daemon/base/hn-a.c", "\n" * check.MAX_LINES)

    def test_licence(self):
        self.bad("licence", "daemon/base/hn-a.c", "#include <glib.h>\n")
        self.bad("licence", "daemon/base/hn-a.c", "\n" + SOURCE)
        self.bad("licence", "libheadnet-glib/a.c", SOURCE)
        self.bad("licence", "tool", "#!/bin/sh\necho\n")
        self.good("licence", "daemon/base/hn-a.c", SOURCE)
        self.good("licence", "libheadnet-glib/a.c", SOURCE.replace("GPL-2.0", "LGPL-2.1"))

    def test_purpose(self):
        self.bad("purpose", "daemon/base/hn-a.h", HEADER.replace("What this", "").split("header")[0])
        self.bad("purpose", "daemon/base/hn-a.h", SOURCE + "#pragma once\n\n/* Too late for that. */\n")
        self.bad("purpose", "daemon/base/hn-a.h", HEADER.replace("#pragma once", ""))
        self.good("purpose", "daemon/base/hn-a.h", HEADER)

    def test_comments(self):
        self.good("comments", "daemon/base/hn-a.h", HEADER)
        self.bad("comments", "daemon/base/hn-a.h", HEADER.replace("/* Does it. */", ""))
        self.bad("comments", "daemon/base/hn-a.h", HEADER + "\nconst char *hn_thing_name (void);\n")
        self.good("comments", "daemon/base/hn-a.h", HEADER + "\nvoid hn_thing_free (HnThing *self);\n")
        self.bad("comments", "libheadnet-glib/headnet-a.h", HEADER)
        self.good("comments", "libheadnet-glib/headnet-a-private.h", HEADER)
        self.good("comments", "libheadnet-glib/headnet-a.h", HEADER,
                  **{"libheadnet-glib/headnet-a.c": "/**\n * hn_thing_do:\n */\n"})

    def test_formatting(self):
        style = {".clang-format": "BasedOnStyle: GNU\n"}
        self.bad("formatting", "a.c", "int  main(void) {return 0;}\n", **style)
        self.good("formatting", "a.c", "int\nmain (void)\n{\n  return 0;\n}\n", **style)

    def test_shell(self):
        self.bad("shell", "run", "#!/bin/sh\nrm $1\n")
        self.bad("shell", "a.sh", "#!/bin/sh\ncd /tmp\nls $*\n")
        self.good("shell", "run", '#!/bin/sh\nrm "$1"\n')

    def test_spaces(self):
        self.bad("spaces", "a.c", "int x; \n")
        self.bad("spaces", "a.py", "\tx = 1\n")
        self.bad("spaces", "README.md", "text\r\n")
        self.bad("spaces", "a.h", "int x;")
        self.good("spaces", "a.c", "int x;\n")

    def test_leftovers(self):
        for text in ("/* TO" + "DO: later */", "# FIX" + "ME", "// X" + "XX", '"/wo' + 'rk/main"',
                     "cd /ro" + "ot/x", "see /tmp/pl" + "an/x"):
            with self.subTest(text=text):
                self.bad("leftovers", "a.c", text + "\n")
        self.good("leftovers", "a.c", 'mkstemp ("a-XXXX' + 'XX"); x = "network/root/work/a";\n')

    def test_translations(self):
        listed = {"po/POTFILES": "# words\ncli/a.c\n"}
        self.good("translations", "cli/a.c", 'x = _ ("Word");\n', **listed)
        self.bad("translations", "cli/b.c", 'x = _ ("Word");\n', **listed, **{"cli/a.c": '_ ("")'})
        self.bad("translations", "cli/b.c", 'x = ngettext ("a", "b", 2);\n', **listed)
        self.bad("translations", "cli/a.c", 'x = "word";\n', **listed)
        self.bad("translations", "po/POTFILES", "cli/gone.c\n")

    def test_every_check_is_tested(self):
        tested = {name[len("test_"):] for name in dir(self) if name.startswith("test_")}
        self.assertLessEqual(set(check.CHECKS), tested)


if __name__ == "__main__":
    unittest.main()
