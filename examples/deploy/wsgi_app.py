"""A WSGI application: gunicorn -w 8 wsgi_app:app, or uWSGI."""

import os

import requests

from requests_thingspace import FileTokenCache, ThingspaceAuth

auth = ThingspaceAuth.from_env(cache=FileTokenCache(os.environ["TOKENS"]))  # may be made before the fork


def app(environ, start_response):
    """Pass on what ThingSpace says."""
    with requests.Session() as session:  # made in the worker: two processes cannot share a connection
        session.auth = auth
        answer = session.get(os.environ["DEVICES_URL"])
    start_response(f"{answer.status_code} {answer.reason}", [("Content-Type", "application/json")])
    return [answer.content]
