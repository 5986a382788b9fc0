"""Tells of work by pushes to Redis, with the official SDK (pip install upstash-redis), which reads
UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN: python3 examples/producers/over_redis.py demo d1 c1"""
import json, sys, uuid
from upstash_redis import Redis

redis = Redis.from_env()

def push(channel, event):
    pushing = redis.pipeline()
    pushing.rpush(channel, json.dumps({"event_id": str(uuid.uuid4()), **event}))
    pushing.expire(channel, 600)  # where nobody ever looks, nothing stays behind
    pushing.publish("tidings:wake", channel)  # only where UPSTASH_WAKE=on
    pushing.exec()

def emit_progress(patient, document, stage, **more):
    push(f"doc_progress:{patient}", {"document_id": document, "stage": stage, **more})

def emit_chat(case, type, data):
    push(f"chat:{case}", {"type": type, "data": data})

if __name__ == "__main__":
    patient, document, case = sys.argv[1:]
    emit_progress(patient, document, "ocr_started", status="in_progress", percent=30, detail="page 2 of 5")
    emit_progress(patient, document, "ocr_complete", detail="5 pages")
    emit_progress(patient, document, "matching_complete")
    emit_chat(case, "agent_joined", {"name": "Eve"})
    emit_chat(case, "token", {"message_id": "answer-1", "index": 0, "text": "Your MRI "})
    emit_chat(case, "token", {"message_id": "answer-1", "index": 1, "text": "is recent."})
    emit_chat(case, "message", {"id": "answer-1", "content": "Your MRI is recent.", "role": "assistant"})
    emit_chat(case, "answer_done", {"message_id": "answer-1"})
