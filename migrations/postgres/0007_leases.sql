-- Who works on a document under way, and until when nobody else may (milliseconds since the Unix
-- epoch, by the clock of the database). Without a worker it rests: OCR has it.
ALTER TABLE documents ADD COLUMN worker TEXT;
ALTER TABLE documents ADD COLUMN leased_until BIGINT NOT NULL DEFAULT 0;
