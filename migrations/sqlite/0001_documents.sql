-- An upload is announced by presign; the document exists from confirm on.
CREATE TABLE uploads (
    document_id    TEXT PRIMARY KEY,
    patient_id     TEXT NOT NULL,
    filename       TEXT NOT NULL,
    content_type   TEXT NOT NULL,
    size           INTEGER NOT NULL,
    case_id        TEXT,
    procedure_code TEXT,
    created_at     INTEGER NOT NULL
);

-- Times are milliseconds since the Unix epoch. `rank` orders the statuses, so that a
-- statement can refuse to move a document backwards.
CREATE TABLE documents (
    document_id    TEXT PRIMARY KEY,
    patient_id     TEXT NOT NULL,
    filename       TEXT NOT NULL,
    content_type   TEXT NOT NULL,
    size           INTEGER NOT NULL,
    case_id        TEXT,
    procedure_code TEXT,
    status         TEXT NOT NULL,
    rank           INTEGER NOT NULL,
    reason         TEXT,
    attempt        INTEGER NOT NULL,
    findings       TEXT,
    matches        TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
);

CREATE INDEX documents_by_patient ON documents (patient_id, updated_at DESC);
CREATE INDEX documents_by_rank ON documents (rank, updated_at);
