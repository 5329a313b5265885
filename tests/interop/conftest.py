"""Ways to bring an auth to a Session that is there."""

import pytest

from requests_thingspace import mount


@pytest.fixture(params=["auth with session=", "adapter"])
def share_the_way(request, auth):
    """A function that gives a Session an auth whose first token call already takes the Session's way."""

    def share_the_way(session, **arguments):
        if request.param == "adapter":
            return mount(session, auth(session=None, **arguments))
        session.auth = auth(session=session, **arguments)
        return session

    return share_the_way
