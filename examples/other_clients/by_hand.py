"""A helper that builds headers itself, as many scripts have one."""

from typing import Any

import requests

from requests_thingspace import ThingspaceAuth


def call(auth: ThingspaceAuth, method: str, url: str, **arguments: Any) -> requests.Response:
    """Call ThingSpace, with at most three tries: another bearer and another session may be needed."""
    for _ in range(3):
        headers = auth.headers(url)
        answer = requests.request(
            method, url, headers=headers, timeout=30, allow_redirects=False, **arguments
        )
        if not auth.refused(headers, answer.status_code, answer.content):
            break
    return answer
