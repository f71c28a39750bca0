package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/ticket"
)

// Missing is a hole that tickets of a priority and group would meet.
type Missing struct {
	Priority ticket.Priority
	Group    string
	At       time.Time // of the first, earliest one
	Hole     string
}

// every is the distance of the rehearsed submissions: shifts are seldom shorter.
const every = 30 * time.Minute

// Until is the time of the last step of a ticket that is submitted at a time, by its
// group's policy.
func Until(p policy.Policy, priority ticket.Priority, at time.Time) time.Time {
	if steps := p.Deadlines(p.For(priority), at).Steps; len(steps) > 0 {
		return steps[len(steps)-1]
	}
	return at
}

// Ahead rehearses tickets of every priority and group that are submitted from one time
// until another, each until its last step, and returns each hole once, the first
// first. It reads the people and the rota once.
func Ahead(ctx context.Context, d activities.Directory, p policy.Policy, from, until time.Time) ([]Missing, error) {
	people, err := freeze(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("rehearse: %w", err)
	}
	var found []Missing
	for _, group := range people.groups(p) {
		for _, priority := range []ticket.Priority{ticket.P1, ticket.P2, ticket.P3, ticket.P4} {
			for at := from; at.Before(until); at = at.Add(every) {
				lines, err := Run(ctx, people, p, priority, group, at, Until(p.Group(group), priority, at))
				if err != nil {
					return nil, err
				}
				for _, l := range lines {
					m := Missing{priority, group, l.At, l.Hole}
					same := func(o Missing) bool { o.At = m.At; return o == m }
					switch i := slices.IndexFunc(found, same); {
					case l.Hole == "":
					case i < 0:
						found = append(found, m)
					case m.At.Before(found[i].At):
						found[i].At = m.At
					}
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Missing) int { return a.At.Compare(b.At) })
	return found, nil
}

// groups are none, and those that have a policy or that somebody or a rotation belongs
// to.
func (f *frozen) groups(p policy.Policy) []string {
	groups := append(p.Groups(), "")
	for _, p := range f.people {
		groups = append(groups, p.Group)
	}
	for _, r := range f.rota {
		groups = append(groups, r.Group)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}
