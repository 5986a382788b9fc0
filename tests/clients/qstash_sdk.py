"""Publishes with PyPI's qstash, as it comes, to the queue whose URL, token and signing keys are the
arguments, and checks what is delivered with its own Receiver. Ends with 0 only if all is as documented."""

import json
import queue
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from qstash import QStash, Receiver
from qstash.errors import SignatureError

url, token, current, following = sys.argv[1:]
deliveries = queue.Queue()


class Destination(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        deliveries.put((self.path, dict(self.headers), body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"answered")

    def log_message(self, *_):
        pass


def refused(check):
    try:
        check()
    except SignatureError:
        return
    raise AssertionError("a forgery was taken")


server = ThreadingHTTPServer(("127.0.0.1", 0), Destination)
threading.Thread(target=server.serve_forever, daemon=True).start()
place = f"http://127.0.0.1:{server.server_port}"

client = QStash(token, base_url=url, retry=False)
answer = client.message.publish_json(
    url=f"{place}/read?attempt=1", body={"text": "Größe ✓"}, callback=f"{place}/back", retries=1
)
receiver = Receiver(current_signing_key=current, next_signing_key=following)
rolled = Receiver(current_signing_key="sig_newer", next_signing_key=current)
stranger = Receiver(current_signing_key="sig_a", next_signing_key="sig_b")

seen = [deliveries.get(timeout=20) for _ in range(2)]
for path, headers, body in seen:
    fields = {name.lower(): value for name, value in headers.items()}
    signed = {"signature": fields["upstash-signature"], "clock_tolerance": 1}
    for by in (receiver, rolled):
        by.verify(body=body, url=place + path, **signed)
    refused(lambda: receiver.verify(body=body + " ", url=place + path, **signed))
    refused(lambda: receiver.verify(body=body, url=place + path + "0", **signed))
    refused(lambda: stranger.verify(body=body, url=place + path, **signed))

by_path = {path: json.loads(body) for path, _, body in seen}
assert by_path["/read?attempt=1"] == {"text": "Größe ✓"}, by_path
assert by_path["/back"]["status"] == 200, by_path
assert by_path["/back"]["sourceMessageId"] == answer.message_id, by_path
keys = client.signing_key.get()
assert (keys.current, keys.next) == (current, following)
print("all as expected")
