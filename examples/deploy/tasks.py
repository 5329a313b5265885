"""Celery: celery -A tasks worker --pool prefork."""

import os

import requests
from celery import Celery

from requests_thingspace import FileTokenCache, ThingspaceAuth

app = Celery("tasks", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
auth = ThingspaceAuth.from_env(cache=FileTokenCache(os.environ["TOKENS"]))


@app.task
def device_count():
    """A task that may have a soft time limit: its exception arrives as it is, in mid-fetch too."""
    with requests.Session() as session:
        session.auth = auth
        return session.get(os.environ["DEVICES_URL"]).status_code
