"""A client that knows no library: the headers and bodies of Verizon's pages, written by hand."""

import pytest
import requests


def whole(response, **_):
    """A hook: an answer that is cut off is an error, as it is by itself since urllib3 2."""
    response.raw.enforce_content_length = True


def refusal(answer):
    """The status and the code of a refusal, in whichever form it comes."""
    told = answer.json()
    code = told["fault"]["code"] if "fault" in told else told.get("errorCode") or told["error"]
    return answer.status_code, code.removeprefix("UnifiedWebService.")


class Client:
    """Plain requests against one sandbox; `bearer` and `both` give headers, all else an answer."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.verify, self.http.trust_env = sandbox.ca_file, False
        self.http.hooks["response"] = [whole]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()

    def ask_token(self, *, auth=None, origin=None, path="token", **form):
        auth = auth or (self.sandbox.client_id, self.sandbox.client_secret)
        url = f"{origin or self.sandbox.origin}/api/ts/v1/oauth2/{path}"
        return self.http.post(url, auth=auth, data={"grant_type": "client_credentials", **form})

    def revoke(self, token):
        return self.ask_token(path="revoke", token=token)

    def bearer(self):
        return {"Authorization": f"Bearer {self.ask_token().json()['access_token']}"}

    def ask_login(self, headers=None, **changes):
        body = {"username": self.sandbox.username, "password": self.sandbox.password, **changes}
        url = f"{self.sandbox.origin}/api/m2m/v1/session/login"
        return self.http.post(url, headers=headers or self.bearer(), json=body)

    def both(self, header="VZ-M2M-Token"):
        bearer = self.bearer()
        return {**bearer, header: self.ask_login(bearer).json()["sessionToken"]}

    def account(self, headers, name=None):
        url = f"{self.sandbox.origin}/api/m2m/v1/accounts/{name or self.sandbox.account}"
        return self.http.get(url, headers=headers)

    def aid(self, path, method="GET", **arguments):
        headers = {**self.bearer(), **arguments.pop("headers", {})}
        url = f"{self.sandbox.origin}/sandbox/{path}"
        return self.http.request(method, url, headers=headers, allow_redirects=False, **arguments)


@pytest.fixture
def client(sandbox):
    with Client(sandbox) as client:
        yield client
