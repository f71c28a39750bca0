package policy

import (
	"time"

	"github.com/rickar/cal/v2"

	"deskbell/clock"
)

// Hours are office hours: the same from and to on every office day, by the wall
// clock of one zone. The zero value is open always.
type Hours struct {
	zone     *time.Location
	days     [7]bool // by time.Weekday
	from, to clockTime
	holidays *cal.Calendar
}

// clockTime is a time of day in minutes since midnight, at most 24:00.
type clockTime int

const wholeDay clockTime = 24 * 60

func defaultOffice() Hours {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic("policy: the time zones embedded in the program are missing: " + err.Error())
	}
	return Hours{
		zone:     zone,
		days:     [7]bool{time.Monday: true, time.Tuesday: true, time.Wednesday: true, time.Thursday: true, time.Friday: true},
		from:     8 * 60,
		to:       18 * 60,
		holidays: calendar("de"),
	}
}

// Open tells whether the office is open at a time.
func (h Hours) Open(at time.Time) bool {
	if h.always() {
		return true
	}
	from, to, ok := h.day(at.In(h.zone))
	return ok && !at.Before(from) && at.Before(to)
}

// Zone is where the hours are counted.
func (h Hours) Zone() *time.Location { return h.zone }

func (h Hours) always() bool { return h.days == [7]bool{} }

// day returns when the office opens and closes on a date; ok is false when it
// does not open. Across a clock change the day is an hour longer or shorter only
// when the change falls into the hours.
func (h Hours) day(date time.Time) (from, to time.Time, ok bool) {
	if !h.days[date.Weekday()] {
		return from, to, false
	}
	if h.holidays != nil {
		// The day in lieu is free, not a holiday that falls on a day off.
		if _, observed, _ := h.holidays.IsHoliday(date); observed {
			return from, to, false
		}
	}
	at := func(t clockTime) time.Time {
		return clock.Wall(time.Date(date.Year(), date.Month(), date.Day(), 0, int(t), 0, 0, time.UTC), h.zone)
	}
	return at(h.from), at(h.to), true
}

// add returns the time at which d of office hours have passed since start. A
// start outside the hours counts from the next opening, even when d is zero.
func (h Hours) add(start time.Time, d time.Duration) time.Time {
	if h.always() {
		return start.Add(d).UTC()
	}
	local := start.In(h.zone)
	for i := 0; ; i++ {
		// Noon exists on every day of every zone.
		date := time.Date(local.Year(), local.Month(), local.Day()+i, 12, 0, 0, 0, h.zone)
		from, to, ok := h.day(date)
		if start.After(from) {
			from = start
		}
		if !ok || !from.Before(to) { // to, too, when clocks skip all of it
			continue
		}
		if open := to.Sub(from); d > open {
			d -= open
			continue
		}
		return from.Add(d).UTC()
	}
}
