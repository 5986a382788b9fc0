-- When an attempt came to where a stage begins or ends, so that operators see how long stages take.
ALTER TABLE documents ADD COLUMN reading_at BIGINT;
ALTER TABLE documents ADD COLUMN read_at BIGINT;
ALTER TABLE documents ADD COLUMN analyzing_at BIGINT;
ALTER TABLE documents ADD COLUMN analyzed_at BIGINT;

-- What moved last, of all patients.
CREATE INDEX documents_by_time ON documents (updated_at DESC);
