-- The documents of a case, newest first: what its checklist is made of.
CREATE INDEX documents_by_case ON documents (case_id, created_at DESC) WHERE case_id IS NOT NULL;
