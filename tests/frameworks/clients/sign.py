"""Signs requests with botocore, in headers and in the address, and sees them answered."""

import json
import os
import urllib.error
import urllib.request

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

URL = os.environ["AEGIS_URL"]
KEY = json.loads(os.environ["SIGNING_KEY"])
WHO = Credentials(KEY["access_key_id"], KEY["secret_access_key"])


def send(method, path, body=None, signer=SigV4Auth, service="bedrock-agentcore", change=lambda request: None):
    data = body.encode() if body is not None else None
    headers = {"content-type": "application/json"} if data is not None else {}
    request = AWSRequest(method=method, url=URL + path, data=data, headers=headers)
    signer(WHO, service, KEY["region"]).add_auth(request)
    change(request)
    prepared = request.prepare()
    call = urllib.request.Request(prepared.url, data=data, headers=dict(prepared.headers), method=method)
    try:
        with urllib.request.urlopen(call) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def forge(request):
    request.headers["X-Amz-Date"] = "20200101T000000Z"


MANIFEST = json.dumps({
    "apiVersion": "aegis/v1",
    "kind": "Agent",
    "metadata": {"name": "by-botocore"},
    "spec": {"runtime": {"isolation": "process", "command": ["cat"]}},
})

assert send("POST", "/api/v1/agents", MANIFEST)[0] == 201
assert send("GET", "/api/v1/agents/by-botocore")[0] == 200
assert send("GET", "/api/v1/agents?limit=5")[0] == 200
status, answer = send("POST", "/api/v1/agents/by-botocore/invocations", '{"input": {"ä": [1, 2]}}')
assert (status, answer.get("output")) == (200, {"ä": [1, 2]}), answer
status, answer = send("GET", "/api/v1/agents/by-botocore", signer=SigV4QueryAuth)
assert status == 200, answer
assert send("GET", "/api/v1/agents", change=forge)[0] == 401
assert send("GET", "/api/v1/agents", service="s3")[0] == 401
print("signed by botocore")
