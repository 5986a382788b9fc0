-- Who works on a document under way, and until when nobody else may (milliseconds since the Unix
-- epoch). Without a worker it rests: OCR has it.
ALTER TABLE documents ADD COLUMN worker TEXT;
ALTER TABLE documents ADD COLUMN leased_until INTEGER NOT NULL DEFAULT 0;
