"""Calls another host, then ThingSpace."""

# ruff: noqa: T201 - a job tells by print what it did

import sys

import requests

answer = requests.get(sys.argv[1], proxies={"https": ""})
print(answer.url, answer.status_code)
answer = requests.get("https://thingspace.verizon.com/api/fota/v3/x", params={"y": "1"})
print(answer.request.url, answer.status_code)
