package roster

import (
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
	Person   string // empty while the rotation has not begun
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
		for at := from; at.Before(until); {
			line, begin, next := r.line(at)
			if next.IsZero() {
				break
			}
			s := Shift{Group: r.Group, Rotation: r.Name, From: at}
			if len(line) > 0 {
				s.From = begin
				s.Person = stand(line[0], r, overrides, at)
				if s.Person != line[0] {
					s.Instead = line[0]
				}
				for _, o := range overrides {
					for _, change := range []time.Time{o.From, o.Until} {
						switch {
						case o.Instead != line[0] || o.Group != "" && o.Group != r.Group:
						case change.After(at) && change.Before(next):
							next = change
						case !change.After(at) && change.After(s.From):
							s.From = change
						}
					}
				}
			}
			s.Hole = hole(s.Person, members)
			s.Until = next
			if next.After(until) {
				s.Until = until
			}
			shifts = append(shifts, s)
			at = s.Until
		}
	}
	slices.SortStableFunc(shifts, func(a, b Shift) int { return a.From.Compare(b.From) })
	return shifts
}

func hole(id string, members []Member) Hole {
	if id == "" {
		return HoleNotBegun
	}
	i := slices.IndexFunc(members, func(m Member) bool { return m.ID == id })
	switch {
	case i < 0:
		return HoleUnknown
	case !members[i].texts():
		return HoleNoPhone
	}
	return ""
}

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
