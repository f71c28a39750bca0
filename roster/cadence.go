package roster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/clock"
)

// cadence is how often a rotation hands over, by the wall clock: every so many
// hours, or at times of the week.
type cadence struct {
	hours int
	times []int // minutes since Monday 00:00, in order; in place of hours
}

const (
	dayHours    = 24
	weekHours   = 7 * dayHours
	dayMinutes  = dayHours * 60
	weekMinutes = 7 * dayMinutes
)

// parseCadence reads Every: "week", "day", "12h", "08:00, 20:00" or
// "mon 08:00, fri 17:00".
func parseCadence(text string) (cadence, error) {
	switch text {
	case "week":
		return cadence{hours: weekHours}, nil
	case "day":
		return cadence{hours: dayHours}, nil
	}
	if strings.Contains(text, ":") {
		return parseTimes(text)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(text, "h"))
	if err != nil || !strings.HasSuffix(text, "h") || n < 1 || n > 366*dayHours {
		return cadence{}, fmt.Errorf(`every %q: use week, day, whole hours such as "12h", or times such as "mon 08:00, fri 17:00"`, text)
	}
	return cadence{hours: n}, nil
}

// weekDays are as a policy writes them.
func weekDays() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

func parseTimes(text string) (cadence, error) {
	var c cadence
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(strings.ToLower(part))
		if len(words) == 0 || len(words) > 2 {
			return c, fmt.Errorf(`every: %q is no time: write "mon 08:00", or "08:00" for every day`, strings.TrimSpace(part))
		}
		clock, err := time.Parse("15:04", words[len(words)-1])
		day := slices.Index(weekDays(), words[0])
		if err != nil || len(words) == 2 && day < 0 {
			return c, fmt.Errorf(`every: %q is no time: write "mon 08:00", or "08:00" for every day`, strings.TrimSpace(part))
		}
		minutes := clock.Hour()*60 + clock.Minute()
		for d := range 7 {
			if len(words) == 1 || d == day {
				c.times = append(c.times, d*dayMinutes+minutes)
			}
		}
	}
	slices.Sort(c.times)
	for i, t := range c.times {
		next := c.times[0] + weekMinutes
		if i+1 < len(c.times) {
			next = c.times[i+1]
		}
		if next-t < 60 { // a clock change could put the later one first
			return c, fmt.Errorf("every %q: leave at least an hour between two hand-overs", text)
		}
	}
	return c, nil
}

// average is the usual length of a shift.
func (c cadence) average() time.Duration {
	if c.times == nil {
		return time.Duration(c.hours) * time.Hour
	}
	return weekHours * time.Hour / time.Duration(len(c.times))
}

// handOvers returns when each shift begins, the first at the start. They keep
// their time on the wall: they are counted on the local calendar and not by adding
// hours to an instant. One that the wall skips comes as much later (clock.Wall).
func (c cadence) handOvers(first time.Time, zone *time.Location) func(shift int) time.Time {
	start := first.In(zone)
	if c.times == nil {
		return func(shift int) time.Time {
			if shift == 0 {
				return first
			}
			return clock.Wall(time.Date(start.Year(), start.Month(), start.Day(), start.Hour()+shift*c.hours,
				start.Minute(), start.Second(), start.Nanosecond(), time.UTC), zone)
		}
	}
	weekday := (int(start.Weekday()) + 6) % 7 // Monday is 0
	inWeek := func(n int) time.Time {         // counted from the first hand-over of the start's week
		week, i := n/len(c.times), n%len(c.times)
		return clock.Wall(time.Date(start.Year(), start.Month(), start.Day()-weekday+7*week, 0, c.times[i], 0, 0, time.UTC), zone)
	}
	before := 0 // hand-overs of that week up to the start
	for !inWeek(before).After(first) {
		before++
	}
	return func(shift int) time.Time {
		if shift == 0 {
			return first
		}
		return inWeek(before + shift - 1)
	}
}
