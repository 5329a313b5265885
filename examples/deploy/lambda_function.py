"""AWS Lambda: only /tmp can be written to, and a frozen process may wake hours later."""

import os

import requests

from requests_thingspace import FileTokenCache, ThingspaceAuth

auth = ThingspaceAuth.from_env(cache=FileTokenCache("/tmp/thingspace/tokens.json"))  # noqa: S108 - Lambda's own
session = requests.Session()
session.auth = auth


def handler(event, context):
    """Functions that run at once are machines of their own: they share a token by RedisTokenCache(url)."""
    return {"statusCode": session.get(os.environ["DEVICES_URL"]).status_code}
