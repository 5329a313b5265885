"""Several accounts side by side: each has its own keys, its own M2M user, and its own tokens.

python examples/several_accounts.py accounts.ini

The file, which only you should be able to read (mode 0600), has a section for each account::

    [0000123456-00001]
    client_id = ...
    client_secret = ...
    username = ...
    password = ...
"""

import configparser
import sys
from concurrent.futures import ThreadPoolExecutor

import requests

from requests_thingspace import Environment, ThingspaceAuth


def report(account: str, given: configparser.SectionProxy) -> str:
    """One line on one account."""
    arguments = dict(given)
    if "base_url" in arguments:  # a ThingSpace of its own, such as a sandbox
        arguments["environment"] = Environment.at(arguments.pop("base_url"))
    auth = ThingspaceAuth(**arguments)
    with requests.Session() as session:
        session.auth = auth
        try:
            response = session.get(f"{auth.environment.origins[0]}/api/m2m/v1/accounts/{account}", timeout=60)
            response.raise_for_status()
            auth.logout()  # nobody else uses this session
        except requests.RequestException as error:  # one account's trouble is not the others'
            return f"{account}: {error}"
    return f"{account}: {response.json()['organizationName']}"


def main(path: str) -> None:
    """Ask for all accounts at once."""
    accounts = configparser.ConfigParser(interpolation=None)  # a secret may hold a percent sign
    with open(path) as file:
        accounts.read_file(file)
    with ThreadPoolExecutor() as pool:
        for line in pool.map(report, accounts.sections(), [accounts[name] for name in accounts.sections()]):
            print(line)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
