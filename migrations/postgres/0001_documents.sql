-- An upload is announced by presign; the document exists from confirm on.
CREATE TABLE uploads (
    document_id    TEXT PRIMARY KEY,
    patient_id     TEXT NOT NULL,
    filename       TEXT NOT NULL,
    content_type   TEXT NOT NULL,
    size           BIGINT NOT NULL,
    case_id        TEXT,
    procedure_code TEXT,
    created_at     BIGINT NOT NULL
);

-- Times are milliseconds since the Unix epoch. `rank` orders the statuses, so that a
-- statement can refuse to move a document backwards. JSON, not JSONB: what is read from a PDF
-- may hold \u0000, which JSONB refuses.
CREATE TABLE documents (
    document_id    TEXT PRIMARY KEY,
    patient_id     TEXT NOT NULL,
    filename       TEXT NOT NULL,
    content_type   TEXT NOT NULL,
    size           BIGINT NOT NULL,
    case_id        TEXT,
    procedure_code TEXT,
    status         TEXT NOT NULL,
    rank           BIGINT NOT NULL,
    reason         TEXT,
    attempt        BIGINT NOT NULL,
    findings       JSON,
    matches        JSON,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);

-- The newest of a patient, and those under way: the two ways in which statuses are read.
CREATE INDEX documents_by_patient ON documents (patient_id, updated_at DESC);
CREATE INDEX documents_under_way ON documents (patient_id, updated_at) WHERE rank < 10;
