package roster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func callees(ids ...string) (people []Person) {
	for _, id := range ids {
		people = append(people, Person{ID: id, Name: id, Roles: Roles{OnCallee}})
	}
	return people
}

func TestOnCall(t *testing.T) {
	t.Parallel()
	weekly := Rotation{Group: "it", Name: "primary", Zone: "Europe/Berlin", Every: "week",
		Start: at("2026-03-02T08:00:00+01:00"), People: []string{"dana", "sam", "kim"}}
	second := weekly
	second.Name, second.People = "secondary", []string{"lee", "dana"}
	plumbing := Rotation{Group: "water", Name: "pipes", Every: "12h", Start: at("2026-03-02T08:00:00Z"), People: []string{"joe", "max"}}
	people := callees("zoe", "dana", "sam", "kim", "lee", "joe", "max")

	tests := map[string]struct {
		rota      []Rotation
		overrides []Override
		group     string
		at        string
		want      []string
		until     string
	}{
		"no rota: the file's order": {
			group: "it", at: "2026-03-02T09:00:00Z",
			want: []string{"zoe", "dana", "sam", "kim", "lee", "joe", "max"},
		},
		"before the start": {
			rota: []Rotation{weekly}, group: "it", at: "2026-03-02T06:59:59Z",
			want: []string{"zoe", "dana", "sam", "kim", "lee", "joe", "max"}, until: "2026-03-02T07:00:00Z",
		},
		"first week": {
			rota: []Rotation{weekly}, group: "it", at: "2026-03-02T07:00:00Z",
			want: []string{"dana", "sam", "kim", "zoe", "lee", "joe", "max"}, until: "2026-03-09T07:00:00Z",
		},
		"third week": {
			rota: []Rotation{weekly}, group: "it", at: "2026-03-20T00:00:00Z",
			want: []string{"kim", "dana", "sam", "zoe", "lee", "joe", "max"}, until: "2026-03-23T07:00:00Z",
		},
		"the week the clocks go forward hands over at 8 on the wall": {
			rota: []Rotation{weekly}, group: "it", at: "2026-03-28T00:00:00Z",
			want: []string{"dana", "sam", "kim", "zoe", "lee", "joe", "max"}, until: "2026-03-30T06:00:00Z",
		},
		"one second before that hand-over": {
			rota: []Rotation{weekly}, group: "it", at: "2026-03-30T05:59:59Z",
			want: []string{"dana", "sam", "kim", "zoe", "lee", "joe", "max"}, until: "2026-03-30T06:00:00Z",
		},
		"and at it": {
			rota: []Rotation{weekly}, group: "it", at: "2026-03-30T06:00:00Z",
			want: []string{"sam", "kim", "dana", "zoe", "lee", "joe", "max"}, until: "2026-04-06T06:00:00Z",
		},
		"two rotations go level by level": {
			rota: []Rotation{weekly, second}, group: "it", at: "2026-03-02T07:00:00Z",
			want: []string{"dana", "lee", "sam", "kim", "zoe", "joe", "max"}, until: "2026-03-09T07:00:00Z",
		},
		"another group's rotation does not count": {
			rota: []Rotation{weekly, plumbing}, group: "water", at: "2026-03-02T21:00:00Z",
			want: []string{"max", "joe", "zoe", "dana", "sam", "kim", "lee"}, until: "2026-03-03T08:00:00Z",
		},
		"no group: every rotation": {
			rota: []Rotation{weekly, plumbing}, at: "2026-03-02T09:00:00Z",
			want: []string{"dana", "joe", "sam", "max", "kim", "zoe", "lee"}, until: "2026-03-02T20:00:00Z",
		},
		"an override takes the place": {
			rota:      []Rotation{weekly},
			overrides: []Override{{Group: "it", Person: "zoe", Instead: "dana", From: at("2026-03-03T00:00:00Z"), Until: at("2026-03-04T00:00:00Z")}},
			group:     "it", at: "2026-03-03T00:00:00Z",
			want: []string{"zoe", "sam", "kim", "lee", "joe", "max"}, until: "2026-03-04T00:00:00Z",
		},
		"an override ahead shortens until": {
			rota:      []Rotation{weekly},
			overrides: []Override{{Person: "zoe", Instead: "dana", From: at("2026-03-03T00:00:00Z"), Until: at("2026-03-04T00:00:00Z")}},
			group:     "it", at: "2026-03-02T23:00:00Z",
			want: []string{"dana", "sam", "kim", "zoe", "lee", "joe", "max"}, until: "2026-03-03T00:00:00Z",
		},
		"an override that is over, or another group's": {
			rota: []Rotation{weekly},
			overrides: []Override{
				{Person: "zoe", Instead: "dana", From: at("2026-03-03T00:00:00Z"), Until: at("2026-03-04T00:00:00Z")},
				{Group: "water", Person: "joe", Instead: "dana", From: at("2026-03-03T00:00:00Z"), Until: at("2026-03-07T00:00:00Z")},
			},
			group: "it", at: "2026-03-04T00:00:00Z",
			want: []string{"dana", "sam", "kim", "zoe", "lee", "joe", "max"}, until: "2026-03-09T07:00:00Z",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain, until := OnCall(tt.rota, tt.overrides, people, tt.group, at(tt.at))
			if diff := cmp.Diff(tt.want, chain); diff != "" {
				t.Error(diff)
			}
			want := time.Time{}
			if tt.until != "" {
				want = at(tt.until)
			}
			if !until.Equal(want) {
				t.Errorf("until %v, want %v", until, want)
			}
		})
	}
}

// In the night in which the clocks go back, an hourly rotation whose hours exist
// twice still goes forward only.
func TestHandOverInTheRepeatedHour(t *testing.T) {
	t.Parallel()
	r := Rotation{Zone: "Europe/Berlin", Every: "1h", Start: at("2026-10-24T22:00:00Z"), People: []string{"a", "b", "c", "d", "e", "f"}}
	last := ""
	for minute := range 6 * 60 {
		now := r.Start.Add(time.Duration(minute) * time.Minute)
		turn, ok := r.onTurn(nil, now)
		if !ok || turn < last {
			t.Fatalf("%v: %q after %q", now, turn, last)
		}
		last = turn
	}
}

func genRotation(t *rapid.T) Rotation {
	return Rotation{
		Zone:   rapid.SampledFrom([]string{"", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}).Draw(t, "zone"),
		Every:  rapid.SampledFrom([]string{"week", "day", "5h", "12h", "36h", "08:00, 20:00", "mon 02:30, thu 09:15, sun 01:30"}).Draw(t, "every"),
		Start:  at("2026-01-01T00:00:00Z").Add(time.Duration(rapid.IntRange(0, 400*24*60).Draw(t, "start")) * time.Minute),
		People: []string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(t, "people")],
	}
}

// The chain names everybody once, holds until the instant it gives, and a
// hand-over is to the next in turn.
func TestOnCallProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := genRotation(t)
		people := callees("c", "b", "a", "z")
		now := r.Start.Add(time.Duration(rapid.IntRange(0, 900*24*3600).Draw(t, "seconds")) * time.Second)
		chain, until := OnCall([]Rotation{r}, nil, people, "", now)
		if sorted := slices.Sorted(slices.Values(chain)); !slices.Equal(sorted, []string{"a", "b", "c", "z"}) {
			t.Fatalf("chain %v", chain)
		}
		if !until.After(now) {
			t.Fatalf("at %v until %v", now, until)
		}
		same, _ := OnCall([]Rotation{r}, nil, people, "", until.Add(-time.Nanosecond))
		if !slices.Equal(same, chain) {
			t.Fatalf("%v became %v before %v", chain, same, until)
		}
		n := len(r.People)
		next, _ := OnCall([]Rotation{r}, nil, people, "", until)
		turn := slices.Index(r.People, chain[0])
		if next[0] != r.People[(turn+1)%n] {
			t.Fatalf("after %v came %v", chain, next)
		}
	})
}

// A rotation by the day or week hands over at the same time on the wall for ever.
func TestHandOverKeepsItsTimeOnTheWall(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	r := Rotation{Zone: "America/New_York", Every: "12h", Start: time.Date(2026, 1, 1, 9, 30, 0, 0, zone), People: []string{"a", "b"}}
	now := r.Start
	for range 800 {
		_, _, until := r.line(now)
		if clock := fmt.Sprint(until.In(zone).Format("15:04")); clock != "09:30" && clock != "21:30" {
			t.Fatalf("hand-over at %v", until.In(zone))
		}
		now = until
	}
}

// Nobody is on turn before a rotation begins, in a gap of a plan, or in a rotation of
// nobody; who is alone in one always is, and hands over to themselves.
func TestOnTurn(t *testing.T) {
	t.Parallel()
	start := at("2026-03-02T08:00:00Z")
	alone := Rotation{Name: "alone", Every: "day", Start: start, People: []string{"dana"}}
	plan := Rotation{Name: "plan", Shifts: []PlannedShift{{"dana", start, start.Add(time.Hour)}, {"dana", start.Add(2 * time.Hour), start.Add(3 * time.Hour)}}}
	away := []Override{{Person: "sam", Instead: "dana", From: start, Until: start.Add(time.Hour)}, {Person: "kim", Instead: "dana", From: start.Add(30 * time.Minute), Until: start.Add(2 * time.Hour)}}
	for name, tt := range map[string]struct {
		rota      []Rotation
		overrides []Override
		who       string
		after     time.Duration
		want      bool
	}{
		"before it begins":         {[]Rotation{alone}, nil, "dana", -1, false},
		"as it begins":             {[]Rotation{alone}, nil, "dana", 0, true},
		"alone, the next day":      {[]Rotation{alone}, nil, "dana", 24 * time.Hour, true},
		"somebody else":            {[]Rotation{alone}, nil, "sam", 0, false},
		"in the second of two":     {[]Rotation{{Name: "none", Every: "day", Start: start}, alone}, nil, "dana", 0, true},
		"a rotation of nobody":     {[]Rotation{{Name: "none", Every: "day", Start: start}}, nil, "", 0, false},
		"no rota":                  {nil, nil, "", 0, false},
		"a plan of one shift":      {[]Rotation{{Name: "once", Shifts: plan.Shifts[:1]}}, nil, "dana", 0, true},
		"a gap of a plan":          {[]Rotation{plan}, nil, "dana", time.Hour, false},
		"nobody in a gap":          {[]Rotation{plan}, nil, "", time.Hour, false},
		"after a gap":              {[]Rotation{plan}, nil, "dana", 2 * time.Hour, true},
		"replaced":                 {[]Rotation{alone}, away, "dana", 0, false},
		"who stands in":            {[]Rotation{alone}, away, "sam", 0, true},
		"the first of overlapping": {[]Rotation{alone}, away, "sam", 45 * time.Minute, true},
		"then the second":          {[]Rotation{alone}, away, "kim", time.Hour, true},
		"and then nobody":          {[]Rotation{alone}, away, "dana", 2 * time.Hour, true},
	} {
		if got := OnTurn(tt.rota, tt.overrides, tt.who, start.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestInactivePeopleAreNotCalled(t *testing.T) {
	t.Parallel()
	gone := Person{ID: "gone", Roles: Roles{Agent, OnCallee, Manager}, Phone: "+4930100", Inactive: true}
	here := Person{ID: "here", Roles: Roles{OnCallee}, Phone: "+4930200"}
	start := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	rota := []Rotation{{Name: "a", Start: start, Every: "week", People: []string{"gone", "here"}}}
	if chain, _ := OnCall(rota, nil, []Person{gone, here}, "", start); len(chain) != 1 || chain[0] != "here" {
		t.Errorf("chain %v", chain)
	}
	if gone.Works() || OnDuty(Member{Person: gone}, nil, nil, start) {
		t.Error("works")
	}
	if via, ok := Reach(Member{Person: gone}); ok {
		t.Errorf("reached by %s", via)
	}
}
