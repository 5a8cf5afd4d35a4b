"""Counts how often it was greeted: a server that keeps what it knows while its session lives.

Aegis asks POST /invocations with the input as JSON, and GET /ping for how it is. What it
writes to stdout and stderr is its log.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

greeted = {}


class Agent(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, {"status": "Healthy"})

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
        name = (question or {}).get("name", "world")
        greeted[name] = greeted.get(name, 0) + 1
        self.answer(200, {"greeting": f"Hello, {name}!", "times": greeted[name]})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", 8080), Agent).serve_forever()
