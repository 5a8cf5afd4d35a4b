"""Greets whoever is named in the input."""

import json
import sys

asked = json.load(sys.stdin)
json.dump({"greeting": f"hello, {asked.get('name', 'world')}"}, sys.stdout)
