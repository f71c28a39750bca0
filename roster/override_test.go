package roster

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOverrideProblem(t *testing.T) {
	t.Parallel()
	people := append(callees("dana", "sam"), Person{ID: "ann", Roles: Roles{Requester}})
	rota := []Rotation{{Group: "it", Name: "primary", Every: "week", Start: at("2026-03-02T08:00:00Z"), People: []string{"dana", "sam"}}}
	standIns := []Override{{Person: "zoe", Instead: "sam", From: at("2026-03-03T06:00:00Z"), Until: at("2026-03-03T12:00:00Z")}}
	right := Override{Group: "it", Person: "sam", Instead: "dana", From: at("2026-03-03T00:00:00Z"), Until: at("2026-03-04T00:00:00Z")}
	tests := map[string]struct {
		change func(*Override)
		field  string
	}{
		"right":                      {func(*Override) {}, ""},
		"in every group":             {func(o *Override) { o.Group = "" }, ""},
		"it has begun":               {func(o *Override) { o.From = at("2026-03-01T00:00:00Z") }, ""},
		"a stranger":                 {func(o *Override) { o.Person = "zoe" }, "person"},
		"a requester":                {func(o *Override) { o.Person = "ann" }, "person"},
		"for themselves":             {func(o *Override) { o.Person = "dana" }, "person"},
		"for who takes no turns":     {func(o *Override) { o.Instead = "ann" }, "instead"},
		"for who has no turns there": {func(o *Override) { o.Group = "water" }, "instead"},
		"backwards":                  {func(o *Override) { o.Until = o.From }, "until"},
		"for who stands in":          {func(o *Override) { o.Person, o.Instead = "dana", "zoe" }, ""},
		"for who stands in later":    {func(o *Override) { o.Person, o.Instead, o.From = "dana", "zoe", at("2026-03-03T12:00:00Z") }, "instead"},
		"over":                       {func(o *Override) { o.From, o.Until = at("2026-02-01T00:00:00Z"), at("2026-03-02T09:00:00Z") }, "until"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := right
			tt.change(&o)
			if field, problem := o.Problem(people, rota, standIns, at("2026-03-02T09:00:00Z")); field != tt.field || (problem == "") != (field == "") {
				t.Errorf("%q %q, want %q", field, problem, tt.field)
			}
		})
	}
}

func TestOverridesClash(t *testing.T) {
	t.Parallel()
	one := Override{Group: "it", Person: "sam", Instead: "dana", From: at("2026-03-03T08:00:00Z"), Until: at("2026-03-03T20:00:00Z")}
	tests := map[string]struct {
		change func(*Override)
		want   bool
	}{
		"the same":             {func(*Override) {}, true},
		"another substitute":   {func(o *Override) { o.Person = "kim" }, true},
		"every group":          {func(o *Override) { o.Group = "" }, true},
		"another group":        {func(o *Override) { o.Group = "water" }, false},
		"for somebody else":    {func(o *Override) { o.Instead = "sam" }, false},
		"straight after":       {func(o *Override) { o.From, o.Until = o.Until, o.Until.Add(time.Hour) }, false},
		"a second before that": {func(o *Override) { o.From, o.Until = o.Until.Add(-time.Second), o.Until.Add(time.Hour) }, true},
	}
	for name, tt := range tests {
		o := one
		tt.change(&o)
		if one.Clashes(o) != tt.want || o.Clashes(one) != tt.want {
			t.Errorf("%s: want %v", name, tt.want)
		}
	}
}

// Who stands in may be stood in for, and so on; two who stand in for each other
// change places.
func TestOverridesChain(t *testing.T) {
	t.Parallel()
	people := callees("dana", "sam", "kim", "zoe", "lee")
	rota := []Rotation{{Group: "it", Name: "primary", Every: "week", Start: at("2026-03-02T08:00:00Z"), People: []string{"dana", "sam"}}}
	over := func(person, instead, from, until string) Override {
		return Override{Person: person, Instead: instead, From: at("2026-03-03T" + from + ":00Z"), Until: at("2026-03-03T" + until + ":00Z")}
	}
	for name, tt := range map[string]struct {
		overrides []Override
		want      []string
		until     string
	}{
		"one":                {[]Override{over("zoe", "dana", "09:00", "18:00")}, []string{"zoe", "sam", "kim", "lee"}, "18:00"},
		"a chain":            {[]Override{over("zoe", "dana", "09:00", "18:00"), over("lee", "zoe", "10:00", "14:00")}, []string{"lee", "sam", "kim"}, "14:00"},
		"a chain that ended": {[]Override{over("zoe", "dana", "09:00", "18:00"), over("lee", "zoe", "09:00", "12:00")}, []string{"zoe", "sam", "kim", "lee"}, "18:00"},
		"places changed":     {[]Override{over("sam", "dana", "09:00", "18:00"), over("dana", "sam", "09:00", "18:00")}, []string{"sam", "dana", "kim", "zoe", "lee"}, "18:00"},
		"a ring":             {[]Override{over("sam", "dana", "09:00", "18:00"), over("kim", "sam", "09:00", "18:00"), over("dana", "kim", "09:00", "18:00")}, []string{"kim", "dana", "zoe", "lee"}, "18:00"},
	} {
		chain, until := OnCall(rota, tt.overrides, people, "it", at("2026-03-03T12:00:00Z"))
		if !slices.Equal(chain, tt.want) || until.UTC().Format("15:04") != tt.until {
			t.Errorf("%s: %v until %v, want %v until %s", name, chain, until, tt.want, tt.until)
		}
	}
}

// An override of a night when clocks change is in force from and until the times
// on the wall, and the rotation goes on at its own.
func TestOverrideAcrossClockChanges(t *testing.T) {
	t.Parallel()
	people := callees("dana", "sam", "zoe")
	for zone, nights := range map[string][]struct{ from, until, hours string }{
		"Europe/Berlin":    {{"2026-03-28 20:00", "2026-03-29 08:00", "11h"}, {"2026-10-24 20:00", "2026-10-25 08:00", "13h"}, {"2026-06-01 20:00", "2026-06-02 08:00", "12h"}},
		"America/New_York": {{"2026-03-07 20:00", "2026-03-08 08:00", "11h"}, {"2026-10-31 20:00", "2026-11-01 08:00", "13h"}},
		// Half an hour, and in the other half of the year.
		"Australia/Lord_Howe": {{"2026-04-04 20:00", "2026-04-05 08:00", "12h30m"}, {"2026-10-03 20:00", "2026-10-04 08:00", "11h30m"}},
	} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, night := range nights {
			from, err := ParseTime(night.from, location)
			until, err2 := ParseTime(night.until, location)
			hours, err3 := time.ParseDuration(night.hours)
			if err != nil || err2 != nil || err3 != nil || until.Sub(from) != hours {
				t.Fatalf("%s %s: %v long, %v, %v", zone, night.from, until.Sub(from), err, err2)
			}
			start := time.Date(2026, 1, 5, 8, 0, 0, 0, location)
			rota := []Rotation{{Name: "primary", Zone: zone, Every: "day", Start: start, People: []string{"dana"}}}
			overrides := []Override{{Person: "zoe", Instead: "dana", From: from, Until: until}}
			for moment, want := range map[time.Time]string{from.Add(-1): "dana", from: "zoe", until.Add(-1): "zoe", until: "dana"} {
				if chain, _ := OnCall(rota, overrides, people, "", moment); chain[0] != want {
					t.Errorf("%s %v: %v, want %s first", zone, moment, chain, want)
				}
			}
			if _, next := OnCall(rota, overrides, people, "", from); !next.Equal(until) {
				t.Errorf("%s: in force until %v, want %v", zone, next, until)
			}
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2026-03-02 18:00":          "2026-03-02T17:00:00Z",
		"2026-07-02 18:00":          "2026-07-02T16:00:00Z",
		"2026-03-02T18:00:00-05:00": "2026-03-02T23:00:00Z",
		"2026-10-25T02:30:00+01:00": "2026-10-25T01:30:00Z",
		"2026-03-29 01:59":          "2026-03-29T00:59:00Z",
		"2026-03-29 03:00":          "2026-03-29T01:00:00Z",
		"2026-10-25 01:59":          "2026-10-24T23:59:00Z",
		"2026-10-25 03:00":          "2026-10-25T02:00:00Z",
	} {
		if got, err := ParseTime(text, berlin); err != nil || !got.Equal(at(want)) {
			t.Errorf("%s: %v %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"tomorrow":         "write a time as",
		"2026-03-29 02:30": "is skipped in Europe/Berlin, where clocks go forward: write 2026-03-29 03:30",
		"2026-10-25 02:30": "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00",
	} {
		if got, err := ParseTime(text, berlin); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v %v, want %q", text, got, err, want)
		}
	}
	troll, err := time.LoadLocation("Antarctica/Troll") // by two hours
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseTime("2026-10-25 01:30", troll); err == nil || !strings.Contains(err.Error(), "write 2026-10-25T01:30:00+02:00 or 2026-10-25T01:30:00Z") {
		t.Errorf("%v %v", got, err)
	}
}
