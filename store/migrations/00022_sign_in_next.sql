-- +goose Up

-- Where to go once signed in: the page on which whoever asked for the link was.
ALTER TABLE sign_in_links ADD COLUMN next text NOT NULL DEFAULT '';
