"""A job that cron starts each minute: the runs of an hour share one token and one session.

* * * * *  . /etc/thingspace.env; /opt/venv/bin/python /opt/jobs/cron_job.py 0000123456-00001

The file /etc/thingspace.env holds ``export THINGSPACE_CLIENT_ID=...`` and so on, and has mode 0600. The
tokens are kept in the user's own state folder, which no other user can read.
"""

import sys

import requests

from requests_thingspace import FileTokenCache, ThingspaceAuth


def main(account: str) -> str:
    """One line for the log."""
    auth = ThingspaceAuth.from_env(cache=FileTokenCache())
    url = f"{auth.environment.origins[0]}/api/m2m/v1/devices/actions/list"
    with requests.Session() as session:
        session.auth = auth
        answer = session.post(url, json={"accountName": account}, timeout=60)
    answer.raise_for_status()
    devices = answer.json()["devices"]
    return f"{account}: {sum(device['connected'] for device in devices)} of {len(devices)} connected"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(main(sys.argv[1]))
    except requests.RequestException as error:  # cron mails what is written here
        sys.exit(f"{type(error).__name__}: {error}")
