package command

import (
	"strconv"
	"strings"
	"time"

	"deskbell/clock"
)

// morning is the hour that a day without a time means.
const morning = 9

// horizon is how far ahead a time may be; what is farther is a slip.
const horizon = 366 * 24 * time.Hour

// When reads a time that somebody wrote at the start of a text: "2h", "1h30m",
// "tomorrow 9:00", "mon", "until 14:30", "morgen 9 Uhr". It returns the absolute
// time, always after now, and the text that follows; ok is false when the text
// does not start with a time. Times of day are in loc; a day alone means 9:00, and
// a time of day that has passed means tomorrow's.
func When(text string, now time.Time, loc *time.Location) (at time.Time, rest string, ok bool) {
	w := when{tokens: tokenize(text), now: now.In(loc)}
	if strings.HasPrefix(text, "-") || !w.duration() && !w.date() {
		return time.Time{}, text, false
	}
	if !w.at.After(now) || w.at.Sub(now) > horizon {
		return time.Time{}, text, false
	}
	return w.at, w.rest(w.next), true
}

func startsWithTime(text string) bool {
	if text == "" {
		return false
	}
	_, _, ok := When(text, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.UTC)
	return ok
}

type when struct {
	tokens
	now  time.Time
	at   time.Time
	next int // the first token after the time
}

// duration reads "2h", "2 hours", "1h 30m", "in an hour".
func (w *when) duration() bool {
	i := w.skip(0)
	var sum time.Duration
	for i < len(w.list) {
		d, next := w.span(i)
		if next == i {
			break
		}
		sum, i = sum+d, next
	}
	if sum <= 0 {
		return false
	}
	w.at, w.next = w.now.Add(sum), i
	return true
}

// span reads one amount of time at token i.
func (w *when) span(i int) (time.Duration, int) {
	t := w.list[i].num
	if d, ok := compound(t); ok {
		return d, i + 1
	}
	if i+1 >= len(w.list) {
		return 0, i
	}
	unit := units[grammar.Time.unit[w.list[i+1].word]]
	if unit == 0 {
		return 0, i
	}
	if grammar.is("one", t) {
		return unit, i + 2
	}
	if n, err := strconv.Atoi(t); err == nil && n > 0 && n < 10000 {
		return time.Duration(n) * unit, i + 2
	}
	return 0, i
}

var units = map[string]time.Duration{
	"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// compound reads "2h", "1h30m", "1h30".
func compound(t string) (time.Duration, bool) {
	var sum time.Duration
	for t != "" {
		digits := strings.IndexFunc(t, func(r rune) bool { return r < '0' || r > '9' })
		if digits < 0 && sum%time.Hour == 0 && sum > 0 && len(t) == 2 { // 1h30
			digits, t = 2, t+"m"
		}
		if digits < 1 || digits > 4 {
			return 0, false
		}
		n, _ := strconv.Atoi(t[:digits])
		t = t[digits:]
		letters := strings.IndexFunc(t, func(r rune) bool { return r >= '0' && r <= '9' })
		if letters < 0 {
			letters = len(t)
		}
		unit := units[grammar.Time.unit[t[:letters]]]
		if unit == 0 {
			return 0, false
		}
		sum, t = sum+time.Duration(n)*unit, t[letters:]
	}
	return sum, sum > 0
}

// date reads a day, a time of day, or both in either order.
func (w *when) date() bool {
	i := w.skip(0)
	day, next := w.day(i)
	minutes, after := w.clock(w.skip(next), day != "" || i > 0)
	if after > 0 {
		next = after
	}
	if day == "" && after > 0 {
		if d, n := w.day(w.skip(next)); d != "" {
			day, next = d, n
		}
	}
	if day == "" && after == 0 {
		return false
	}
	if after == 0 {
		minutes = morning * 60
	}
	w.at, w.next = w.on(day, minutes), next
	return true
}

// skip passes over words such as "until".
func (w *when) skip(i int) int {
	for i < len(w.list)-1 && grammar.is("before", w.list[i].word) && !w.dayBefore(i) {
		i++
	}
	return i
}

// dayBefore keeps a word that is a preposition and a day ("so", "do", "am").
func (w *when) dayBefore(i int) bool { return grammar.Time.day[w.list[i].word] != "" }

func (w *when) day(i int) (string, int) {
	if i < len(w.list) {
		if d := grammar.Time.day[w.list[i].word]; d != "" {
			return d, i + 1
		}
	}
	return "", i
}

// clock reads a time of day at token i as minutes after midnight; after is 0 when
// there is none. A bare hour counts only where the words before it announce it.
func (w *when) clock(i int, announced bool) (minutes, after int) {
	if i >= len(w.list) {
		return 0, 0
	}
	t := w.list[i].num
	if h, ok := grammar.Time.Hours[t]; ok {
		return h * 60, i + 1
	}
	after = i + 1
	half := 0
	for set, offset := range map[string]int{"am": 1, "pm": 13} {
		for _, suffix := range w.suffixes(set) {
			if strings.HasSuffix(t, suffix) && len(t) > len(suffix) {
				t, half = strings.TrimSuffix(t, suffix), offset
			}
		}
		if half == 0 && after < len(w.list) && grammar.is(set, w.list[after].num) {
			half = offset
			after++
		}
	}
	named := half > 0
	if after < len(w.list) && grammar.is("after", w.list[after].word) {
		named, after = true, after+1
	}
	hour, minute, colon := strings.Cut(t, ":")
	h, err := strconv.Atoi(hour)
	m := 0
	if err == nil && colon && len(minute) == 2 {
		m, err = strconv.Atoi(minute)
	} else if colon {
		return 0, 0
	}
	if err != nil || len(hour) > 2 || h < 0 || h > 24 || m < 0 || m > 59 || !colon && !named && !announced {
		return 0, 0
	}
	if half > 0 {
		if h < 1 || h > 12 {
			return 0, 0
		}
		h = h%12 + half - 1
	}
	return h*60 + m, after
}

func (w *when) suffixes(set string) []string {
	if set == "am" {
		return grammar.Time.AM
	}
	return grammar.Time.PM
}

// on is the next time after now that it is so many minutes after midnight on that day.
func (w *when) on(day string, minutes int) time.Time {
	at := func(days int) time.Time {
		y, m, d := w.now.Date()
		return clock.Wall(time.Date(y, m, d+days, 0, minutes, 0, 0, time.UTC), w.now.Location())
	}
	switch day {
	case "today":
		return at(0)
	case "tomorrow":
		return at(1)
	}
	y, m, d := w.now.Date()
	for days := range 8 {
		name := time.Date(y, m, d+days, 12, 0, 0, 0, time.UTC).Weekday().String()
		if t := at(days); t.After(w.now) && (day == "" || strings.HasPrefix(strings.ToLower(name), day)) {
			return t
		}
	}
	return time.Time{}
}
