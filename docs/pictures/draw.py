"""Draws the diagrams of the documentation: ``python -m docs.pictures.draw``, from the root of the repository.

Each one is drawn twice, for a light and for a dark page, and is narrow enough to be read on a phone. A test
draws them again and compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.sheet import SHADES, Palette, Sheet

HERE = Path(__file__).parent


def main_path(colours: Palette) -> str:
    """One call whose token is refused: the caller sees the 200 only."""
    sheet = Sheet("A call, a 401, a new token, and the call sent again", colours)
    here, auth, there = 56.0, 200.0, 420.0
    for x, words, fill in (
        (here, "your code", colours.blue),
        (auth, "ThingspaceAuth", colours.green),
        (there, "ThingSpace", colours.amber),
    ):
        sheet.box(x - 54 - 8 * (x == auth), 8, 108 + 16 * (x == auth), 30, fill)
        sheet.text(x, 28, words, anchor="middle", font_weight="bold")
        sheet.line(x, 38, x, 404, dashed=True)
    steps: list[tuple[float, float, float, str, bool]] = [
        (76, here, auth, "session.get(url)", False),
        (116, auth, there, "GET, with the token", False),
        (156, there, auth, "401: token revoked or expired", True),
        (226, auth, there, "token request: id and secret", False),
        (266, there, auth, "200: a new token", True),
        (306, auth, there, "GET again, with the new token", False),
        (346, there, auth, "200", True),
        (386, auth, here, "200", True),
    ]
    for y, start, end, words, dashed in steps:
        sheet.text((start + end) / 2, y - 7, words, size=13, anchor="middle")
        sheet.arrow(start, y, end, dashed=dashed)
    sheet.box(auth - 78, 172, 170, 24, colours.grey)
    sheet.text(auth + 7, 188, "one renewal for all threads", size=12, anchor="middle")
    return sheet.svg(412)


def token_life(colours: Palette) -> str:
    """Three tokens on one time line: one that is renewed, one that comes late, one that is rejected."""
    sheet = Sheet("The life of a token", colours)
    start, end, edge, skew = 10.0, 372.0, 470.0, 66.0
    due = end - skew
    for x, words, anchor in (
        (start, "requested", "start"),
        (due, "due", "middle"),
        (end, "expires_at", "middle"),
    ):
        sheet.text(x, 16, words, size=13, anchor=anchor, fill=colours.soft)
        sheet.line(x, 22, x, 280, dashed=True)
    rows = [
        ("The usual case", [(start, due, "usable", colours.green), (due, end, "due", colours.amber)]),
        ("Fetched when the shared token is almost over", [(due + 16, end, "usable", colours.green)]),
        (
            "Refused by a 401 halfway",
            [(start, 190, "usable", colours.green), (190, end, "rejected", colours.red)],
        ),
    ]
    y = 54.0
    for words, spans in rows:
        sheet.text(start + 5, y - 8, words, size=13)
        for left, right, name, fill in [*spans, (end, edge, "expired", colours.grey)]:
            sheet.box(left, y, right - left, 34, fill)
            sheet.text((left + right) / 2, y + 22, name, size=13, anchor="middle")
        y += 82
    for word, words in (
        ("due", "one caller renews it, the others go on with it"),
        ("expired", "one caller renews it, the others wait for that renewal"),
        ("rejected", "renewed once; each refused call is sent again once"),
    ):
        y += 0 if word == "due" else 22
        sheet.text(start, y + 10, word, font_weight="bold")
        sheet.text(start + 76, y + 10, words, size=13)
    return sheet.svg(y + 22)


def choices(colours: Palette) -> str:
    """Which integration, then which cache."""
    sheet = Sheet("Which integration, and which cache", colours)
    y = 10.0
    for heading, rows in (
        (
            "How do your calls get their tokens?",
            [
                ("the script cannot be edited", "thingspace run"),
                ("httpx, aiohttp, urllib", "auth.headers(url)"),
                ("a Session with proxies or CAs of its own", "mount(session, auth)"),
                ("any other Session", "session.auth = auth"),
            ],
        ),
        (
            "Who shares the tokens?",
            [
                ("threads of one process", "one ThingspaceAuth"),
                ("processes of one machine", "FileTokenCache()"),
                ("programs on a desktop", "KeyringTokenCache()"),
                ("many machines or containers", "RedisTokenCache(url)"),
                ("your own store", "token_provider="),
            ],
        ),
    ):
        sheet.text(4, y + 14, heading, font_weight="bold")
        y += 24
        for situation, answer in rows:
            sheet.box(4, y, 262, 32, colours.blue)
            sheet.text(14, y + 21, situation, size=12)
            sheet.arrow(266, y + 16, 292)
            sheet.box(292, y, 184, 32, colours.green)
            sheet.text(384, y + 21, answer, size=13, anchor="middle", font_family="monospace")
            y += 40
        y += 12
    return sheet.svg(y - 8)


CALLS = {
    "A request": [
        ("_auth.ThingspaceAuth.__call__", "sees the request"),
        ("_environment.Environment.session_header_for", "is the URL covered?"),
        ("_manager.TokenManager.get", "a usable token, not due?"),
    ],
    "A renewal, if there is none": [
        ("_turns.Turn.run", "one thread at a time"),
        ("_manager.TokenManager.fetch_token", "after the provider"),
        ("_endpoints.oauth.OAuthEndpoints.fetch", "by oauthlib"),
        ("_endpoints.exchange.Exchange.call", "through the transport"),
        ("_endpoints.answers.json_or_raise", "what the answer means"),
        ("_validity.ActiveToken.starting", "when it is due, and expired"),
    ],
    "The stamp, and the response": [
        ("_credentials.Bearer.put", "the token on the request"),
        ("_replay.Stamp.__call__", "sees the response"),
        ("_replay.review", "the one exit, and sends again"),
    ],
    "A replay, if the token was rejected": [
        ("_credentials.Credentials.blamed", "which credential?"),
        ("_manager.TokenManager.replace", "a renewal, as above"),
        ("_credentials.Bearer.put", "another token"),
        ("_replay.Stamp.drop_tokens", "none follows a redirect"),
    ],
}
"""The functions on the main path in the order in which they are called, and what each of them does."""


def main_calls(colours: Palette) -> str:
    """The main path through the code; a test follows a request and compares."""
    sheet = Sheet("A request, a renewal and a replay in the code", colours)
    y = 4.0
    for (heading, calls), fill in zip(
        CALLS.items(), (colours.blue, colours.green, colours.blue, colours.amber)
    ):
        sheet.text(4, y + 14, heading, font_weight="bold")
        y += 22
        for path, does in calls:
            module, _, function = path.rpartition(".")
            if module[-1].islower() and module.rpartition(".")[2][0].isupper():
                module, _, owner = module.rpartition(".")
                function = f"{owner}.{function}"
            sheet.box(4, y, 262, 34, fill)
            sheet.text(12, y + 14, module, size=11, fill=colours.soft)
            sheet.text(12, y + 28, function, size=12, font_family="monospace")
            sheet.text(276, y + 22, does, size=13)
            y += 39
        y += 8
    return sheet.svg(y - 4)


DRAWINGS = {
    "main-path": main_path,
    "main-calls": main_calls,
    "token-life": token_life,
    "choices": choices,
}


def pictures() -> Iterator[tuple[str, str]]:
    """The name of each file, and what is in it."""
    for name, draw in DRAWINGS.items():
        for shade, colours in SHADES.items():
            yield f"{name}-{shade}.svg", draw(colours)


PICTURES = dict(pictures())

if __name__ == "__main__":
    for name, drawn in PICTURES.items():
        (HERE / name).write_text(drawn, encoding="utf-8")
