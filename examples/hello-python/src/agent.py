"""Greets whoever it is given.

stdin holds one JSON document, stdout takes the answer, stderr is the log. A line
{"event": ...} on stdout is shown to a caller that listens while the agent works.
"""

import json
import sys

question = json.load(sys.stdin)
name = question.get("name", "world") if isinstance(question, dict) else question or "world"

print(f"greeting {name}", file=sys.stderr)
print(json.dumps({"event": {"thinking": name}}), flush=True)
print(json.dumps({"greeting": f"Hello, {name}!"}))
