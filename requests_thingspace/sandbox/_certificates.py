"""The sandbox's own certificate authority: its certificate is a file, its keys are not.

OpenSSL takes a key only from a file, so the server's key is one for a moment, in the sandbox's folder, which
only the user can read and which goes away with the sandbox.
"""

from __future__ import annotations

import os
import ssl
import tempfile

import trustme


class Certificates:
    """A certificate for loopback, and the file by which clients trust it."""

    def __init__(self) -> None:
        """Make a new authority and its certificate for localhost, 127.0.0.1 and ::1."""
        self._folder = tempfile.TemporaryDirectory(prefix="thingspace-sandbox-")
        authority = trustme.CA()
        self.ca_file = os.path.join(self._folder.name, "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        leaf = authority.issue_cert("localhost", "127.0.0.1", "::1")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        with leaf.private_key_and_cert_chain_pem.tempfile(self._folder.name) as path:
            self.context.load_cert_chain(path)

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()
