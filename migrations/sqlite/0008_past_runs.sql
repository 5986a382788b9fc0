-- How much was read, and by whom, so that the time a document takes is told by those like it.
ALTER TABLE documents ADD COLUMN pages INTEGER;
ALTER TABLE documents ADD COLUMN is_scan INTEGER;

-- Those that went well, the newest first.
CREATE INDEX documents_complete ON documents (updated_at DESC) WHERE status = 'complete';
