"""Airflow: HttpHook(auth_type=thingspace_auth) calls it with the login and password of its connection."""

from requests_thingspace import FileTokenCache, ThingspaceAuth


def thingspace_auth(login: str, password: str) -> ThingspaceAuth:
    """An auth for the client id and secret of the connection; the user comes from the environment."""
    return ThingspaceAuth.from_env(client_id=login, client_secret=password, cache=FileTokenCache())
