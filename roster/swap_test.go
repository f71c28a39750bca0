package roster

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A daily rotation of three, from a Monday on, in the weeks in which clocks change.
func TestProposeSwap(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	daily := Rotation{Group: "it", Name: "primary", Zone: "Europe/Berlin", Every: "day", Start: at("2026-03-23T08:00:00+01:00"), People: []string{"dana", "sam", "kim"}}
	weekly := Rotation{Group: "it", Name: "weeks", Zone: "Europe/Berlin", Every: "week", Start: at("2026-03-16T08:00:00+01:00"), People: []string{"dana", "sam"}}
	now := at("2026-03-23T09:00:00+01:00") // Dana's first shift is under way
	day := func(d int) time.Time { return time.Date(2026, 3, d, 9, 0, 0, 0, berlin) }
	for name, tt := range map[string]struct {
		rota         Rotation
		asker, other string
		day          time.Time
		want         string // from, until; back
	}{
		"the next one":                         {daily, "dana", "sam", time.Time{}, "26 08:00 27 08:00; 24 08:00 25 08:00"},
		"the very next one":                    {daily, "sam", "dana", time.Time{}, "24 08:00 25 08:00; 26 08:00 27 08:00"},
		"on a day, before the clocks go ahead": {daily, "sam", "dana", day(27), "27 08:00 28 08:00; 26 08:00 27 08:00"},
		"the night they do":                    {daily, "kim", "sam", day(28), "28 08:00 29 08:00; 24 08:00 25 08:00"},
		"not on that day":                      {daily, "kim", "sam", day(29), ""},
		"under way":                            {daily, "dana", "sam", day(23), ""},
		"a week reaches into the day":          {weekly, "dana", "sam", day(32), "30 08:00 6 08:00; 6 08:00 13 08:00"},
		"the last that is far enough ahead":    {weekly, "sam", "dana", day(107), "15 08:00 22 08:00; 30 08:00 6 08:00"},
		"for nothing":                          {daily, "dana", "zoe", day(26), "26 08:00 27 08:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, mine := ProposeSwap([]Rotation{tt.rota}, nil, tt.asker, tt.other, tt.day, now)
			got := ""
			const stamp = "2 15:04"
			if mine {
				got = s.From.In(berlin).Format(stamp) + " " + s.Until.In(berlin).Format(stamp)
			}
			if !s.BackFrom.IsZero() {
				got += "; " + s.BackFrom.In(berlin).Format(stamp) + " " + s.BackUntil.In(berlin).Format(stamp)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if mine && (!s.Expires.After(now) || s.Expires.After(s.From) || s.Expires.Sub(now) > 24*time.Hour) {
				t.Errorf("open until %v", s.Expires)
			}
		})
	}
}

// Not what begins this very moment, what begins in 90 days still and no later, and open
// until the first of both begins, at most for a day.
func TestProposeSwapEdges(t *testing.T) {
	t.Parallel()
	start := at("2026-03-23T08:00:00Z")
	daily := []Rotation{{Group: "it", Name: "primary", Every: "day", Start: start, People: []string{"dana", "sam"}}}
	weekly := []Rotation{{Group: "it", Name: "weeks", Every: "week", Start: start, People: []string{"dana", "sam"}}}
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	for name, tt := range map[string]struct {
		rota           []Rotation
		day            time.Duration // after start; negative: any
		begins, closes time.Duration // after start; negative: none
	}{
		"not the one that begins now": {daily, -1, days(2), days(1)},
		"the day it begins":           {daily, 0, -1, -1},
		"in 90 days":                  {daily, days(90), days(90), days(1)},
		"in 92 days":                  {daily, days(92), -1, -1},
		"open for a day at most":      {weekly, -1, days(14), days(1)},
	} {
		var day time.Time
		if tt.day >= 0 {
			day = start.Add(tt.day)
		}
		s, mine := ProposeSwap(tt.rota, nil, "dana", "sam", day, start)
		if mine != (tt.begins >= 0) || mine && (!s.From.Equal(start.Add(tt.begins)) || !s.Expires.Equal(start.Add(tt.closes))) {
			t.Errorf("%s: %v, from %v, open until %v", name, mine, s.From, s.Expires)
		}
	}
	// The other's begins within the day.
	if s, mine := ProposeSwap(daily, nil, "dana", "sam", start.Add(days(4)), start.Add(20*time.Hour)); !mine || !s.Expires.Equal(start.Add(days(1))) || !s.BackFrom.Equal(start.Add(days(1))) {
		t.Errorf("in return: %v %+v", mine, s)
	}
}

// What two people agreed on is what the rota then says, and swapping it back is as
// if nothing had been.
func TestSwapIsWhatIsCalled(t *testing.T) {
	t.Parallel()
	people := callees("dana", "sam", "kim")
	rota := []Rotation{{Group: "it", Name: "primary", Every: "day", Start: at("2026-03-23T08:00:00Z"), People: []string{"dana", "sam", "kim"}}}
	now := at("2026-03-23T09:00:00Z")
	first := func(overrides []RecordedOverride, when time.Time) string {
		var list []Override
		for _, r := range overrides {
			list = append(list, r.Override)
		}
		chain, _ := OnCall(rota, list, people, "it", when)
		return chain[0]
	}
	var present []RecordedOverride
	agree := func(asker, other string, day time.Time) Swap {
		t.Helper()
		var list []Override
		for _, r := range present {
			list = append(list, r.Override)
		}
		s, mine := ProposeSwap(rota, list, asker, other, day, now)
		end, add, ok := s.Accept(rota, present)
		if !mine || !ok {
			t.Fatalf("%s and %s: %+v %v", asker, other, s, ok)
		}
		var rest []RecordedOverride
		for _, r := range present {
			gone := false
			for _, id := range end {
				gone = gone || id == r.ID
			}
			if !gone {
				rest = append(rest, r)
			}
		}
		for i, o := range add {
			for _, r := range rest {
				if r.Clashes(o) {
					t.Errorf("%+v clashes with %+v", o, r)
				}
			}
			rest = append(rest, RecordedOverride{ID: int64(100*len(present) + i + 1), Override: o})
		}
		present = rest
		return s
	}
	s := agree("dana", "sam", at("2026-03-26T00:00:00Z")) // Thursday for Tuesday
	for when, want := range map[time.Time]string{s.From: "sam", s.Until.Add(-1): "sam", s.Until: "sam", s.BackFrom.Add(-1): "dana", s.BackFrom: "dana", s.BackUntil.Add(-1): "dana", s.BackUntil: "kim"} {
		if got := first(present, when); got != want {
			t.Errorf("%v: %s, want %s", when, got, want)
		}
	}
	agree("sam", "kim", at("2026-03-26T00:00:00Z")) // what Sam took goes on to Kim
	if got := first(present, s.From); got != "kim" {
		t.Errorf("passed on: %s", got)
	}
	present = nil
	s = agree("dana", "sam", at("2026-03-26T00:00:00Z"))
	agree("sam", "dana", at("2026-03-26T00:00:00Z"))
	var after []string
	for d := range 6 {
		after = append(after, first(present, now.AddDate(0, 0, d)))
	}
	if diff := cmp.Diff([]string{"dana", "sam", "kim", "dana", "sam", "kim"}, after); diff != "" {
		t.Errorf("swapped back: %s", diff)
	}
	if _, _, ok := s.Accept([]Rotation{{Group: "it", Name: "primary", Every: "day", Start: at("2026-03-23T08:00:00Z"), People: []string{"kim", "sam"}}}, nil); ok {
		t.Error("accepted though the rota changed")
	}
}
