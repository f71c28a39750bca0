// Package ical reads shifts from a calendar file (iCalendar, RFC 5545): a rota that
// was kept elsewhere, or one that this program wrote. It knows no clock and no
// store.
package ical

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	ics "github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"

	"deskbell/roster"
)

// Who is somebody whose shifts an event may be.
type Who struct {
	ID   string
	Name string
}

// Plan is what a calendar says within some time.
type Plan struct {
	Shifts []roster.PlannedShift // in order of time, in UTC
	Cut    []string              // events that recur beyond that time, in words
}

// Read returns the shifts that begin from one time until another. Whose an event is
// stands in the property that roster.Calendar writes, else in its attendee, else in
// its summary, by id or name. Times without a zone are in zone; an event keeps its
// times on the wall when it recurs across a clock change.
//
// The error names every event that is no shift of one of these people, in a line
// each; there is then no plan at all.
func Read(r io.Reader, people []Who, zone *time.Location, from, until time.Time) (Plan, error) {
	calendar, err := ics.NewDecoder(r).Decode()
	if err != nil {
		return Plan{}, fmt.Errorf("this is no calendar file: %w", err)
	}
	events := calendar.Events()
	var p Plan
	var errs []error
	moved := exceptions(events, zone)
	for _, e := range events {
		if strings.EqualFold(text(e, ics.PropStatus), string(ics.EventCancelled)) {
			continue
		}
		shifts, cut, err := read(e, people, zone, moved, from, until)
		if err != nil {
			errs = append(errs, fmt.Errorf("event %s: %w", describe(e), err))
			continue
		}
		p.Shifts = append(p.Shifts, shifts...)
		if cut {
			p.Cut = append(p.Cut, describe(e))
		}
	}
	slices.SortStableFunc(p.Shifts, func(a, b roster.PlannedShift) int { return a.From.Compare(b.From) })
	for i := 1; i < len(p.Shifts); i++ {
		if a, b := p.Shifts[i-1], p.Shifts[i]; b.From.Before(a.Until) {
			errs = append(errs, fmt.Errorf("%s and %s both have a shift at %s: import each level from a file of its own",
				a.Person, b.Person, b.From.In(zone).Format(stamp)))
		}
	}
	if len(errs) == 0 && len(p.Shifts) == 0 {
		errs = append(errs, fmt.Errorf("no shift begins between %s and %s", from.In(zone).Format(stamp), until.In(zone).Format(stamp)))
	}
	if len(errs) > 0 {
		return Plan{}, errors.Join(errs...)
	}
	return p, nil
}

const stamp = "Mon 2 Jan 2006 15:04"

// exceptions are the occurrences that an event of their own replaces, by UID.
func exceptions(events []ics.Event, zone *time.Location) map[string][]time.Time {
	moved := map[string][]time.Time{}
	for _, e := range events {
		if at, err := e.Props.DateTime(ics.PropRecurrenceID, zone); err == nil && !at.IsZero() {
			moved[text(e, ics.PropUID)] = append(moved[text(e, ics.PropUID)], at)
		}
	}
	return moved
}

func read(e ics.Event, people []Who, zone *time.Location, moved map[string][]time.Time, from, until time.Time) (shifts []roster.PlannedShift, cut bool, err error) {
	id, err := person(e, people)
	if err != nil {
		return nil, false, err
	}
	start, length, err := span(e, zone)
	if err != nil {
		return nil, false, err
	}
	if e.Props.Get(ics.PropRecurrenceDates) != nil {
		return nil, false, errors.New("RDATE is not read: write these dates as events of their own")
	}
	begins := []time.Time{start}
	if option, err := e.Props.RecurrenceRule(); err != nil {
		return nil, false, err
	} else if option != nil {
		if begins, cut, err = occurrences(e, *option, start, zone, moved[text(e, ics.PropUID)], from, until); err != nil {
			return nil, false, err
		}
	}
	for _, b := range begins {
		if !b.Before(from) && b.Before(until) {
			shifts = append(shifts, roster.PlannedShift{Person: id, From: b.UTC(), Until: later(b, length).UTC()})
		}
	}
	return shifts, cut, nil
}

// occurrences are the begins of an event that recurs; cut tells that it goes on.
func occurrences(e ics.Event, option rrule.ROption, start time.Time, zone *time.Location, moved []time.Time, from, until time.Time) (begins []time.Time, cut bool, err error) {
	option.Dtstart = start
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return nil, false, fmt.Errorf("RRULE: %w", err)
	}
	// The library's own reading of EXDATE takes one date per line.
	for _, prop := range e.Props.Values(ics.PropExceptionDates) {
		for value := range strings.SplitSeq(prop.Value, ",") {
			one := prop
			one.Value = value
			at, err := one.DateTime(zone)
			if err != nil {
				return nil, false, fmt.Errorf("EXDATE %q: %w", value, err)
			}
			moved = append(moved, at)
		}
	}
	begins = slices.DeleteFunc(rule.Between(from, until, true), func(t time.Time) bool {
		return slices.ContainsFunc(moved, t.Equal)
	})
	return begins, !rule.After(until, true).IsZero(), nil
}

// span is when an event begins, and how long it lasts on the wall.
func span(e ics.Event, zone *time.Location) (start time.Time, length time.Duration, err error) {
	begin := e.Props.Get(ics.PropDateTimeStart)
	if begin == nil {
		return start, 0, errors.New("DTSTART is missing")
	}
	if start, err = begin.DateTime(zone); err != nil {
		return start, 0, zoned(*begin, err)
	}
	switch end, lasts := e.Props.Get(ics.PropDateTimeEnd), e.Props.Get(ics.PropDuration); {
	case end != nil:
		at, err := end.DateTime(zone)
		if err != nil {
			return start, 0, zoned(*end, err)
		}
		length = wall(at.In(start.Location())).Sub(wall(start))
	case lasts != nil:
		if length, err = lasts.Duration(); err != nil {
			return start, 0, err
		}
	case len(begin.Value) == len("20060102"): // a whole day
		length = 24 * time.Hour
	}
	if length <= 0 {
		return start, 0, errors.New("it has no end after its begin: give DTEND or DURATION")
	}
	return start, length, nil
}

func zoned(p ics.Prop, err error) error {
	if zone := p.Params.Get(ics.PropTimezoneID); zone != "" {
		if _, unknown := time.LoadLocation(zone); unknown != nil {
			return fmt.Errorf("the zone %q is not known: write a name such as Europe/Berlin", zone)
		}
	}
	return err
}

// wall is what the clock on the wall shows, as if it never changed.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// later is a time on the wall so much later.
func later(t time.Time, d time.Duration) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second()+int(d/time.Second), 0, t.Location())
}

// person finds whose shift an event is.
func person(e ics.Event, people []Who) (string, error) {
	if said := text(e, roster.CalendarPerson); said != "" {
		if slices.ContainsFunc(people, func(w Who) bool { return w.ID == said }) {
			return said, nil
		}
		return "", fmt.Errorf("nobody with the id %q works on tickets: add them first", said)
	}
	var attendees []string
	for _, a := range e.Props.Values(ics.PropAttendee) {
		address, _, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(a.Value), "mailto:"), "@")
		attendees = append(attendees, address, a.Params.Get(ics.ParamCommonName))
	}
	if found := match(attendees, people, strings.EqualFold); len(found) == 1 {
		return found[0], nil
	}
	summary := text(e, ics.PropSummary)
	switch found := match([]string{summary}, people, names); len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", errors.New("it names nobody who works on tickets: write an id or a name into its summary")
	default:
		return "", fmt.Errorf("it may be the shift of %s: write one id into its summary", strings.Join(found, " or of "))
	}
}

func match(texts []string, people []Who, is func(text, word string) bool) (ids []string) {
	for _, w := range people {
		if slices.ContainsFunc(texts, func(s string) bool { return is(s, w.ID) || is(s, w.Name) }) {
			ids = append(ids, w.ID)
		}
	}
	return ids
}

// names tells whether a summary names somebody, in whole words.
func names(summary, word string) bool {
	split := func(s string) string {
		return " " + strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" \t,;:()[]/|", r) }), " ") + " "
	}
	return strings.TrimSpace(word) != "" && strings.Contains(split(summary), split(word))
}

func text(e ics.Event, name string) string {
	s, err := e.Props.Text(name)
	if err != nil {
		return ""
	}
	return s
}

// describe names an event as its author knows it.
func describe(e ics.Event) string {
	begin := ""
	if p := e.Props.Get(ics.PropDateTimeStart); p != nil {
		begin = " of " + p.Value
	}
	return fmt.Sprintf("%q%s", text(e, ics.PropSummary), begin)
}
