"""``thingspace check``: step by step, what works and what does not.

Each step that fails names the mistake and its remedy, with "may" if ThingSpace's answer does not decide it.
There is at most one login. Nothing is stored, and nothing that is stored is used.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

from requests_thingspace import LoginRefusedError, ThingspaceAuth

from ._credentials import auth_of_user, secret_now, sources_of_user
from ._own_calls import json_object
from ._words import answered, complain, explained, is_refusal, span

_CLOCK_LIMIT = 300.0  # seconds between this machine's clock and the server's Date (RFC 9110 section 6.6.1)
_TIMEOUT = 15.0  # seconds to connect, and again to wait for the answer
_COLOURS = {"ok": "32", "failed": "31", "not tried": "2"}  # SGR (ECMA-48 section 8.3.117)
_SESSION_VARIABLES = ("THINGSPACE_SESSION_TOKEN", "VZ_M2M_TOKEN_VZ_M2M_TOKEN", "SESSION_TOKEN_SESSION_TOKEN")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_API_TOKEN = (
    "The API token of the Key Management page is no session token: set THINGSPACE_USERNAME and "
    "THINGSPACE_PASSWORD instead, and a login gives one."
)
_PORTAL_LOGIN = (
    "{} looks like an e-mail address, so it may be your login to the ThingSpace portal: the M2M session "
    "needs the UWS user that Verizon gave you with the account. "
)
_CODES = {  # what parts of an errorCode mean for the account
    ".SessionToken.": f"ThingSpace knows no session of this token, or the session is over. {_API_TOKEN}",
    "Account": "The account name may be misspelt, or another user's: take it from the portal, in the form "
    "0000123456-00001, for --account or THINGSPACE_ACCOUNT_NAME.",
}
Finding = tuple[str, ...]  # "ok", "failed" or "not tried"; why; and the remedy if there is one


def check(options: Namespace) -> int:
    """Take every step, and report each."""
    one, taken = _Check(options), list[dict[str, str]]()
    if options.login:
        complain("--login logs in once; a failed login counts, and ThingSpace locks an account after five")
    for step in one.steps(with_login=options.login):
        taken.append(step)
        if not options.json:
            _tell(**step)
    well = all(step["outcome"] != "failed" for step in taken)
    if options.json:
        document = {"ok": well, "origin": one.origin, "steps": taken}
        sys.stdout.write(f"{json.dumps(document, indent=2)}\n")
    return 0 if well else 1


def _tell(name: str, outcome: str, text: str, hint: str) -> None:
    """Report a step on one line, with cause and remedy, on a terminal in colours (no-color.org)."""
    shown = f"{outcome:<9}"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        shown = f"\x1b[{_COLOURS[outcome]}m{shown}\x1b[0m"
    remedy = f". {hint}" if hint else ""
    sys.stdout.write(f"{shown}  {name:<14}  {text}{remedy}\n")
    sys.stdout.flush()


class _Check:
    """The steps in their order, and what each leaves to those after it."""

    def __init__(self, options: Namespace) -> None:
        self._auth = auth_of_user(options.profile, login=options.login, cached=False)
        self._environ: Mapping[str, str] = {} if options.profile else os.environ
        self._account = options.account or os.environ.get("THINGSPACE_ACCOUNT_NAME") or ""
        self._profile = sources_of_user(options.profile, secrets=False)[0]
        self.origin = self._auth.environment.origins[0]
        self._host = urlsplit(self.origin).hostname or ""
        self._date: str | None = None
        self._token: Any = None
        self._session_token: str | None = None

    def steps(self, *, with_login: bool) -> Iterator[dict[str, str]]:
        """Take all steps; a failure makes those after it pointless, except that of the clock."""
        looks: dict[str, Callable[[], Finding]] = {
            "settings": self._settings,
            "name": self._name,
            "TLS": self._tls,
            "clock": self._clock,
            "key and secret": self._key_and_secret,
            "token": self._life_of_token,
            "login": self._login if with_login else self._given_session,
            "account": self._read_account,
        }
        failed = False
        try:
            for name, look in looks.items():
                try:
                    finding = ("not tried", "skipped: an earlier step failed") if failed else look()
                except requests.RequestException as failure:
                    said, hint = explained(failure)
                    finding = "failed", said, hint or "Try again later."
                outcome, text, *remedy = finding
                failed = failed or (outcome == "failed" and name != "clock")
                yield {"name": name, "outcome": outcome, "text": text, "hint": "".join(remedy)}
        finally:
            with suppress(requests.RequestException):  # it ends by itself after 20 minutes
                self._auth.logout()

    def _settings(self) -> Finding:
        named = {f"THINGSPACE_{n}": self._variable(n) for n in ("CLIENT_ID", "CLIENT_SECRET", "USERNAME")}
        for name, value in {**named, "the account's name": self._account}.items():
            if value != value.strip():
                return "failed", f"{name} starts or ends with white space", "Remove it."
        login = ("USERNAME", "PASSWORD")
        there = [name for name in login if self._variable(name) or self._variable(f"{name}_FILE")]
        if len(there) == 1 and self._auth.password is None:  # else it was asked for, or is in the keyring
            (lacking,) = {*login} - {*there}
            said = f"THINGSPACE_{there[0]} is set, but THINGSPACE_{lacking} is not"
            return "failed", said, "Set both, or neither."
        return "ok", f"in order, for {self.origin}"  # no id: it may be the secret, swapped

    def _name(self) -> Finding:
        proxy = select_proxy(self.origin, get_environ_proxies(self.origin))
        try:
            if proxy:
                return "not tried", f"the proxy {urlsplit(proxy).hostname} looks up {self._host}"
            address = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)[0][4][0]
        except (OSError, ValueError) as failure:  # ValueError: a host "a..b", or a proxy "http://[::1"
            said, hint = explained(requests.exceptions.ProxyError() if proxy else failure)
            return "failed", f"{self._host}: {said}", hint
        return "ok", f"{self._host} is {address}"

    def _tls(self) -> Finding:
        is_plain, answer, said, hint = self.origin.startswith("http:"), None, "", ""
        try:
            answer = _get(f"{self.origin}/api/")
        except OSError as failure:  # a CA bundle that cannot be read is no RequestException
            said, hint = explained(failure)
        if is_plain and (answer is None or answer.status_code == 400) and self._speaks_tls():
            said = "plain http is spoken to a port that speaks TLS"
            return "failed", f"{self.origin}: {said}", "Write https:// in THINGSPACE_BASE_URL."
        if answer is None:
            return "failed", f"{self.origin}: {said}", hint or "Check REQUESTS_CA_BUNDLE if it is set."
        self._date = answer.headers.get("Date")
        said = "without TLS, on loopback" if is_plain else "the certificate is accepted"
        return "ok", f"{self.origin} answers, {said}"

    def _speaks_tls(self) -> bool:
        """Whether a TLS handshake succeeds with whoever it is; nothing is sent after it."""
        anyone, port = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), urlsplit(self.origin).port or 80
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        with suppress(OSError), socket.create_connection((self._host, port), 2.0) as plain:  # on loopback
            anyone.wrap_socket(plain, server_hostname=self._host).close()
            return True
        return False

    def _clock(self) -> Finding:
        try:
            ahead = time.time() - parsedate_to_datetime(self._date or "").timestamp()
        except (TypeError, ValueError):  # TypeError before Python 3.10
            return "not tried", "the server does not tell its time"
        if abs(ahead) <= _CLOCK_LIMIT:
            return "ok", f"this machine's clock and the server's differ by {span(abs(ahead))}"
        said = f"{span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the server's"
        hint = "Set the clock, best by NTP: a shared token's expiry and certificates are read by it."
        return "failed", f"this machine's clock is wrong: {said}", hint

    def _key_and_secret(self) -> Finding:
        try:
            self._token = self._auth.get_token()
        except requests.RequestException as failure:
            if not (is_refusal(failure) and self._are_swapped()):
                raise
            said = f"{self._named('CLIENT_ID')} and {self._named('CLIENT_SECRET')} are swapped"
            return "failed", said, "Exchange them: the other way round ThingSpace accepts them."
        return "ok", "ThingSpace accepts them"

    def _are_swapped(self) -> bool:
        """Whether this very ThingSpace accepts them the other way round; it has seen both already."""
        key, secret = secret_now(self._auth.client_secret), self._auth.client_id
        with suppress(ValueError, OSError):  # every requests.RequestException is an OSError
            ThingspaceAuth(key, secret, environment=self._auth.environment, timeout=_TIMEOUT).get_token()
            return True
        return False

    def _life_of_token(self) -> Finding:
        life = "ThingSpace does not say when it expires"
        if self._token.expires_at is not None:
            life = f"it expires in {span(self._token.expires_at - time.time())}"
        return "ok", f"{', '.join(self._token.scope) or 'no scopes named'}; {life}"

    def _login(self) -> Finding:
        try:
            self._session_token = self._auth.get_session_token().session_token
        except LoginRefusedError as refusal:
            said, hint = explained(refusal)
            password = self._variable("PASSWORD")
            if password != password.strip():
                hint = f"THINGSPACE_PASSWORD starts or ends with white space. {hint}"
            if "@" in (self._auth.username or ""):
                hint = f"{_PORTAL_LOGIN.format(self._named('USERNAME'))}{hint}"
            return "failed", said, hint
        return "ok", "ThingSpace accepts it; the session ends with this check"

    def _given_session(self) -> Finding:
        variable = next((name for name in _SESSION_VARIABLES if self._environ.get(name)), None)
        if variable is None:
            return "not tried", "add --login to try it once; a failed login counts"
        self._session_token = self._environ[variable]
        if _GUID.fullmatch(self._session_token) is None:
            return "failed", f"{variable} holds no session token, which is a GUID", _API_TOKEN
        return "not tried", f"{variable} holds a session token"

    def _read_account(self) -> Finding:
        """One real call, sent once and by itself, so that no refusal brings about another login."""
        if not self._account:
            return "not tried", "set --account or THINGSPACE_ACCOUNT_NAME to read it"
        if self._session_token is None:
            return "not tried", "reading it needs an M2M session: add --login"
        url = f"{self.origin}/api/m2m/v1/accounts/{quote(self._account, safe='')}"
        header = str(self._auth.environment.session_header_for(url))
        bearer = f"Bearer {self._token.access_token}"
        answer = _get(url, {"Authorization": bearer, header: self._session_token})
        document = json_object(answer.content)
        if answer.status_code == 200:
            return "ok", f"{self._account} is {document.get('organizationName', 'there')}"
        code = str(document.get("errorCode") or "")
        hint = "Try again later." if answer.status_code >= 500 else "The user may have no right to see it."
        hint = next((_CODES[part] for part in _CODES if part in code), hint)
        said = answered(f"ThingSpace refused to show {self._account}", answer.status_code, code)
        return "failed", said, hint

    def _variable(self, name: str) -> str:
        return self._environ.get(f"THINGSPACE_{name}", "")

    def _named(self, name: str) -> str:
        """The name by which the user finds a credential."""
        return f"THINGSPACE_{name}" if self._profile is None else f"{name} of profile {self._profile!r}"


def _get(url: str, headers: dict[str, str] | None = None) -> requests.Response:
    """The answer to a GET that follows nothing and adds nothing but `headers`."""
    with requests.Session() as session:
        session.auth = lambda request: request  # else requests sends what a .netrc holds for this host
        return session.get(url, headers=headers, timeout=_TIMEOUT, allow_redirects=False)
