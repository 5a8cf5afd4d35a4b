"""Logs in at the OpenID provider as people do in a browser, and asks with the token."""

import json
import os
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

URL, ISSUER = os.environ["AEGIS_URL"], os.environ["ISSUER"]


def login(who, groups):
    httpx.put(f"{ISSUER}/users/{who}", json={"groups": groups}).raise_for_status()
    back = "http://127.0.0.1:1/back"
    wish = {"client_id": "aegis", "redirect_uri": back, "response_type": "code", "scope": "openid groups"}
    known = httpx.get(f"{ISSUER}/.well-known/openid-configuration").json()
    answer = httpx.post(f"{known['authorization_endpoint']}?{urlencode(wish)}", data={"sub": who})
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    ask = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    token = httpx.post(known["token_endpoint"], data=ask, auth=("aegis", "secret"))
    return token.raise_for_status().json()["id_token"]


def status(token, method, path, body=None):
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    call = urllib.request.Request(URL + path, data=body, headers=headers, method=method)
    try:
        return urllib.request.urlopen(call).status
    except urllib.error.HTTPError as error:
        print(json.loads(error.read())["error"]["message"])
        return error.code


ops = login("alice", ["ops"])
assert status(ops, "GET", "/api/v1/agents") == 200
assert status(ops, "POST", "/api/v1/agents/by-botocore/invocations", b'{"input": 1}') == 200
assert status(ops, "GET", "/api/v1/keys") == 403
assert status(login("bob", []), "GET", "/api/v1/agents") == 403
head, body, signature = ops.split(".")
assert status(f"{head}.{body}.{signature[::-1]}", "GET", "/api/v1/agents") == 401
print("logged in at a real OpenID provider")
