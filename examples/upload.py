"""A file goes up as a browser sends it, here straight into a bucket, and its steps are followed to their end.

It needs a bucket: Cloudflare R2, Amazon S3, MinIO, or a folder of this machine behind a small S3 server (`cargo install
s3s-fs --features binary`, then `mkdir -p buckets/tidings-files && s3s-fs --host 127.0.0.1 --port 9000 --access-key tidings-key
--secret-key not-a-secret-of-anybody buckets`). The server, in a terminal of its own:

    STORAGE_URL=s3://tidings-files/clinic/a AWS_ENDPOINT_URL=http://127.0.0.1:9000 \
      AWS_ACCESS_KEY_ID=tidings-key AWS_SECRET_ACCESS_KEY=not-a-secret-of-anybody tidings

With R2 AWS_ENDPOINT_URL is https://<account>.r2.cloudflarestorage.com and AWS_REGION is auto; with Amazon leave the endpoint out
and set AWS_REGION to the bucket's. Without STORAGE_URL the file goes into a folder of the server. Then:

    python3 examples/upload.py fixtures/mri_knee.pdf

It prints where the file went, each step, and the end:

    PUT http://127.0.0.1:9000/tidings-files/clinic/a/incoming/…
    upload_received 10 %
    ocr_started 20 %
    ocr_complete 50 %
    analysis_started 60 %
    analysis_complete 85 %
    matching_complete 100 %
    complete

Of a server elsewhere it reads TIDINGS_URL and TIDINGS_TOKEN, a viewer's token for doc_progress:demo."""
import json, mimetypes, os, sys, urllib.request
from pathlib import Path
from urllib.parse import urljoin

SERVER = os.environ.get("TIDINGS_URL", "http://127.0.0.1:8080")

def send(method, url, body=None, headers={}):
    return urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=60)

def call(server, path, body=None):
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("TIDINGS_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    return send("POST" if body else "GET", server + path, body and json.dumps(body).encode(), headers)

def events(server, path):
    """Reads one stream; a program that watches for longer comes back with the last id when it ends."""
    name = ""
    for line in call(server, path):
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)

def upload(server, file, patient):
    """Gives the path of the stream that tells of it."""
    content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    announced = {"patient_id": patient, "filename": file.name, "content_type": content_type, "size": file.stat().st_size}
    place = json.load(call(server, "/api/v1/uploads/presign", announced))
    url = urljoin(server, place["upload_url"])
    send(place["method"], url, file.read_bytes(), {"Content-Type": content_type, **place["headers"]})
    print(place["method"], url.partition("?")[0])  # what follows is the signature
    return json.load(call(server, "/api/v1/uploads/confirm", {"document_id": place["document_id"]}))["stream_url"]

if __name__ == "__main__":
    stream = upload(SERVER, Path(sys.argv[1]), "demo")
    for name, data in events(SERVER, stream + "&last_event_id=earliest"):
        if name == "progress":
            print(data["stage"], data["percent"], "%", data["detail"] or "", flush=True)
        elif name == "done":
            print(data["documents"][0]["status"])
            break
