-- +goose Up

-- What may be news about an alert: it failed, or its receipt is waited for. By SMS
-- that is done for pages alone, by chat for all else. What was sent and is neither
-- stays out for good; it is most of them.
DROP INDEX deliveries_alerts;
CREATE INDEX deliveries_alerts ON deliveries (id) WHERE alert AND NOT reported
    AND (state IN ('failed', 'expired') OR state IN ('sent', 'unknown') AND (channel = 'sms') = (reason IN ('page', 'page_help', 'mgr_nobody')));

-- A person's offers of a time, on every channel.
DROP INDEX deliveries_offers;
CREATE INDEX deliveries_offers ON deliveries (person, not_before) WHERE reason IN ('offer', 'reminder', 'offer_bundle');
