"""An agent that is a server, with nothing but the standard library: what it does is in its input."""
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

released = threading.Event()
left = threading.Event()
gathered = threading.Barrier(20)
busy_until = 0.0
connections = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = os.environ.get("PROTOCOL", "HTTP/1.1")

    def setup(self):
        global connections
        connections += 1
        self.number = connections
        super().setup()

    def answer(self, status, content_type, body):
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self, value):
        self.answer(200, "application/json", json.dumps(value).encode())

    def do_GET(self):
        if self.path != "/ping" or "NO_PING" in os.environ:
            return self.answer(404, "text/plain", b"no such page")
        self.answer_json({"status": "HealthyBusy" if time.time() < busy_until else "Healthy"})

    def do_POST(self):
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        getattr(self, "do_" + given["do"])(given)

    def do_tell(self, given):
        names = ["Content-Type", "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id", "X-Correlation-ID"]
        headers = {name: self.headers[name] for name in names}
        self.answer_json({"path": self.path, "headers": headers, "given": given, "port": os.environ["PORT"]})

    def do_say(self, given):
        self.answer(given.get("status", 200), given.get("type"), given["body"].encode())

    def do_stream(self, given):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b'data: {"number": 1}\n\n')
        self.wfile.flush()
        if not released.wait(20):
            raise TimeoutError("nobody heard the first event")
        self.wfile.write(b"data: two\n\n")
        self.close_connection = True

    def do_release(self, given):
        released.set()
        self.answer_json(None)

    def do_gather(self, given):
        gathered.wait(20)
        self.answer_json(given["number"])

    def do_count(self, given):
        self.answer_json(self.number)

    def do_wait(self, given):
        # Nothing comes until whoever asked has gone.
        if self.rfile.read(1) == b"":
            left.set()
        self.close_connection = True

    def do_left(self, given):
        self.answer_json(left.wait(20))

    def do_work(self, given):
        global busy_until
        busy_until = time.time() + given["seconds"]
        self.answer_json(None)

    def do_break(self, given):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all")
        self.close_connection = True

    def do_babble(self, given):
        self.wfile.write(b"what is HTTP?\r\n\r\n")
        self.close_connection = True

    def do_drop(self, given):
        self.close_connection = True

    def do_die(self, given):
        print("these are my last words", file=sys.stderr)
        os._exit(given["code"])


class Server(ThreadingHTTPServer):
    request_queue_size = 64


time.sleep(float(os.environ.get("SLOW_START", "0")))
if "FAIL" in os.environ:
    raise RuntimeError("no such model: " + os.environ["FAIL"])
print("I begin", flush=True)
if "DEAF" in os.environ:
    time.sleep(1000)
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
