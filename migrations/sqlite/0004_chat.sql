-- A case has one conversation, which counts its messages.
CREATE TABLE conversations (
    case_id       TEXT PRIMARY KEY,
    last_sequence INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
);

-- Times are milliseconds since the Unix epoch; `sender` is a JSON object.
CREATE TABLE messages (
    case_id    TEXT NOT NULL REFERENCES conversations (case_id),
    sequence   INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    content    TEXT NOT NULL,
    role       TEXT NOT NULL,
    sender     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (case_id, sequence),
    UNIQUE (case_id, message_id)
);
