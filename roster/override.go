package roster

import (
	"fmt"
	"slices"
	"time"

	"deskbell/clock"
)

// Override is one person standing in for another for a while. Who stands in may
// be stood in for in turn.
type Override struct {
	Group   string    `json:"group,omitempty"` // its rotations only; all when empty
	Person  string    `json:"person"`          // who stands in
	Instead string    `json:"instead"`         // for whom
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"` // no longer in force at this instant
}

// RecordedOverride is an override with who added it and who removed it; one that
// was removed counts no more and is kept as history.
type RecordedOverride struct {
	ID int64 `json:"id"`
	Override
	AddedBy   string    `json:"added_by,omitempty"` // a person's id
	AddedAt   time.Time `json:"added_at,omitzero"`
	RemovedBy string    `json:"removed_by,omitempty"`
	RemovedAt time.Time `json:"removed_at,omitzero"`
}

// Problem returns which field makes a new override pointless or wrong and what to
// write there; both are empty when it is right.
func (o Override) Problem(people []Person, rota []Rotation, overrides []Override, now time.Time) (field, problem string) {
	stands := slices.ContainsFunc(people, func(p Person) bool { return p.ID == o.Person && p.Works() })
	takesTurns := slices.ContainsFunc(rota, func(r Rotation) bool { return o.of(r) && slices.Contains(r.Members(), o.Instead) })
	standsIn := slices.ContainsFunc(overrides, func(p Override) bool { return p.Person == o.Instead && p.meets(o) })
	replaced := takesTurns || standsIn
	switch {
	case !stands:
		return "person", fmt.Sprintf("nobody with the id %q works on tickets", o.Person)
	case !replaced && o.Group != "":
		return "instead", fmt.Sprintf("%q takes turns in no rotation of the group %q", o.Instead, o.Group)
	case !replaced:
		return "instead", fmt.Sprintf("%q takes turns in no rotation", o.Instead)
	case o.Person == o.Instead:
		return "person", "nobody stands in for themselves: name somebody else"
	case !o.From.Before(o.Until):
		return "until", "must be later than from"
	case !o.Until.After(now):
		return "until", "is past: give a time in the future"
	}
	return "", ""
}

// Clashes tells whether both name a substitute for one person at one time.
func (o Override) Clashes(p Override) bool { return o.Instead == p.Instead && o.meets(p) }

// meets tells whether both may be in force in one rotation at one time.
func (o Override) meets(p Override) bool {
	return (o.Group == p.Group || o.Group == "" || p.Group == "") && o.From.Before(p.Until) && p.From.Before(o.Until)
}

func (o Override) of(r Rotation) bool { return o.Group == "" || o.Group == r.Group }

func (o Override) covers(r Rotation, at time.Time) bool {
	return o.of(r) && !at.Before(o.From) && at.Before(o.Until)
}

// stand returns who does the duty of id in a rotation at a time: who stands in, or
// who stands in for them. Two people who stand in for each other change places.
func stand(id string, r Rotation, overrides []Override, at time.Time) string {
	seen := []string{id}
	for {
		i := slices.IndexFunc(overrides, func(o Override) bool { return o.Instead == id && o.covers(r, at) })
		if i < 0 || slices.Contains(seen, overrides[i].Person) {
			return id
		}
		id = overrides[i].Person
		seen = append(seen, id)
	}
}

// substitutes are all who may come to do the duty of id in a rotation, id first.
func substitutes(id string, r Rotation, overrides []Override) []string {
	ids := []string{id}
	for i := 0; i < len(ids); i++ {
		for _, o := range overrides {
			if o.Instead == ids[i] && o.of(r) && !slices.Contains(ids, o.Person) {
				ids = append(ids, o.Person)
			}
		}
	}
	return ids
}

// ParseTime reads a time with its offset (RFC 3339) or by the wall clock of a
// zone ("2026-03-02 18:00"). A wall clock that shows this time never, or twice,
// because clocks change is an error that says what to write.
func ParseTime(text string, zone *time.Location) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	const wall = "2006-01-02 15:04"
	shown, err := time.Parse(wall, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q: write a time as 2026-03-02 18:00 or 2026-03-02T18:00:00+01:00", text)
	}
	at := clock.Wall(shown, zone)
	if at.Format(wall) != text {
		return time.Time{}, fmt.Errorf("%s is skipped in %s, where clocks go forward: write %s", text, zone, at.Format(wall))
	}
	if _, change := at.ZoneBounds(); !change.IsZero() {
		_, now := at.Zone()
		_, then := change.Zone()
		if second := at.Add(time.Duration(now-then) * time.Second); second.After(at) && second.Format(wall) == text {
			return time.Time{}, fmt.Errorf("%s comes twice in %s, where clocks go back: write %s or %s", text, zone,
				at.Format(time.RFC3339), second.Format(time.RFC3339))
		}
	}
	return at, nil
}
