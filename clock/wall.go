package clock

import "time"

// Wall returns when the clocks of a zone show the date and the time that t shows, as
// RFC 5545 (3.3.5) has it: of a time that they show twice the first, and of one that
// they skip the time so long after the change as if they had not been changed yet.
// time.Date takes either of two, by the sign of the zone's offset.
func Wall(t time.Time, zone *time.Location) time.Time {
	const day = 24 * time.Hour
	utc := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	offset := func(at time.Time) time.Duration {
		_, seconds := at.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	// No zone is as far as a day from UTC, nor changes twice within two.
	before, after := offset(utc.Add(-day)), offset(utc.Add(day))
	at, later := utc.Add(-before), utc.Add(-after)
	if offset(at) != before && offset(later) == after {
		at = later
	}
	return at.In(zone)
}
