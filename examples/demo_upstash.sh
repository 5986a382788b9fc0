#!/usr/bin/env bash
# The production wire on a laptop, without accounts: Redis behind an Upstash-compatible front, a queue
# like QStash, an OCR worker with tesseract, and the server. Ctrl-C ends all of it and leaves nothing.
#
# In a terminal of its own (elsewhere than on port 8080 with PORT=9000 before it):
#
#     make demo-upstash
#
# Then drop a scan on the page it names, or:
#
#     python3 examples/upload.py fixtures/scanned_letter.pdf
#
# This prints each step, which went through Redis, and the pages that came back over the queue:
#
#     upload_received 10 %
#     ocr_started … page 3 of 3
#     ocr_complete 50 % 3 pages
#     complete
#
# With Upstash itself the server takes UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN and the variables of QStash from the
# console in place of these: .env.example explains each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PORT=${PORT:-8080} REDIS_PORT=${REDIS_PORT:-6390} REST_PORT=${REST_PORT:-8079}
QUEUE_PORT=${QUEUE_PORT:-8081} WORKER_PORT=${WORKER_PORT:-8090}

for program in redis-server pdfinfo pdftoppm tesseract; do
    command -v "$program" >/dev/null || { echo "This needs $program on the path: make setup" >&2; exit 1; }
done
cargo build --locked --bin tidings --example ocr_worker
tidings=$PWD/target/debug/tidings worker=$PWD/target/debug/examples/ocr_worker

# What the vendor publishes for local work: no secrets, and refused in production.
export QSTASH_TOKEN="eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
export QSTASH_CURRENT_SIGNING_KEY=sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r
export QSTASH_NEXT_SIGNING_KEY=sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs
export OCR_URL="http://127.0.0.1:$WORKER_PORT/" PUBLIC_URL="http://127.0.0.1:$PORT"

folder=$(mktemp -d)
pids=()

stop() {
    trap - EXIT INT TERM
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Starts a part in the temporary folder, with a log of its own, and waits until it listens on its port.
start() {
    local name=$1 port=$2
    shift 2
    if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        echo "Port $port, for the $name, is taken; the head of $0 names the variables." >&2
        exit 1
    fi
    (cd "$folder" && exec "$@" >"$folder/$name.log" 2>&1) &
    pids+=($!)
    for _ in $(seq 100); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
        kill -0 "${pids[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "The $name did not start:" >&2
    cat "$folder/$name.log" >&2
    exit 1
}

start redis "$REDIS_PORT" redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save "" --appendonly no
start redis-rest "$REST_PORT" "$tidings" redis-rest --redis "redis://127.0.0.1:$REDIS_PORT" \
    --listen "127.0.0.1:$REST_PORT" --token demo
start queue "$QUEUE_PORT" "$tidings" qstash-dev --listen "127.0.0.1:$QUEUE_PORT" --time-scale 0.1
LISTEN="127.0.0.1:$WORKER_PORT" start worker "$WORKER_PORT" "$worker"
UPSTASH_REDIS_REST_URL="http://127.0.0.1:$REST_PORT" UPSTASH_REDIS_REST_TOKEN=demo \
    QSTASH_URL="http://127.0.0.1:$QUEUE_PORT" HOST=127.0.0.1 PORT="$PORT" start server "$PORT" "$tidings" serve

echo "Drop fixtures/scanned_letter.pdf on http://127.0.0.1:$PORT/   (logs: $folder; Ctrl-C ends all)"
wait -n "${pids[@]}" || true
echo "One part ended, so all of it ends. The last lines of each:" >&2
tail -n 3 "$folder"/*.log >&2
exit 1
