package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
)

// Course is what the first search for a holder came to, until somebody had the ticket
// or it was over.
type Course struct {
	Messages int           // offers, reminders and calls
	Calls    int           // of these, calls of the chain
	Taken    bool          // somebody had it in the end
	Wait     time.Duration // from the submission until then
	Late     bool          // taken after the respond target
	Overdue  bool          // solved after the resolve target
}

// Compared is one past ticket as it was, and as it would have been.
type Compared struct {
	Number   int
	Priority ticket.Priority
	Was, New Course
}

// Assumptions is what Backtest takes for granted.
const Assumptions = `What is assumed:
- Whoever took or declined a ticket would have done so as long after they were first asked as they did; who
  was not asked took it at the same time. Whom only the other policy asks says nothing.
- Who was there, away, off duty or on tickets is as each ticket noted it when it looked for people. Where it
  noted nothing, and for on-call people and managers, people count as reachable and not in chat. The rota,
  its overrides and everybody's numbers are today's.
- A call or an offer that did not arrive would not have arrived either. What managers did by hand they did at the same time.
- Once taken, a ticket takes as long as it did, pauses included. Only the first search is replayed.
`

// horizon is how long a ticket that nobody takes is followed.
const horizon = 7 * 24 * time.Hour

// Backtest replays past tickets, each given by all of its events in their order, under
// another policy. It sends and writes nothing. What has no submission is left out.
func Backtest(ctx context.Context, d activities.Directory, p policy.Policy, pasts [][]ticket.Event) ([]Compared, error) {
	people, err := freeze(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("backtest: %w", err)
	}
	for i := range people.members { // of then nothing is known
		m := &people.members[i]
		m.Presence, m.Holding, m.AwayUntil, m.Stopped, m.LastAsked = roster.Presence{}, nil, time.Time{}, false, time.Time{}
	}
	var all []Compared
	for _, events := range pasts {
		if len(events) == 0 || events[0].Opening == nil {
			continue
		}
		c, err := backtest(ctx, people, p, events)
		if err != nil {
			return nil, fmt.Errorf("backtest ticket %d: %w", events[0].Opening.Number, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// past is what is known of a ticket.
type past struct {
	search Course
	deeds  []deed
	solved time.Duration // from the claim until it was solved; zero when it was not
	paused time.Duration // for which the clock of the resolve target stood still until then
	// priority is the one that it had when it was solved.
	priority ticket.Priority
	left     time.Time // when the search ended although nobody had the ticket; zero when it did not so
	seen     []ticket.Event
}

// deed is what somebody did in the search.
type deed struct {
	command ticket.Command
	at      time.Time
	// asked says that they were asked or called before: for the first time by after, or,
	// of a text that did not arrive, by that text.
	asked bool
	after time.Duration
}

// verbs are the commands behind what people did. That a running ticket took over
// another policy is none: in a replay it has the one policy from the start.
var verbs = map[ticket.Kind]ticket.Verb{ticket.Taken: ticket.Take, ticket.Declined: ticket.Decline, ticket.PageFailed: ticket.LostPage, ticket.OfferFailed: ticket.LostOffer,
	ticket.AssignedTo: ticket.Assign, ticket.Raised: ticket.Up, ticket.Hushed: ticket.Hush, ticket.Reprioritised: ticket.Reprioritise}

func backtest(ctx context.Context, people *frozen, p policy.Policy, events []ticket.Event) (Compared, error) {
	o := *events[0].Opening
	p = p.Group(o.Group)
	was := look(events, p)
	o.Plan = p.For(o.Priority)
	r := &run{now: o.CreatedAt}
	r.tickets = &activities.Tickets{Directory: &asSeen{frozen: people, seen: was.seen, now: &r.now}, Policy: p}
	t, opened := ticket.Open(o, r.now)
	r.note(t, opened)
	until := o.CreatedAt.Add(horizon)
	if !was.left.IsZero() {
		until = was.left
	}
	if err := r.live(ctx, was.deeds, until); err != nil {
		return Compared{}, err
	}
	c := Compared{Number: o.Number, Priority: o.Priority, Was: was.search, New: Course{Taken: r.ticket.Status != ticket.New}}
	c.New.count(r.lines)
	c.New.Wait = r.now.Sub(o.CreatedAt)
	c.New.Late = after(r.now, r.ticket.RespondBy)
	if c.New.Taken && was.solved > 0 {
		target := p.Deadlines(p.For(was.priority), o.CreatedAt).Resolve
		c.New.Overdue = !target.IsZero() && after(r.now.Add(was.solved), target.Add(was.paused))
	}
	return c, nil
}

func after(at, target time.Time) bool { return !target.IsZero() && at.After(target) }

func (c *Course) count(lines []Line) {
	for _, l := range lines {
		if l.Hole != "" {
			continue
		}
		c.Messages++
		if l.Message == "page" || l.Message == "mgr_nobody" {
			c.Calls++
		}
	}
}

// look reads what was; p is the other policy, of the ticket's group.
func look(events []ticket.Event, p policy.Policy) (w past) {
	r := &run{}
	var t ticket.Ticket
	var claimed time.Time
	searching := true
	for _, e := range events {
		r.now = e.At
		before := len(r.lines)
		was := t
		r.note(ticket.Evolve(t, e), []ticket.Event{e})
		t = r.ticket
		if e.Kind == ticket.Solved && !claimed.IsZero() && w.solved == 0 {
			w.solved = e.At.Sub(claimed)
			w.paused, w.priority = t.Paused, t.Priority
			w.search.Overdue = after(e.At, t.ResolveBy)
		}
		if !searching {
			continue
		}
		if e.Seen != nil {
			w.seen = append(w.seen, e)
		}
		if verb, known := verbs[e.Kind]; known {
			w.deeds = append(w.deeds, done(e, verb, p, r.lines[:before]))
		}
		if t.Status != ticket.New {
			searching = false
			w.search.Taken = t.Status == ticket.Assigned
			w.search.Wait = e.At.Sub(t.CreatedAt)
			w.search.Late = after(e.At, was.RespondBy)
			w.search.count(r.lines)
			if w.search.Taken {
				claimed = e.At
			} else {
				w.left = e.At
			}
		}
	}
	if searching {
		w.search.count(r.lines)
		w.search.Wait, w.left = r.now.Sub(t.CreatedAt), r.now
		w.search.Late = after(r.now, t.RespondBy)
	}
	return w
}

// done is an event as the command that it came from.
func done(e ticket.Event, verb ticket.Verb, p policy.Policy, asked []Line) deed {
	d := deed{at: e.At, command: ticket.Command{ID: fmt.Sprint("past/", e.Seq), Verb: verb, Actor: e.Actor, Works: true, Manages: true, Channel: e.Channel, Text: e.Text}}
	if len(e.To) > 0 && (d.lost() || verb == ticket.Assign) {
		d.command.To = e.To[0]
	}
	switch verb {
	case ticket.Reprioritise:
		plan := p.For(e.Priority)
		d.command.Priority, d.command.Plan = e.Priority, &plan
		return d
	case ticket.Assign, ticket.Up, ticket.Hush:
		return d
	}
	for _, l := range asked {
		if d.about(l) && (d.lost() || !d.asked) {
			d.asked, d.after = true, e.At.Sub(l.At)
		}
	}
	return d
}

// lost tells whether it is a text that did not arrive.
func (d deed) lost() bool {
	return d.command.Verb == ticket.LostPage || d.command.Verb == ticket.LostOffer
}

// about tells whether it may follow from a line: the text that did not arrive, or one
// to whoever did it.
func (d deed) about(l Line) bool {
	if !d.lost() {
		return l.To.ID == d.command.Actor.ID
	}
	offer := l.Message == "offer" || l.Message == "reminder"
	return l.To.ID == d.command.To.ID && l.To.Via == d.command.To.Via && offer == (d.command.Verb == ticket.LostOffer)
}

// live lets the ticket wait until somebody has it, with what people did, each thing as
// long after they were asked as then, or at the same time.
func (r *run) live(ctx context.Context, deeds []deed, until time.Time) error {
	var asked, due []deed
	for _, d := range deeds {
		if d.asked {
			asked = append(asked, d)
		} else {
			due = append(due, d)
		}
	}
	for heard := 0; ; {
		if err := r.settle(ctx); err != nil {
			return err
		}
		for _, l := range r.lines[heard:] {
			i := slices.IndexFunc(asked, func(d deed) bool { return d.about(l) })
			if i >= 0 {
				d := asked[i]
				asked = slices.Delete(asked, i, i+1)
				d.at = r.now.Add(d.after)
				due = append(due, d)
			}
		}
		heard = len(r.lines)
		slices.SortStableFunc(due, func(a, b deed) int { return a.at.Compare(b.at) })
		next, alarm := r.ticket.Due()
		switch {
		case r.ticket.Status != ticket.New:
			return nil
		case len(due) > 0 && !due[0].at.After(until) && (!alarm || !next.At.Before(due[0].at)):
			r.now = latest(r.now, due[0].at)
			if err := r.apply(due[0].command); err != nil {
				if _, refused := ticket.Refused(err); !refused { // as nothing is then to be declined
					return err
				}
			}
			due = due[1:]
		case !alarm || next.At.After(until):
			r.now = until
			return nil
		default:
			r.now = next.At
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// asSeen are the people as a ticket saw them last.
type asSeen struct {
	*frozen
	seen []ticket.Event
	now  *time.Time
}

func (a *asSeen) Members(context.Context) ([]roster.Member, error) {
	members := slices.Clone(a.members)
	for _, e := range a.seen {
		if e.At.After(*a.now) && e.Seq != a.seen[0].Seq { // before the first look, it is the best that is known
			break
		}
		for _, s := range e.Seen {
			i := slices.IndexFunc(members, func(m roster.Member) bool { return m.ID == s.ID })
			if i < 0 {
				continue
			}
			m := &members[i]
			m.Presence.State, m.Holding = roster.PresenceState(s.Presence), make([]int, s.Holding)
			m.AwayUntil, m.Stopped = time.Time{}, s.Out == ticket.OutOfReach
			if s.Out == ticket.OutAway || s.Out == ticket.OutOffDuty {
				m.AwayUntil = a.now.Add(horizon)
			}
			if m.Stopped {
				m.JID = ""
			}
		}
	}
	return members, nil
}
