-- +goose Up

-- What a ticket is found by: its words as they are and by their English and German
-- stems, the subject's first; of a long body the beginning.
ALTER TABLE tickets ADD COLUMN search tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('simple'::regconfig, coalesce(doc->>'subject', '')), 'A')
    || setweight(to_tsvector('english'::regconfig, coalesce(doc->>'subject', '')), 'B')
    || setweight(to_tsvector('german'::regconfig, coalesce(doc->>'subject', '')), 'B')
    || setweight(to_tsvector('simple'::regconfig, left(coalesce(doc->>'body', ''), 16384)), 'C')
    || setweight(to_tsvector('english'::regconfig, left(coalesce(doc->>'body', ''), 16384)), 'D')
    || setweight(to_tsvector('german'::regconfig, left(coalesce(doc->>'body', ''), 16384)), 'D')
) STORED;
CREATE INDEX tickets_search ON tickets USING gin (search);
