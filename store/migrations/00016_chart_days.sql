-- +goose Up

-- What the charts count, by day: each row is about the tickets of one priority, and of
-- one person, hour or word where the chart is about those. Rows of several days or
-- priorities are added up.
CREATE TABLE chart_days (
    day      date NOT NULL,
    chart    text NOT NULL,
    priority text NOT NULL, -- empty for what is about no ticket
    key      text NOT NULL,
    sums     double precision[] NOT NULL,
    samples  integer[] NOT NULL DEFAULT '{}', -- seconds, one for each ticket
    others   integer[] NOT NULL DEFAULT '{}', -- the same for a second curve
    PRIMARY KEY (day, chart, priority, key)
);

-- The figures need no more than this of the tickets that they are about.
CREATE INDEX tickets_figures ON tickets (number) INCLUDE (priority, created_at);

-- How far that is. Days before open_from are over and settled: they are not counted again.
CREATE TABLE chart_counts (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    zone       text NOT NULL, -- of the days
    counted_at timestamptz NOT NULL,
    open_from  timestamptz NOT NULL
);
INSERT INTO chart_counts VALUES (true, '', '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00');
