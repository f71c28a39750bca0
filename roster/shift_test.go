package roster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// reachable are people with a phone.
func reachable(ids ...string) (members []Member) {
	for _, p := range callees(ids...) {
		p.Phone = "+4930" + p.ID
		members = append(members, Member{Person: p})
	}
	return members
}

func TestShifts(t *testing.T) {
	t.Parallel()
	daily := Rotation{Group: "it", Name: "primary", Zone: "Europe/Berlin", Every: "day", Start: at("2026-03-28T08:00:00+01:00"), People: []string{"dana", "sam"}}
	mute := reachable("dana", "sam")
	mute[1].Stopped = true
	tests := map[string]struct {
		rota      []Rotation
		overrides []Override
		members   []Member
		want      string
	}{
		"the first began before": {[]Rotation{{Name: "old", Every: "week", Start: at("2026-03-02T00:00:00Z"), People: []string{"dana"}}},
			[]Override{{Person: "sam", Instead: "dana", From: at("2026-03-25T00:00:00Z"), Until: at("2026-03-29T00:00:00Z")}}, reachable("dana", "sam"), `
old sam for dana 25 00:00 - 29 00:00
old dana 29 00:00 - 30 00:00
old dana 30 00:00 - 31 00:00`},
		"no rota": {nil, nil, reachable("dana"), ""},
		"by the wall clock when clocks go forward": {[]Rotation{daily}, nil, reachable("dana", "sam"), `
primary dana 28 07:00 - 29 06:00
primary sam 29 06:00 - 30 06:00
primary dana 30 06:00 - 31 00:00`},
		"somebody stands in, and a shift is cut": {[]Rotation{daily}, []Override{{Person: "zoe", Instead: "sam", From: at("2026-03-28T20:00:00Z"), Until: at("2026-03-29T12:00:00Z")}},
			reachable("dana", "sam", "zoe"), `
primary dana 28 07:00 - 29 06:00
primary zoe for sam 29 06:00 - 29 12:00
primary sam 29 12:00 - 30 06:00
primary dana 30 06:00 - 31 00:00`},
		"another group's override does not count": {[]Rotation{daily}, []Override{{Group: "water", Person: "zoe", Instead: "sam", From: at("2026-03-29T06:00:00Z"), Until: at("2026-03-29T12:00:00Z")}},
			reachable("dana", "sam", "zoe"), `
primary dana 28 07:00 - 29 06:00
primary sam 29 06:00 - 30 06:00
primary dana 30 06:00 - 31 00:00`},
		"who left and who stopped texts are holes": {[]Rotation{daily}, []Override{{Person: "gone", Instead: "dana", From: at("2026-03-30T00:00:00Z"), Until: at("2026-04-30T00:00:00Z")}}, mute, `
primary dana 28 07:00 - 29 06:00
primary sam 29 06:00 - 30 06:00 HOLE no phone that takes texts
primary gone for dana 30 06:00 - 31 00:00 HOLE nobody with this id works on tickets`},
		"not begun": {[]Rotation{{Name: "late", Every: "week", Start: at("2026-03-30T00:00:00Z"), People: []string{"dana"}}}, nil, reachable("dana"), `
late  28 07:00 - 30 00:00 HOLE the rotation has not begun
late dana 30 00:00 - 31 00:00`},
		"a chain of overrides, and one that changes nothing": {[]Rotation{daily}, []Override{
			{Person: "zoe", Instead: "sam", From: at("2026-03-29T06:00:00Z"), Until: at("2026-03-30T06:00:00Z")},
			{Person: "kim", Instead: "zoe", From: at("2026-03-29T10:00:00Z"), Until: at("2026-03-29T12:00:00Z")},
			{Person: "lee", Instead: "kim", From: at("2026-03-29T13:00:00Z"), Until: at("2026-03-29T14:00:00Z")}},
			reachable("dana", "sam", "zoe", "kim"), `
primary dana 28 07:00 - 29 06:00
primary zoe for sam 29 06:00 - 29 10:00
primary kim for sam 29 10:00 - 29 12:00
primary zoe for sam 29 12:00 - 30 06:00
primary dana 30 06:00 - 31 00:00`},
		"a plan with a gap": {[]Rotation{{Name: "plan", Shifts: []PlannedShift{
			{"dana", at("2026-03-28T12:00:00Z"), at("2026-03-29T00:00:00Z")}, {"sam", at("2026-03-29T00:00:00Z"), at("2026-03-29T12:00:00Z")}, {"dana", at("2026-03-29T20:00:00Z"), at("2026-03-30T00:00:00Z")}}}},
			[]Override{{Person: "zoe", Instead: "sam", From: at("2026-03-29T06:00:00Z"), Until: at("2026-03-30T06:00:00Z")}}, reachable("dana", "sam", "zoe"), `
plan  28 07:00 - 28 12:00 HOLE the rotation has not begun
plan dana 28 12:00 - 29 00:00
plan sam 29 00:00 - 29 06:00
plan zoe for sam 29 06:00 - 29 12:00
plan  29 12:00 - 29 20:00 HOLE no shift is planned
plan dana 29 20:00 - 30 00:00
plan  30 00:00 - 31 00:00 HOLE no shift is planned`},
		"a rotation that is not valid": {[]Rotation{{Name: "bad", Every: "moon", Start: at("2026-03-01T00:00:00Z"), People: []string{"dana"}}}, nil, reachable("dana"), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, s := range Shifts(tt.rota, tt.overrides, tt.members, at("2026-03-28T07:00:00Z"), at("2026-03-31T00:00:00Z")) {
				fmt.Fprintf(&b, "\n%s %s", s.Rotation, s.Person)
				if s.Instead != "" {
					b.WriteString(" for " + s.Instead)
				}
				fmt.Fprintf(&b, " %s - %s", s.From.UTC().Format("2 15:04"), s.Until.UTC().Format("2 15:04"))
				if s.Hole != "" {
					fmt.Fprintf(&b, " HOLE %s", s.Hole)
				}
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The shifts of a rotation follow each other without a gap, and whoever has one is
// the first who is called all the while.
func TestShiftsProperties(t *testing.T) {
	t.Parallel()
	members := reachable("a", "b", "c")
	people := callees("a", "b", "c")
	begin := at("2026-01-01T00:00:00Z")
	moment := func(t *rapid.T, name string) time.Time {
		return begin.Add(time.Duration(rapid.IntRange(0, 365*24*4).Draw(t, name)) * 15 * time.Minute)
	}
	id := rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		r := Rotation{Name: "r", Every: rapid.SampledFrom([]string{"day", "week", "12h", "5h", "sat 02:30, sun 17:00"}).Draw(t, "every"),
			Zone:  rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Australia/Lord_Howe"}).Draw(t, "zone"),
			Start: moment(t, "start"), People: []string{"a", "b"}}
		var overrides []Override
		for range rapid.IntRange(0, 3).Draw(t, "overrides") {
			from := moment(t, "from")
			overrides = append(overrides, Override{Person: id.Draw(t, "person"), Instead: id.Draw(t, "instead"),
				From: from, Until: from.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "hours")) * time.Hour)})
		}
		from := moment(t, "first")
		until := from.Add(14 * 24 * time.Hour)
		last := from
		for i, s := range Shifts([]Rotation{r}, overrides, members, from, until) {
			if i == 0 && s.From.Before(from) { // under way
				last = s.From
			}
			if !s.From.Equal(last) || !s.Until.After(s.From) {
				t.Fatalf("%v to %v after %v", s.From, s.Until, last)
			}
			last = s.Until
			for _, at := range []time.Time{s.From, s.Until.Add(-1)} {
				if chain, _ := OnCall([]Rotation{r}, overrides, people, "", at); s.Hole == "" && chain[0] != s.Person {
					t.Fatalf("%v: %s has the shift and %v are called", at, s.Person, chain)
				}
			}
		}
		if !last.Equal(until) {
			t.Fatalf("ends at %v, not %v", last, until)
		}
	})
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	shifts := []Shift{{Group: "it", Rotation: "night, all; of\nus", Person: "dana", Instead: "sam",
		From: at("2026-03-29T00:30:00+01:00"), Until: at("2026-03-29T08:00:00+02:00")}}
	want := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Deskbell//rota//EN", "BEGIN:VEVENT",
		`UID:20260328T233000Z-it-night\, all\; of\nus-dana`, "DTSTAMP:20260328T120000Z", "DTSTART:20260328T233000Z", "DTEND:20260329T060000Z",
		`SUMMARY:On call: night\, all\; of\nus (for sam)`, "X-DESKBELL-PERSON:dana", "END:VEVENT", "END:VCALENDAR", ""}
	if diff := cmp.Diff(want, strings.Split(Calendar(shifts, at("2026-03-28T12:00:00Z")), "\r\n")); diff != "" {
		t.Error(diff)
	}
	// Long lines are folded between characters, and read the same unfolded.
	shifts[0].Rotation = strings.Repeat("Störung", 40)
	text := Calendar(shifts, at("2026-03-28T12:00:00Z"))
	if slices.ContainsFunc(strings.Split(text, "\r\n"), func(line string) bool { return len(line) > 75 || strings.ToValidUTF8(line, "?") != line }) {
		t.Errorf("a line is too long or cut in a character:\n%s", text)
	}
	if !strings.Contains(strings.ReplaceAll(text, "\r\n ", ""), "SUMMARY:On call: "+shifts[0].Rotation+" (for sam)\r\n") {
		t.Errorf("does not unfold:\n%s", text)
	}
}
