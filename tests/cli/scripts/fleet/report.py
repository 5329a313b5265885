"""Tells all that a program can see of how it was started."""

import json
import sys

import __main__

seen = {
    "argv": sys.argv,
    "path": sys.path[0],
    "file": __file__,
    "name": __name__,
    "package": __package__,
    "spec": __spec__ and __spec__.name,
    "loader": type(__loader__).__name__,
    "builtins": type(__builtins__).__name__,
    "is main": vars(__main__) is globals(),
}
print(json.dumps(seen))
