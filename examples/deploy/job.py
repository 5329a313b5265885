"""A job of cron, systemd or Kubernetes."""

import os
import sys

import requests

from requests_thingspace import FileTokenCache, ThingspaceAuth

with requests.Session() as session:
    session.auth = ThingspaceAuth.from_env(cache=FileTokenCache(os.environ.get("TOKENS")))
    answer = session.get(os.environ["DEVICES_URL"])
sys.exit(0 if answer.ok else 1)
