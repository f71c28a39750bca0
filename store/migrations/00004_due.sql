-- +goose Up

-- What is due next: read at every look for something to send.
CREATE INDEX deliveries_due ON deliveries (channel, not_before) WHERE state = 'due';
