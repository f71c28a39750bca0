package roster

import (
	"slices"
	"time"
)

// planned is line of a plan: whose shift it is, then those who come after.
func (r Rotation) planned(at time.Time) (line []string, begin, next time.Time) {
	i, found := slices.BinarySearchFunc(r.Shifts, at, func(s PlannedShift, at time.Time) int {
		switch {
		case !s.Until.After(at):
			return -1
		case s.From.After(at):
			return 1
		}
		return 0
	})
	if !found {
		if i < len(r.Shifts) {
			next = r.Shifts[i].From
		}
		return nil, time.Time{}, next
	}
	for _, s := range r.Shifts[i:] {
		if !slices.Contains(line, s.Person) {
			line = append(line, s.Person)
		}
	}
	return line, r.Shifts[i].From, r.Shifts[i].Until
}

// Members are the ids of those who take turns in the rotation.
func (r Rotation) Members() []string {
	if len(r.Shifts) == 0 {
		return r.People
	}
	var ids []string
	for _, s := range r.Shifts {
		if !slices.Contains(ids, s.Person) {
			ids = append(ids, s.Person)
		}
	}
	return ids
}
