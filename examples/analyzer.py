"""An analyzer of your own: python3 examples/analyzer.py, then ANALYZER_URL=http://127.0.0.1:9000/ tidings"""
import json, os, re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Analyzer(BaseHTTPRequestHandler):
    def do_POST(self):
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
        codes = re.findall(r"\b([A-Z]\d\d(?:\.\d)?)\b", text)  # put your model here
        answer = json.dumps({"diagnoses": [{"code": code, "name": f"as written: {code}"} for code in codes]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 9000))), Analyzer)
print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
