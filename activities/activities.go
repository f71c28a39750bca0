// Package activities is what a ticket's workflow does in the world: look up whom
// to ask and whom to call, tell people, and write the read model. It declares
// what it needs of the world as small interfaces and knows neither a concrete
// store nor a concrete gateway nor the workflow.
package activities

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
)

// Directory is who there is.
type Directory interface {
	People(ctx context.Context) ([]roster.Person, error)
	Members(ctx context.Context) ([]roster.Member, error)
	Rota(ctx context.Context) ([]roster.Rotation, []roster.Override, error)
	// MarkAsked notes when people were last asked, for fairness.
	MarkAsked(ctx context.Context, ids []string, at time.Time) error
}

// ReadModel takes a ticket's state for lists, boards and search.
type ReadModel interface {
	Project(ctx context.Context, p Projection) error
	// Load returns what the last run of a ticket left.
	Load(ctx context.Context, number int) (Projection, error)
}

// Projection is a ticket and the events since the last projection.
type Projection struct {
	Ticket   ticket.Ticket  `json:"ticket"`
	Events   []ticket.Event `json:"events,omitempty"`
	Commands []string       `json:"commands,omitempty"`
}

// Rehearser looks for holes ahead.
type Rehearser interface {
	// RehearseDay rehearses the day from a time on and tells the managers of its holes,
	// once for the same time.
	RehearseDay(ctx context.Context, from time.Time) (holes int, err error)
}

// Tickets are the activities of the queue that every ticket worker polls. All
// methods are idempotent and safe for concurrent use.
type Tickets struct {
	Directory Directory
	ReadModel ReadModel
	Policy    policy.Policy
	Rehearser Rehearser

	// choosing lets one lookup at a time choose whom to ask: two that choose at once
	// would both choose whoever was asked longest ago, who then gets the second offer
	// a minute late.
	choosing sync.Mutex
}

// PrepareInput is a lookup at a moment of the ticket's own clock.
type PrepareInput struct {
	Lookup ticket.Lookup `json:"lookup"`
	Now    time.Time     `json:"now"`
}

// Prepare answers a lookup: deadlines, the next wave and whom to call, in one go.
func (a *Tickets) Prepare(ctx context.Context, in PrepareInput) (ticket.Findings, error) {
	l := in.Lookup
	var f ticket.Findings
	p := a.Policy.Group(l.Group)
	for _, span := range l.Spans {
		f.Times = append(f.Times, p.After(l.Office, span.From, span.After))
	}
	if l.Wave == 0 && l.Page == "" {
		return f, nil
	}
	if l.Wave > 0 {
		a.choosing.Lock()
		defer a.choosing.Unlock()
		if ctx.Err() != nil {
			return f, fmt.Errorf("wait for lookups before this one: %w", ctx.Err())
		}
	}
	members, err := a.Directory.Members(ctx)
	if err != nil {
		return f, fmt.Errorf("look up who works: %w", err)
	}
	rota, overrides, err := a.Directory.Rota(ctx)
	if err != nil {
		return f, fmt.Errorf("look up the rota: %w", err)
	}
	if l.Wave > 0 {
		f.Wave, f.Reminder = wave(l, members, rota, overrides, in.Now)
		f.Seen = agents(l, members, rota, overrides, in.Now)
		ids := make([]string, len(f.Wave))
		for i, p := range f.Wave {
			ids[i] = p.ID
		}
		if err := a.Directory.MarkAsked(ctx, ids, in.Now); err != nil {
			return f, fmt.Errorf("note who is asked: %w", err)
		}
	}
	if l.Page != "" {
		people, err := a.Directory.People(ctx)
		if err != nil {
			return f, fmt.Errorf("look up the chain: %w", err)
		}
		chain, _ := roster.OnCall(rota, overrides, people, l.Group, in.Now)
		chain = slices.DeleteFunc(chain, func(id string) bool { return id == l.Requester || id == l.Holder }) // who asks, or has it, is not called
		f.Page = page(l, chain, members)
		f.Seen = append(f.Seen, called(chain, members, f.Seen)...)
	}
	return f, nil
}

// maxSeen bounds what a ticket keeps of whom it chose from: in a large desk the
// rest is alike.
const maxSeen = 20

// agents are all among whom a wave is chosen, as they stand.
func agents(l ticket.Lookup, members []roster.Member, rota []roster.Rotation, overrides []roster.Override, now time.Time) (seen []ticket.Seen) {
	for _, m := range members {
		if !m.Is(roster.Agent) || m.ID == l.Requester || len(seen) == maxSeen {
			continue
		}
		s := stands(m)
		switch {
		case m.Away(now):
			s.Out = ticket.OutAway
		case s.Out == "" && !roster.OnDuty(m, rota, overrides, now):
			s.Out = ticket.OutOffDuty
		}
		seen = append(seen, s)
	}
	return seen
}

// called are those of the chain, as they stand, who are not among the agents.
func called(chain []string, members []roster.Member, before []ticket.Seen) (seen []ticket.Seen) {
	for _, id := range chain {
		i := slices.IndexFunc(members, func(m roster.Member) bool { return m.ID == id })
		known := slices.ContainsFunc(before, func(s ticket.Seen) bool { return s.ID == id })
		if i >= 0 && !known && len(seen) < maxSeen {
			seen = append(seen, stands(members[i]))
		}
	}
	return seen
}

func stands(m roster.Member) ticket.Seen {
	s := ticket.Seen{ID: m.ID, Name: m.Name, Presence: string(m.Presence.State), Holding: len(m.Holding)}
	if _, reached := roster.Reach(m); !reached {
		s.Out = ticket.OutOfReach
	}
	return s
}

func wave(l ticket.Lookup, members []roster.Member, rota []roster.Rotation, overrides []roster.Override, now time.Time) (to []ticket.Party, reminder bool) {
	onDuty := slices.DeleteFunc(slices.Clone(members), func(m roster.Member) bool {
		return m.ID == l.Requester || !roster.OnDuty(m, rota, overrides, now)
	})
	asked := make([]roster.Asked, len(l.Offers))
	for i, o := range l.Offers {
		asked[i] = roster.Asked{ID: o.To.ID, At: o.At, Round: o.Round, Declined: o.Declined}
	}
	for _, pick := range roster.Wave(onDuty, asked, l.Wave, l.Priority == ticket.P1, now) {
		i := slices.IndexFunc(onDuty, func(m roster.Member) bool { return m.ID == pick.ID })
		to = append(to, ticket.Party{ID: pick.ID, Name: onDuty[i].Name, Via: pick.Via})
		reminder = pick.Reminder
	}
	return to, reminder
}

// page returns whom to call: the first of the chain from the asked position on
// who can be reached. Who cannot is passed over at once.
func page(l ticket.Lookup, chain []string, members []roster.Member) []ticket.Party {
	find := func(id string) (roster.Member, bool) {
		i := slices.IndexFunc(members, func(m roster.Member) bool { return m.ID == id })
		if i < 0 {
			return roster.Member{}, false
		}
		return members[i], true
	}
	var candidates []string
	switch l.Page {
	case "oncall":
		candidates = chain
	case "next":
		// The shift may have changed since the last call: whoever is first now and was
		// not called yet is next, and not only who comes after the one called last.
		candidates = slices.DeleteFunc(slices.Clone(chain), func(id string) bool { return id == l.Paged || slices.Contains(l.Called, id) })
	case "again":
		candidates = []string{l.Paged}
	case "manager":
		var out []ticket.Party
		for _, m := range members {
			if m.Is(roster.Manager) && m.ID != l.Holder {
				out = append(out, parties(m)...)
			}
		}
		return out
	}
	for _, id := range candidates {
		if m, ok := find(id); ok {
			if out := parties(m); len(out) > 0 {
				return out
			}
		}
	}
	return nil
}

func parties(m roster.Member) []ticket.Party {
	var out []ticket.Party
	for _, via := range roster.PageVia(m) {
		out = append(out, ticket.Party{ID: m.ID, Name: m.Name, Via: via})
	}
	return out
}

// Project writes the read model. A late or repeated projection changes nothing.
func (a *Tickets) Project(ctx context.Context, p Projection) error {
	if err := a.ReadModel.Project(ctx, p); err != nil {
		return fmt.Errorf("project ticket %d: %w", p.Ticket.Number, err)
	}
	return nil
}

// Load returns the state in which a ticket's last run ended.
func (a *Tickets) Load(ctx context.Context, number int) (Projection, error) {
	p, err := a.ReadModel.Load(ctx, number)
	if err != nil {
		return Projection{}, fmt.Errorf("load ticket %d: %w", number, err)
	}
	return p, nil
}

// Rehearse rehearses the day from a time on, and returns how many holes it has.
func (a *Tickets) Rehearse(ctx context.Context, from time.Time) (int, error) {
	holes, err := a.Rehearser.RehearseDay(ctx, from)
	if err != nil {
		return 0, fmt.Errorf("rehearse the coming day: %w", err)
	}
	return holes, nil
}
