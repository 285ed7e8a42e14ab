# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run of the server is to do: settings, faults and steps, from a JSON or YAML file.

    {
      "domain": "tailnet.test",             names of nodes end in it
      "keep_alive": 55, "relay_keep_alive": 60, "offline_after": 0.5,        seconds
      "keys": [{"key": "good", "reusable": true}, {"key": "old", "expires": 0}, {"key": "k"}],
      "fake_peers": {"count": 10000, "churn": 50},        changes of them a second
      "faults": [{"at": "map", "do": "stall", "times": 2, "skip": 1}],
      "steps": [{"after": 5, "do": "rename", "node": "b", "to": "c"}]
    }

A fault happens "times" times (1 if not said, 0 for ever), after "skip" chances that pass. Steps are
the requests of the control socket (commands.py) with a delay before each. Points and what can be
done there:

    tls       unknown-ca wrong-name expired                    (the certificate that is shown)
    accept    close stall garbage
    key       close stall garbage html status:N wrong-key old-version(a bare legacy key) json:TEXT
    upgrade   status:N close stall garbage close-after error(type 3) wrong-noise no-early no-window
    record    truncated oversized reordered garbage empty      (a record that leaves)
    http2     goaway:CODE reset:CODE stall status:N
    register  close stall reset status:N error:TEXT old-version json:ANY raw:TEXT
    map       close stall reset status:N end json:ANY raw:HEX bomb(zstd) deep huge zero stall-later
              (these come after the first full frame unless "first": true)
    derp      close stall garbage status:N magic close-later garbage-later silent-later health
              restarting
    stun      silent garbage wrong-id wrong-address("address", "port") slow("seconds")
"""

import json

SETTINGS = {"domain", "keep_alive", "relay_keep_alive", "offline_after", "keys", "fake_peers",
            "faults", "steps", "user", "interactive"}
POINTS = {"tls", "accept", "key", "upgrade", "record", "http2", "register", "map", "derp", "stun"}


class ScenarioError(Exception):
    """The file says something that nobody understands."""


class Scenario:
    def __init__(self, settings=None):
        settings = settings or {}
        unknown = set(settings) - SETTINGS
        if unknown:
            raise ScenarioError(f"unknown settings: {', '.join(sorted(unknown))}")
        self.settings = settings
        self.faults = []
        self.happened = []
        for fault in settings.get("faults", []):
            self.add_fault(fault)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if path.endswith((".yaml", ".yml")):
            import yaml  # only who writes YAML needs it
            return cls(yaml.safe_load(text))
        return cls(json.loads(text))

    def get(self, name, default=None):
        return self.settings.get(name, default)

    def add_fault(self, fault):
        if fault.get("at") not in POINTS or "do" not in fault:
            raise ScenarioError(f"a fault needs \"at\" ({', '.join(sorted(POINTS))}) and \"do\"")
        self.faults.append({"times": 1, "skip": 0, **fault})

    def clear_faults(self, at=None):
        self.faults = [f for f in self.faults if at and f["at"] != at]

    def fault(self, at, **wanted):
        """The fault that is due at this point, or None; asking counts as a chance."""
        for fault in self.faults:
            if fault["at"] != at or any(fault.get(k, False) != v for k, v in wanted.items()):
                continue
            if fault["skip"] > 0:
                fault["skip"] -= 1
                continue
            if fault["times"]:
                fault["times"] -= 1
                if not fault["times"]:
                    self.faults.remove(fault)
            self.happened.append(f"{at}:{fault['do']}")
            print(f"fault at {at}: {fault['do']}", flush=True)
            return fault
        return None
