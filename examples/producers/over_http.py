"""Tells of work over HTTP, with Python alone: python3 examples/producers/over_http.py demo d1 c1"""
import json, os, sys, urllib.request, uuid

def post(path, body):
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("INTERNAL_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    url = os.environ.get("TIDINGS_URL", "http://127.0.0.1:8080") + path
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)

def emit_progress(patient, document, stage, **more):
    event = {"patient_id": patient, "document_id": document, "stage": stage, "event_id": str(uuid.uuid4())}
    return post("/api/v1/progress", {**event, **more})  # again with the same event_id: it counts once

def emit_chat(case, type, data):
    return post(f"/api/v1/streams/chat/{case}/events", {"type": type, "data": data})

def say(case, id, content):
    return post(f"/api/v1/cases/{case}/messages", {"id": id, "content": content, "role": "assistant"})

if __name__ == "__main__":
    patient, document, case = sys.argv[1:]
    emit_progress(patient, document, "ocr_started", status="in_progress", percent=30, detail="page 2 of 5")
    emit_progress(patient, document, "ocr_complete", detail="5 pages")
    emit_progress(patient, document, "matching_complete")
    emit_chat(case, "agent_joined", {"name": "Eve"})
    emit_chat(case, "token", {"message_id": "answer-1", "index": 0, "text": "Your MRI "})
    emit_chat(case, "token", {"message_id": "answer-1", "index": 1, "text": "is recent."})
    say(case, "answer-1", "Your MRI is recent.")
    emit_chat(case, "answer_done", {"message_id": "answer-1"})
