"""A host that starts the probe, leaves it running, prints how it is found, and ends."""
from __future__ import annotations

from goplugin.sync import Client

from .harness import PROBE
from .sync.harness import probe_config

client = Client(probe_config(command=[*PROBE, "outlive"]))
client.start()
print(client.detach().to_json())
