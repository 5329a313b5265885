"""A web service that answers from ThingSpace, with a thread for each request.

pip install flask
python examples/web_service.py 8000
curl http://127.0.0.1:8000/accounts/0000123456-00001
"""

import sys

import requests
from flask import Flask, Response, jsonify
from requests.adapters import HTTPAdapter

from requests_thingspace import ThingspaceAuth

app = Flask(__name__)
auth = ThingspaceAuth.from_env()
thingspace = requests.Session()
thingspace.auth = auth
thingspace.mount("https://", HTTPAdapter(pool_maxsize=32))  # a connection for each busy thread


@app.get("/accounts/<name>")
def account(name: str) -> Response:
    """The organization behind an account."""
    answer = thingspace.get(f"{auth.environment.origins[0]}/api/m2m/v1/accounts/{name}", timeout=30)
    answer.raise_for_status()
    return jsonify(organization=answer.json()["organizationName"])


@app.errorhandler(requests.HTTPError)
def refused(error: requests.HTTPError) -> tuple[Response, int]:
    """ThingSpace refused this very call."""
    return jsonify(error="ThingSpace refused", status=error.response.status_code), 502


@app.errorhandler(requests.RequestException)
def unavailable(error: requests.RequestException) -> tuple[Response, int]:
    """No token, no session or no connection: the text tells, and holds no secret."""
    return jsonify(error=str(error)), 503


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    app.run(port=int(sys.argv[1]), threaded=True)
