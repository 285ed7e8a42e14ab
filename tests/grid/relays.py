# SPDX-License-Identifier: GPL-2.0-or-later
"""A coordination server without a relay of its own, and relays that come and go: each is the embedded
relay of one more Headscale."""

import json

import natlab  # noqa: F401, puts tests/interop into the path
import servers


class Relay(servers.Headscale):
    """A region of its own on a host of its own, for everybody."""

    def __init__(self, lab, version, code, number):
        self.code, self.number = code, number
        super().__init__(lab, version, name=f"{code}.test", host=f"r{number}")

    def _write_config(self, *args):
        super()._write_config(*args)
        change(self.config, verify_clients=False, region_id=self.number, region_code=self.code)

    def region(self):
        """Its entry in a map of relays."""
        return {"regionid": self.number, "regioncode": self.code, "regionname": self.code.title(),
                "nodes": [{"name": f"{self.number}a", "regionid": self.number,
                           "hostname": self.name, "ipv4": self.host.address, "stunport": 3478}]}


class Control(servers.Headscale):
    """The coordination server; it looks into the map of relays every second."""

    def __init__(self, lab, version, relays):
        self.map = lab.path("relays.yaml")
        self.set_relays(relays)
        super().__init__(lab, version)

    def _write_config(self, *args):
        super()._write_config(*args)
        change(self.config, enabled=False)
        change(self.config, None, paths=[self.map], auto_update_enabled=True,
               update_frequency="1s")

    def set_relays(self, relays):
        with open(self.map, "w", encoding="utf-8") as file:
            file.write("regions:\n")  # JSON has no numbers as keys
            file.writelines(f"  {relay.number}: {json.dumps(relay.region())}\n" for relay in relays)


def change(path, part="server", **values):
    """Other values in the relay's part of a configuration."""
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    (config["derp"][part] if part else config["derp"]).update(values)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
