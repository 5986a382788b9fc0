-- What OCR said of an attempt; the first word stands. Dropped when the document ends.
CREATE TABLE ocr_results (
    document_id TEXT NOT NULL,
    attempt     BIGINT NOT NULL,
    failure     TEXT,
    text        TEXT,
    pages       BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (document_id, attempt)
);

-- Deliveries of the queue, which come at least once: a repeat is answered as before.
-- They are kept for a week, longer than the queue tries.
CREATE TABLE ocr_deliveries (
    delivery_id TEXT PRIMARY KEY,
    outcome     TEXT NOT NULL,
    received_at BIGINT NOT NULL
);

CREATE INDEX ocr_deliveries_by_time ON ocr_deliveries (received_at);
