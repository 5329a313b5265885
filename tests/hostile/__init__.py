"""A server that misbehaves on demand, the catalogue of what it can do, and a proxy to reach it through."""

from ._fault import (
    GOOD_LOGIN_DOCUMENT,
    GOOD_SESSION_TOKEN,
    GOOD_TOKEN,
    GOOD_TOKEN_DOCUMENT,
    LOGIN_PATH,
    MARKER,
    TOKEN_PATH,
    Fault,
)
from ._faults import LOGIN_FAULTS, TOKEN_FAULTS
from ._mischief import (
    Answer,
    Behaviour,
    answer,
    cut,
    drip_headers,
    echo,
    empty_reply,
    gzip_bomb,
    hang,
    html_answer,
    json_answer,
    json_fault,
    on_accept,
    present,
    raw,
    redirect,
    reset,
    retry_after,
    xml_fault,
)
from ._proxy import ForwardProxy
from ._server import HostileServer
from ._wire import Ending, RecordedRequest
