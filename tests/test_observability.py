"""Metrics and traces made of events, with the packages that people use for them."""

from collections import Counter as Tally

import pytest
import requests
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, Counter


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter):
    """Makes spans for `exporter`, without touching the global provider."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider.get_tracer("tests")
    provider.shutdown()


@pytest.fixture
def trace(tracer):
    """A listener that makes a span of each event that was waited for, as the page shows."""

    def trace(event):
        if event.duration is not None:
            start = int((event.at - event.duration) * 1e9)
            tracer.start_span(event.name, start_time=start).end(int(event.at * 1e9))

    return trace


@pytest.fixture
def parents(exporter):
    """A function that tells how often a span of each name lies under which parent."""

    def parents():
        spans = exporter.get_finished_spans()
        names = {span.context.span_id: span.name for span in spans}
        exporter.clear()
        return Tally((span.name, names[span.parent.span_id]) for span in spans if span.parent)

    return parents


def test_each_token_call_and_login_is_one_span_under_its_call(sandbox, connect, tracer, trace, parents):
    """The first call, one that needs nothing, a replay, and a failure."""
    session, account = connect(on_event=trace), f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"

    def call(name):
        with tracer.start_as_current_span(name):
            return session.get(account)

    call("first")
    assert parents() == {("token_fetched", "first"): 1, ("session_started", "first"): 1}
    call("second")
    assert parents() == {}
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    sandbox.fail_next("api", status=401)
    call("third")
    assert parents() == {("token_fetched", "third"): 1, ("session_started", "third"): 1}
    sandbox.advance(3600)
    sandbox.fail_next("token", status=400)
    with pytest.raises(requests.RequestException):
        call("fourth")
    assert parents() == {("renewal_failed", "fourth"): 1}


def test_counters_say_what_happened(sandbox, connect, account):
    """As many token calls and logins as the sandbox has seen."""
    registry = CollectorRegistry()
    happened = Counter("events", "Events", ["name"], registry=registry)
    session = connect(on_event=lambda event: happened.labels(event.name).inc())
    for _ in range(3):
        session.get(account)
        sandbox.revoke_tokens()
        sandbox.end_sessions()

    def count(name):
        return registry.get_sample_value("events_total", {"name": name})

    assert count("token_fetched") == sandbox.answers["token", 200]
    assert count("session_started") == sandbox.answers["login", 200]
    assert count("token_rejected") == sandbox.answers["api", 401]
