package ical_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/ical"
	"deskbell/roster"
)

var team = []ical.Who{{"dana", "Dana Fox"}, {"sam", "Sam Lee"}, {"ana", "Ana"}}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// file is a calendar of events, each written as its lines.
func file(events ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\n")
	for i, e := range events {
		if !strings.Contains(e, "UID:") {
			e += fmt.Sprintf("\nUID:%d", i)
		}
		b.WriteString("BEGIN:VEVENT\n" + e + "\nDTSTAMP:20260101T000000Z\nEND:VEVENT\n")
	}
	b.WriteString("END:VCALENDAR\n")
	return strings.ReplaceAll(b.String(), "\n", "\r\n")
}

func TestRead(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	from, until := at("2026-03-01T00:00:00Z"), at("2026-11-30T00:00:00Z")
	for name, tt := range map[string]struct {
		file string
		want string // begin, end and person, by the clock in Berlin
		cut  int
	}{
		"in UTC, the name in the summary": {file("SUMMARY:On call: Dana Fox\nDTSTART:20260302T070000Z\nDTEND:20260303T070000Z"), "Mar 2 08:00 - Mar 3 08:00 dana", 0},
		"days, in a row": {file("SUMMARY:sam\nDTSTART;VALUE=DATE:20260329", "SUMMARY:dana\nDTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260329"),
			"Mar 28 00:00 - Mar 29 00:00 dana, Mar 29 00:00 - Mar 30 00:00 sam", 0},
		"a name within another is not named": {file("SUMMARY:Dana\nATTENDEE;CN=Ana:mailto:x@example.org\nDTSTART:20260302T080000\nDURATION:PT12H"), "Mar 2 08:00 - Mar 2 20:00 ana", 0},
		"the attendee goes before the summary": {file("SUMMARY:dana on call for sam\nATTENDEE:mailto:sam@example.org\nDTSTART:20260302T080000\nDURATION:P1D"),
			"Mar 2 08:00 - Mar 3 08:00 sam", 0},
		"cancelled": {file("SUMMARY:sam\nSTATUS:CANCELLED\nDTSTART:20260302T080000\nDURATION:P1D", "SUMMARY:dana\nDTSTART:20260303T080000\nDURATION:P1D"),
			"Mar 3 08:00 - Mar 4 08:00 dana", 0},
		"weeks across both clock changes": {file(
			"SUMMARY:dana\nDTSTART;TZID=Europe/Berlin:20260316T080000\nDTEND;TZID=Europe/Berlin:20260323T080000\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=2",
			"SUMMARY:sam\nDTSTART;TZID=Europe/Berlin:20260323T080000\nDTEND;TZID=Europe/Berlin:20260330T080000\nRRULE:FREQ=WEEKLY;INTERVAL=31;COUNT=2"),
			"Mar 16 08:00 - Mar 23 08:00 dana, Mar 23 08:00 - Mar 30 08:00 sam, Mar 30 08:00 - Apr 6 08:00 dana, Oct 26 08:00 - Nov 2 08:00 sam", 0},
		"nights across both clock changes": {file("SUMMARY:dana\nDTSTART;TZID=Europe/Berlin:20260328T200000\nDTEND;TZID=Europe/Berlin:20260329T080000\nRRULE:FREQ=DAILY;INTERVAL=210;COUNT=2"),
			"Mar 28 20:00 - Mar 29 08:00 dana, Oct 24 20:00 - Oct 25 08:00 dana", 0},
		"without end, exceptions, one moved": {file(
			"UID:a\nSUMMARY:dana\nDTSTART;TZID=Europe/Berlin:20261101T080000\nDURATION:PT10H\nRRULE:FREQ=WEEKLY\nEXDATE;TZID=Europe/Berlin:20261108T080000,20261115T080000",
			"UID:a\nRECURRENCE-ID;TZID=Europe/Berlin:20261122T080000\nSUMMARY:sam\nDTSTART;TZID=Europe/Berlin:20261123T080000\nDURATION:PT10H"),
			"Nov 1 08:00 - Nov 1 18:00 dana, Nov 23 08:00 - Nov 23 18:00 sam, Nov 29 08:00 - Nov 29 18:00 dana", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := ical.Read(strings.NewReader(tt.file), team, zone, from, until)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range p.Shifts {
				got = append(got, s.From.In(zone).Format("Jan 2 15:04 - ")+s.Until.In(zone).Format("Jan 2 15:04 ")+s.Person)
			}
			if have := strings.Join(got, ", "); have != tt.want || len(p.Cut) != tt.cut {
				t.Errorf("got  %s\nwant %s\ncut %v", have, tt.want, p.Cut)
			}
		})
	}
}

// Whatever cannot be read is named, and then nothing is.
func TestReadNamesWhatItCannot(t *testing.T) {
	t.Parallel()
	good := "SUMMARY:dana\nDTSTART:20260302T080000\nDURATION:P1D"
	for name, tt := range map[string]struct{ file, want string }{
		"no calendar":        {"hello", "this is no calendar file"},
		"nobody":             {file(good, "SUMMARY:Team lunch\nDTSTART:20260310T080000\nDURATION:PT1H"), `event "Team lunch" of 20260310T080000: it names nobody`},
		"two people":         {file("SUMMARY:sam for dana\nDTSTART:20260310T080000\nDURATION:PT1H"), "it may be the shift of dana or of sam"},
		"a stranger of ours": {file("SUMMARY:On call\nX-DESKBELL-PERSON:zoe\nDTSTART:20260310T080000\nDURATION:PT1H"), `nobody with the id "zoe"`},
		"a zone of Outlook":  {file("SUMMARY:sam\nDTSTART;TZID=W. Europe Standard Time:20260310T080000\nDURATION:PT1H"), `the zone "W. Europe Standard Time" is not known`},
		"no end":             {file("SUMMARY:sam\nDTSTART:20260310T080000"), "it has no end"},
		"no begin":           {file("SUMMARY:sam\nDURATION:PT1H"), `event "sam": DTSTART is missing`},
		"dates one by one":   {file("SUMMARY:sam\nDTSTART:20260310T080000\nDURATION:PT1H\nRDATE:20260311T080000"), "RDATE is not read"},
		"two levels":         {file(good, "SUMMARY:sam\nDTSTART:20260302T200000\nDURATION:P1D"), "dana and sam both have a shift at Mon 2 Mar 2026 20:00"},
		"all of it is past":  {file("SUMMARY:sam\nDTSTART:20200310T080000\nDURATION:PT1H"), "no shift begins between"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := ical.Read(strings.NewReader(tt.file), team, berlin(t), at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || p.Shifts != nil {
				t.Errorf("got %v and %d shifts, want %q", err, len(p.Shifts), tt.want)
			}
		})
	}
}

// What the program writes it reads again, stand-ins too.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rota := []roster.Rotation{{Group: "it", Name: "primary", Zone: "Europe/Berlin", Every: "sat 02:30, wed 17:00", Start: at("2026-01-05T08:00:00Z"), People: []string{"dana", "sam"}}}
	overrides := []roster.Override{{Person: "ana", Instead: "sam", From: at("2026-03-20T12:00:00Z"), Until: at("2026-03-29T12:00:00Z")}}
	from, until := at("2026-02-28T01:30:00Z"), at("2026-11-28T01:30:00Z") // hand-overs
	var want []roster.PlannedShift
	shifts := roster.Shifts(rota, overrides, nil, from, until)
	for _, s := range shifts {
		want = append(want, roster.PlannedShift{Person: s.Person, From: s.From.UTC(), Until: s.Until.UTC()})
	}
	p, err := ical.Read(strings.NewReader(roster.Calendar(shifts, from)), team, time.UTC, from, until)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, p.Shifts); diff != "" || len(want) < 70 {
		t.Errorf("%d shifts: %s", len(want), diff)
	}
}
