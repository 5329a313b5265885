"""List the devices of an account, a page at a time.

python examples/list_devices.py 0000123456-00001
"""

import sys
from collections.abc import Iterator

import requests

from requests_thingspace import ThingspaceAuth

PAGE = 100  # devices in one answer; ThingSpace gives up to 2000


def devices(session: requests.Session, origin: str, account: str) -> Iterator[dict]:
    """Every device of `account`, in the order of their ThingSpace device IDs."""
    seen = 0
    while True:
        query = {"accountName": account, "maxNumberOfDevices": PAGE, "largestDeviceIdSeen": seen}
        answer = session.post(f"{origin}/api/m2m/v1/devices/actions/list", json=query, timeout=60)
        answer.raise_for_status()
        page = answer.json()
        yield from page["devices"]
        if not page["hasMoreData"]:
            return
        seen = device_id(page["devices"][-1])


def device_id(device: dict) -> int:
    """ThingSpace's own ID of a device, by which it pages."""
    return next(int(more["value"]) for more in device["extendedAttributes"] if more["key"] == "DeviceId")


def main(account: str) -> None:
    """Print the IMEI and the state of connection of each device."""
    auth = ThingspaceAuth.from_env()
    with requests.Session() as session:
        session.auth = auth
        for count, device in enumerate(devices(session, auth.environment.origins[0], account), start=1):
            imei = next(known["id"] for known in device["deviceIds"] if known["kind"] == "imei")
            print(f"{count:6} {imei} {'connected' if device['connected'] else 'not connected'}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
