"""``thingspace check``: step by step, what works and what does not.

Each step that fails names the mistake and its remedy, with "may" if ThingSpace's answer does not decide it;
no secret goes to another environment to find out. A step that is pointless after a failure is not tried, and
says so. There is at most one login. Nothing is stored, and nothing that is stored is used.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote

import requests

from requests_thingspace import LoginRefusedError, OAuthToken, ThingspaceAuth

from ._credentials import auth_of_user, secret_now, sources_of_user
from ._failures import explained, is_refusal
from ._output import DIM, GREEN, RED, coloured, complain, span
from ._reach import TIMEOUT, Step, clock_step, get, name_step, tls_step
from ._refused_logins import json_object

NAMES = ("settings", "name", "TLS", "clock", "key and secret", "token", "login", "account")
"""All steps, in order."""
_NEEDED = NAMES[:3]  # without these no other works

_COLOURS = {"ok": GREEN, "failed": RED, "not tried": DIM}
_SESSION_VARIABLES = ("THINGSPACE_SESSION_TOKEN", "VZ_M2M_TOKEN_VZ_M2M_TOKEN", "SESSION_TOKEN_SESSION_TOKEN")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOGIN_COUNTS = "add --login to try it once; a failed login counts"
_API_TOKEN = (
    "The API token of the Key Management page is no session token: set THINGSPACE_USERNAME and "
    "THINGSPACE_PASSWORD instead, and a login gives one."
)
_PORTAL_LOGIN = (
    "{} looks like an e-mail address, so it may be your login to the ThingSpace portal: the M2M session "
    "needs the UWS user that Verizon gave you with the account."
)
_ACCOUNT = (
    "The account name may be misspelt, or another user's: take it from the portal, in the form "
    "0000123456-00001, for --account or THINGSPACE_ACCOUNT_NAME."
)


def check(options: Namespace) -> int:
    """Run every step, and report each."""
    auth = auth_of_user(login=options.login, profile=options.profile)
    if options.login:
        complain("--login logs in once; a failed login counts, and ThingSpace locks an account after five")
    found = Check(
        auth,
        login=options.login,
        environ={} if options.profile else os.environ,
        account=options.account or os.environ.get("THINGSPACE_ACCOUNT_NAME") or "",
        profile=sources_of_user(options.profile, secrets=False).profile,
    ).steps()
    taken = list(found if options.json else _told(found))
    well = all(step.outcome != "failed" for step in taken)
    if options.json:
        told = [step._asdict() for step in taken]
        document = {"ok": well, "origin": auth.environment.origins[0], "steps": told}
        sys.stdout.write(f"{json.dumps(document, indent=2)}\n")
    return 0 if well else 1


def _told(found: Iterable[Step]) -> Iterator[Step]:
    """Report each step on one line when it is done, with cause and remedy."""
    for step in found:
        outcome = coloured(f"{step.outcome:<9}", _COLOURS[step.outcome], sys.stdout)
        remedy = f". {step.hint}" if step.hint else ""
        sys.stdout.write(f"{outcome}  {step.name:<14}  {step.text}{remedy}\n")
        sys.stdout.flush()
        yield step


class Check(NamedTuple):
    """One check: what its steps need to know.

    Attributes:
        auth: whose credentials, for where; without a cache, so that every answer is ThingSpace's own.
        login: whether to log in; a failure counts towards the lock of the account.
        environ: the variables that are in use.
        account: the name of the account to read.
        profile: the profile that gives the key pair, if one does.
        wall: this machine's clock, Unix time in seconds.
    """

    auth: ThingspaceAuth
    login: bool
    environ: Mapping[str, str]
    account: str = ""
    profile: str | None = None
    wall: Callable[[], float] = time.time

    def steps(self) -> Iterator[Step]:
        """Run the steps in order, up to a failure that makes the others pointless."""
        ahead = list(NAMES)
        for step in self.tried():
            ahead.remove(step.name)
            yield step
            if step.outcome == "failed" and step.name in _NEEDED:
                break
        for name in ahead:
            yield Step(name, "not tried", "skipped: an earlier step failed")

    def tried(self) -> Iterator[Step]:
        """The steps, each of which relies on those before it."""
        origin = self.auth.environment.origins[0]
        yield self.settings()
        yield name_step(origin)
        reached, date = tls_step(origin)
        yield reached
        yield clock_step(date, self.wall())
        accepted, token = self.key_and_secret()
        yield accepted
        if token is None:
            return
        life = "ThingSpace does not say when it expires"
        if token.expires_at is not None:
            life = f"it expires in {span(token.expires_at - self.wall())}"
        yield Step("token", "ok", f"{', '.join(token.scope) or 'no scopes named'}; {life}")
        yield from self.logged_in(token) if self.login else self.without_login(token)

    def settings(self) -> Step:
        """Check the settings, without a network."""
        named = {f"THINGSPACE_{n}": self.variable(n) for n in ("CLIENT_ID", "CLIENT_SECRET", "USERNAME")}
        for name, value in {**named, "the account's name": self.account}.items():
            if value != value.strip():
                return Step("settings", "failed", f"{name} starts or ends with white space", "Remove it.")
        login = ("USERNAME", "PASSWORD")
        there = [name for name in login if self.variable(name) or self.variable(f"{name}_FILE")]
        if len(there) == 1 and self.auth.password is None:  # else it was asked for, or is in the keyring
            (lacking,) = {*login} - {*there}
            said = f"THINGSPACE_{there[0]} is set, but THINGSPACE_{lacking} is not"
            return Step("settings", "failed", said, "Set both, or neither.")
        origin = self.auth.environment.origins[0]
        return Step("settings", "ok", f"in order, for {origin}")  # no id: it may be the secret, swapped

    def key_and_secret(self) -> tuple[Step, OAuthToken | None]:
        """Whether the token endpoint gives a token for them."""
        name = "key and secret"
        try:
            return Step(name, "ok", "ThingSpace accepts them"), self.auth.get_token()
        except requests.RequestException as failure:
            if not (is_refusal(failure) and self.are_swapped()):
                return _failed(name, failure), None
        said = f"{self.named('CLIENT_ID')} and {self.named('CLIENT_SECRET')} are swapped"
        return Step(name, "failed", said, "Exchange them: the other way round ThingSpace accepts them."), None

    def are_swapped(self) -> bool:
        """Whether this very ThingSpace accepts them the other way round; it has seen both already."""
        key, secret = secret_now(self.auth.client_secret), self.auth.client_id
        try:
            ThingspaceAuth(key, secret, environment=self.auth.environment, timeout=TIMEOUT).get_token()
        except (ValueError, OSError):  # every requests.RequestException is an OSError
            return False
        return True

    def logged_in(self, token: OAuthToken) -> Iterator[Step]:
        """The login, one call with its session, and the logout."""
        try:
            session_token = self.auth.get_session_token().session_token
        except requests.RequestException as failure:
            failed = _failed("login", failure)
            doubts = self.doubts() if isinstance(failure, LoginRefusedError) else ()
            yield failed._replace(hint=" ".join([*doubts, failed.hint]))
            return
        try:
            yield Step("login", "ok", "ThingSpace accepts it; the session ends with this check")
            yield self.read_account(token, session_token)
        finally:
            with suppress(requests.RequestException):  # it ends by itself after 20 minutes
                self.auth.logout()

    def without_login(self, token: OAuthToken) -> Iterator[Step]:
        """What a variable holds as a session token, and one call with it."""
        variable = next((name for name in _SESSION_VARIABLES if self.environ.get(name)), "")
        session_token = self.environ.get(variable)
        if session_token is not None and _GUID.fullmatch(session_token) is None:
            yield Step("login", "failed", f"{variable} holds no session token, which is a GUID", _API_TOKEN)
            return
        said = f"{variable} holds a session token" if variable else _LOGIN_COUNTS
        yield Step("login", "not tried", said)
        yield self.read_account(token, session_token)

    def doubts(self) -> Iterator[str]:
        """What looks wrong in the credentials of a refused login."""
        if "@" in (self.auth.username or ""):
            yield _PORTAL_LOGIN.format(self.named("USERNAME"))
        password = self.variable("PASSWORD")
        if password != password.strip():
            yield "THINGSPACE_PASSWORD starts or ends with white space."

    def read_account(self, token: OAuthToken, session_token: str | None) -> Step:
        """One real call, sent once and by itself, so that no refusal brings about another login."""
        name, account, place = "account", self.account, self.auth.environment
        if not account:
            return Step(name, "not tried", "set --account or THINGSPACE_ACCOUNT_NAME to read it")
        if session_token is None:
            return Step(name, "not tried", "reading it needs an M2M session: add --login")
        url = f"{place.origins[0]}/api/m2m/v1/accounts/{quote(account, safe='')}"
        header = str(place.session_header_for(url))
        try:
            answer = get(url, {"Authorization": f"Bearer {token.access_token}", header: session_token})
        except requests.RequestException as failure:
            return _failed(name, failure)
        document = json_object(answer.content)
        if answer.status_code == 200:
            return Step(name, "ok", f"{account} is {document.get('organizationName', 'there')}")
        code = str(document.get("errorCode") or "")
        hint = "Try again later." if answer.status_code >= 500 else "The user may have no right to see it."
        if ".SessionToken." in code:
            hint = f"ThingSpace knows no session of this token, or the session is over. {_API_TOKEN}"
        elif "Account" in code:
            hint = _ACCOUNT
        said = f"ThingSpace refused to show {account}: HTTP {answer.status_code} {code}".rstrip()
        return Step(name, "failed", said, hint)

    def variable(self, name: str) -> str:
        """The variable of a credential; empty if it is not set."""
        return self.environ.get(f"THINGSPACE_{name}", "")

    def named(self, name: str) -> str:
        """The name by which the user finds a credential."""
        return f"THINGSPACE_{name}" if self.profile is None else f"{name} of profile {self.profile!r}"


def _failed(name: str, failure: requests.RequestException) -> Step:
    said, hint = explained(failure)
    return Step(name, "failed", said, hint or "Try again later.")
