-- A case has one conversation. Whoever adds a message raises `last_sequence` first, and so holds the row
-- until it commits: numbers become visible in their order, and whoever has read up to one has missed none.
CREATE TABLE conversations (
    case_id       TEXT PRIMARY KEY,
    last_sequence BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);

-- Times are milliseconds since the Unix epoch. JSON, not JSONB: see 0001.
CREATE TABLE messages (
    case_id    TEXT NOT NULL REFERENCES conversations (case_id),
    sequence   BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    content    TEXT NOT NULL,
    role       TEXT NOT NULL,
    sender     JSON NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (case_id, sequence),
    UNIQUE (case_id, message_id)
);
