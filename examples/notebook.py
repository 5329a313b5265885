"""A notebook: cells that are run minutes or hours apart, in one Python that lives for days.

Editors and Jupyter (by jupytext) open this file as a notebook: a cell begins at each ``# %%``.
"""

# %% Once, at the top. Nothing is sent yet.
import requests

from requests_thingspace import ThingspaceAuth

auth = ThingspaceAuth.from_env()
thingspace = auth.environment.origins[0]
session = requests.Session()
session.auth = auth

# %% The first call fetches the token and logs in.
account = session.get(f"{thingspace}/api/m2m/v1/accounts/0000123456-00001").json()
print(account["organizationName"])

# %% Run it again after lunch: the token is expired, the session was idle for an hour. It works.
query = {"accountName": account["accountName"], "maxNumberOfDevices": 5}
devices = session.post(f"{thingspace}/api/m2m/v1/devices/actions/list", json=query).json()["devices"]
print([device["ipAddress"] for device in devices])

# %% What is held right now. The token itself is not shown: output cells are saved with the notebook.
print(auth.get_token())

# %% At the end of the day, if no one else uses the session.
auth.logout()
