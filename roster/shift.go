package roster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Shift is one turn in a rotation, or a part of it when somebody stands in.
type Shift struct {
	Group    string
	Rotation string
	Person   string // empty while it is nobody's turn
	Instead  string // whose turn it is, when Person stands in for them
	From     time.Time
	Until    time.Time
	Hole     Hole // why a page would pass this shift over; empty when it would not
}

// Hole says why nobody is called in a shift.
type Hole string

// The holes.
const (
	HoleNotBegun Hole = "the rotation has not begun"
	HoleNobody   Hole = "no shift is planned"
	HoleUnknown  Hole = "nobody with this id works on tickets"
	HoleNoPhone  Hole = "no phone that takes texts"
)

// Shifts returns the shifts of the rotations that are under way between two times,
// in the order of their begin and then of the rotations. The last of a rotation is
// cut off at the end; the first begins where it began. Members are those who work
// on tickets, as they stand now.
//
// A rotation whose zone or Every is not valid (see File.Validate) has none.
func Shifts(rota []Rotation, overrides []Override, members []Member, from, until time.Time) []Shift {
	var shifts []Shift
	for _, r := range rota {
		var own []Shift
		for at := from; at.Before(until); at = own[len(own)-1].Until {
			s, begin, ok := r.shift(overrides, at)
			if !ok {
				break
			}
			s.Hole = s.hole(members)
			if s.Until.IsZero() || s.Until.After(until) {
				s.Until = until
			}
			if last := len(own) - 1; last >= 0 && own[last].Person == s.Person && own[last].Instead == s.Instead && begin.Before(s.From) {
				own[last].Until = s.Until // an override that changed nothing here
				continue
			}
			own = append(own, s)
		}
		shifts = append(shifts, own...)
	}
	slices.SortStableFunc(shifts, func(a, b Shift) int { return a.From.Compare(b.From) })
	return shifts
}

// shift is what a rotation and its overrides say of a time, up to the next change,
// and since when the turn lasts; a zero Until means that no change is ahead. ok is
// false for a rotation that is not valid.
func (r Rotation) shift(overrides []Override, at time.Time) (s Shift, begin time.Time, ok bool) {
	line, begin, next := r.line(at)
	s = Shift{Group: r.Group, Rotation: r.Name, From: at, Until: next}
	if len(line) == 0 {
		if len(r.Shifts) > 0 && r.Shifts[0].From.Before(at) {
			s.Hole = HoleNobody
		}
		return s, at, len(r.Shifts) > 0 || !next.IsZero()
	}
	s.From, s.Person = begin, stand(line[0], r, overrides, at)
	if s.Person != line[0] {
		s.Instead = line[0]
	}
	possible := substitutes(line[0], r, overrides)
	for _, o := range overrides {
		if !o.of(r) || !slices.Contains(possible, o.Instead) {
			continue
		}
		for _, change := range []time.Time{o.From, o.Until} {
			switch {
			case change.After(at) && change.Before(s.Until):
				s.Until = change
			case !change.After(at) && change.After(s.From):
				s.From = change
			}
		}
	}
	return s, begin, true
}

func (s Shift) hole(members []Member) Hole {
	if s.Person == "" {
		return cmp.Or(s.Hole, HoleNotBegun)
	}
	i := slices.IndexFunc(members, func(m Member) bool { return m.ID == s.Person })
	switch {
	case i < 0:
		return HoleUnknown
	case !members[i].texts():
		return HoleNoPhone
	}
	return ""
}

// CalendarPerson is the property in which Calendar says whose shift an event is,
// by id: the summary is for people.
const CalendarPerson = "X-DESKBELL-PERSON"

// Calendar writes shifts as iCalendar (RFC 5545), one event each, in UTC. An
// event keeps its UID from one call to the next while its begin stays.
func Calendar(shifts []Shift, now time.Time) string {
	const utc = "20060102T150405Z"
	var b strings.Builder
	line := func(format string, args ...any) {
		fold(&b, fmt.Sprintf(format, args...))
	}
	line("BEGIN:VCALENDAR")
	line("VERSION:2.0")
	line("PRODID:-//Deskbell//rota//EN")
	for _, s := range shifts {
		title := "On call: " + s.Rotation
		if s.Instead != "" {
			title += " (for " + s.Instead + ")"
		}
		line("BEGIN:VEVENT")
		line("UID:%s-%s", s.From.UTC().Format(utc), icalText(s.Group+"-"+s.Rotation+"-"+s.Person))
		line("DTSTAMP:%s", now.UTC().Format(utc))
		line("DTSTART:%s", s.From.UTC().Format(utc))
		line("DTEND:%s", s.Until.UTC().Format(utc))
		line("SUMMARY:%s", icalText(title))
		line("%s:%s", CalendarPerson, icalText(s.Person))
		line("END:VEVENT")
	}
	line("END:VCALENDAR")
	return b.String()
}

// maxLine is the longest line of iCalendar, in octets without its end.
const maxLine = 75

// fold writes a line, in pieces that do not cut a character.
func fold(b *strings.Builder, text string) {
	for room := maxLine; len(text) > room; room = maxLine - 1 { // a space leads what follows
		for !utf8.RuneStart(text[room]) {
			room--
		}
		b.WriteString(text[:room] + "\r\n ")
		text = text[room:]
	}
	b.WriteString(text + "\r\n")
}

// icalText escapes a text; control characters become spaces.
func icalText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`).Replace(s)
}
