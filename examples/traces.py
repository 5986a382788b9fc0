"""A service that traces itself: its document's steps become spans under its own, to be seen in Grafana.

It needs a receiver of OTLP over HTTP: Grafana with Tempo on this machine (`docker run -p 3000:3000 -p 4318:4318
grafana/otel-lgtm`), Jaeger, Langfuse, Grafana Cloud. The server, in a terminal of its own:

    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 tidings

With Grafana Cloud OTEL_EXPORTER_OTLP_ENDPOINT is https://otlp-gateway-<zone>.grafana.net/otlp and OTEL_EXPORTER_OTLP_HEADERS
is Authorization=Basic%20<base64 of instance:token>, as its page OpenTelemetry shows them. Then:

    python3 examples/traces.py d1

It prints under which trace to look (in Grafana: Explore, Tempo), and what it told:

    trace …
    ocr_started
    ocr_complete
    matching_complete
"""
import json, os, secrets, sys, urllib.request

# What the tracer of your service gives: the ids of its trace and of the span that is open.
trace, span = secrets.token_hex(16), secrets.token_hex(8)

def emit_progress(patient, document, stage):
    headers = {"Content-Type": "application/json", "traceparent": f"00-{trace}-{span}-01"}
    if key := os.environ.get("INTERNAL_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    url = os.environ.get("TIDINGS_URL", "http://127.0.0.1:8080") + "/api/v1/progress"
    body = json.dumps({"patient_id": patient, "document_id": document, "stage": stage}).encode()
    urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=5).close()

print("trace", trace)
for stage in ("ocr_started", "ocr_complete", "matching_complete"):
    emit_progress("demo", sys.argv[1], stage)
    print(stage)
