package desk

import (
	"context"
	"reflect"

	"deskbell/policy"
	"deskbell/ticket"
)

// PolicyView is the policy that runs, and the tickets that do not run by it.
type PolicyView struct {
	General []string // what counts for all, in sentences
	// Groups are those with times of their own, after that of all others, which has no
	// name.
	Groups []PolicyGroup
	// Older are open tickets that keep a copy of a policy before this one: a ticket takes
	// its copy when it opens, and another when a manager says so. They have their number,
	// priority and group.
	Older []ticket.Ticket
}

// PolicyGroup is what counts for the tickets of a group.
type PolicyGroup struct {
	Name, Office string
	Plans        []PolicyPlan // most urgent first
}

// PolicyPlan is the plan of a priority, also in sentences.
type PolicyPlan struct {
	Priority ticket.Priority
	Plan     ticket.Plan
	Lines    []string
}

// RunningPolicy returns the policy and what does not run by it.
func (d *Desk) RunningPolicy(ctx context.Context) (PolicyView, error) {
	v := PolicyView{General: d.Policy.General()}
	for _, name := range append([]string{""}, d.Policy.Groups()...) {
		own := d.Policy.Group(name)
		g := PolicyGroup{Name: name, Office: own.Office().String()}
		for _, p := range []ticket.Priority{ticket.P1, ticket.P2, ticket.P3, ticket.P4} {
			plan := own.For(p)
			g.Plans = append(g.Plans, PolicyPlan{p, plan, policy.Describe(plan)})
		}
		v.Groups = append(v.Groups, g)
	}
	open, err := d.Store.OpenPlans(ctx)
	for _, t := range open {
		if !reflect.DeepEqual(t.Plan, d.Policy.Group(t.Group).For(t.Priority)) {
			v.Older = append(v.Older, t)
		}
	}
	return v, outside(err)
}
