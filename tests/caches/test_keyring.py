"""KeyringTokenCache: the keyring keeps the entries, a lock file makes up for the lock that it lacks."""

import keyring.backends.fail

from requests_thingspace import KeyringTokenCache


def test_a_machine_without_a_keyring(outlive, plain_keyring, use_keyring):
    """Where no keyring is to be had every API call is 200, with one warning, and it may come back."""
    none = keyring.backends.fail.Keyring()
    outlive(KeyringTokenCache(), lambda: use_keyring(none), lambda: use_keyring(plain_keyring))
