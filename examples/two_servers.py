"""Two servers over one PostgreSQL: what one of them works on, viewers of the other one see.

It needs a database: Neon, or one of this machine (`docker run -p 5432:5432 -e POSTGRES_USER=tidings -e
POSTGRES_HOST_AUTH_METHOD=trust postgres:17`). Its tables, once, over the direct connection:

    DATABASE_URL=postgres://tidings@127.0.0.1:5432/tidings DATABASE_DIRECT_URL=postgres://tidings@127.0.0.1:5432/tidings \
      tidings migrate

Two servers, each in a terminal of its own:

    DATABASE_URL=postgres://tidings@127.0.0.1:5432/tidings MIGRATE_ON_START=false tidings

    DATABASE_URL=postgres://tidings@127.0.0.1:5432/tidings MIGRATE_ON_START=false PORT=8090 tidings

With Neon DATABASE_URL is the pooled URL, with -pooler in its host, and DATABASE_DIRECT_URL the one without; both end in
?sslmode=require. Then:

    python3 examples/two_servers.py http://127.0.0.1:8080 http://127.0.0.1:8090 fixtures/mri_knee.pdf

It watches the patient on the second, uploads to the first, and prints what the second reads from the database:

    connected: 0 documents
    PUT http://127.0.0.1:8080/api/v1/uploads/…
    document_update: complete
    done

Statuses are read every 5 s (STATUS_INTERVAL_MS), so some are passed over; where events cross processes as well (over_redis.py)
each step comes at once. In production both need the same files too: a bucket, as in upload.py."""
import sys
from pathlib import Path
from upload import events, upload

uploading, watching, file = sys.argv[1], sys.argv[2], Path(sys.argv[3])
for name, data in events(watching, "/api/v1/patients/demo/documents/stream"):
    if name == "connected":
        print("connected:", len(data["documents"]), "documents", flush=True)
        upload(uploading, file, "demo")
    elif name == "document_update":
        print("document_update:", data["status"], flush=True)
    elif name == "done":
        print("done")
        break
