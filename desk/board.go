package desk

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// recentOnBoard is how many events the board's ticker shows.
const recentOnBoard = 8

// Unheard are the events that the board's ticker leaves out: those that nobody did, of
// which a wave through a long line brings so many that they would push out all others,
// and what stays between colleagues.
var Unheard = []ticket.Kind{ticket.Planned, ticket.Offered, ticket.PagedAgain, ticket.PassRefused, ticket.WentStale, ticket.Kept, ticket.Unanswered, ticket.Noted}

// Ticket returns a ticket as the read model knows it.
func (d *Desk) Ticket(ctx context.Context, number int) (ticket.Ticket, error) {
	t, err := d.Store.Ticket(ctx, number)
	return t, outside(err)
}

// Tickets lists tickets, the newest first; next is the cursor of the next page.
func (d *Desk) Tickets(ctx context.Context, f Filter) (list []ticket.Ticket, next string, err error) {
	list, next, err = d.Store.Tickets(ctx, f)
	return list, next, outside(err)
}

// Timeline is what happened to a ticket, in order.
func (d *Desk) Timeline(ctx context.Context, number int) ([]Line, error) {
	if _, err := d.Store.Ticket(ctx, number); err != nil {
		return nil, outside(err)
	}
	events, err := d.Store.Timeline(ctx, number)
	if err != nil {
		return nil, outside(err)
	}
	lines := make([]Line, len(events))
	for i, e := range events {
		lines[i] = line(e)
	}
	return lines, nil
}

func line(e ticket.Event) Line {
	l := Line{Seq: e.Seq, At: e.At, Actor: e.Actor.ID, Channel: e.Channel, Event: string(e.Kind), Text: e.Text}
	var to []string
	for _, p := range e.To {
		if p.Via == "" {
			to = append(to, p.Name)
		} else {
			to = append(to, p.Name+" by "+p.Via)
		}
	}
	l.Detail = strings.Join(to, ", ")
	return l
}

// crew is who works on tickets, and the rota and its overrides, which say when.
type crew struct {
	members   []roster.Member
	rota      []roster.Rotation
	overrides []roster.Override
}

func (d *Desk) crew(ctx context.Context) (c crew, err error) {
	if c.members, err = d.Store.Members(ctx); err != nil {
		return c, outside(err)
	}
	c.rota, c.overrides, err = d.Store.Rota(ctx)
	return c, outside(err)
}

// Agents is everybody who works on tickets.
func (d *Desk) Agents(ctx context.Context) ([]AgentView, error) {
	c, err := d.crew(ctx)
	return d.agents(c), err
}

func (d *Desk) agents(c crew) []AgentView {
	views := make([]AgentView, len(c.members))
	for i, m := range c.members {
		views[i] = d.view(m)
		views[i].OnDuty = roster.OnDuty(m, c.rota, c.overrides, d.Clock.Now())
	}
	return views
}

func (d *Desk) view(m roster.Member) AgentView {
	v := AgentView{ID: m.ID, Name: m.Name, Presence: string(m.Presence.State), Reason: m.Presence.Reason, Since: m.Presence.Since, Holding: m.Holding, LastSeen: m.Presence.LastSeen}
	if v.Holding == nil {
		v.Holding = []int{}
	}
	v.Via, _ = roster.Reach(m)
	if m.Away(d.Clock.Now()) {
		v.Presence, v.Reason = string(roster.Away), m.AwayReason
	}
	return v
}

// OnCall is who is called now, in order.
func (d *Desk) OnCall(ctx context.Context) (OnCallView, error) {
	c, err := d.crew(ctx)
	return d.onCall(c), err
}

func (d *Desk) onCall(c crew) OnCallView {
	people := make([]roster.Person, len(c.members))
	for i, m := range c.members {
		people[i] = m.Person
	}
	chain, until := roster.OnCall(c.rota, c.overrides, people, "", d.Clock.Now())
	if chain == nil {
		chain = []string{}
	}
	return OnCallView{Until: until, People: chain}
}

// names are those of who works here, by id.
func (c crew) names() map[string]string {
	names := make(map[string]string, len(c.members))
	for _, m := range c.members {
		names[m.ID] = m.Name
	}
	return names
}

// onBoard is how many tickets of a kind the board names; of the others it tells how many
// there are.
const onBoard = 100

// Board is everything that the board shows.
func (d *Desk) Board(ctx context.Context) (Board, error) {
	b := Board{At: d.Clock.Now()}
	counts, err := d.Store.Counts(ctx)
	if err != nil {
		return b, outside(err)
	}
	if b.Waiting, err = d.Store.Queue(ctx, onBoard); err != nil {
		return b, outside(err)
	}
	if b.Working, _, err = d.Store.Tickets(ctx, store.Filter{Status: []ticket.Status{ticket.Assigned, ticket.Pending}, Limit: onBoard}); err != nil {
		return b, outside(err)
	}
	b.InLine, b.Oldest = max(counts.New, len(b.Waiting)), counts.Oldest
	for _, t := range b.Waiting {
		if b.Oldest.IsZero() || t.CreatedAt.Before(b.Oldest) { // it came in after they were counted
			b.Oldest = t.CreatedAt
		}
	}
	b.InWork, b.OnHold = max(counts.Assigned+counts.Pending, len(b.Working)), counts.Pending
	crew, err := d.crew(ctx)
	if err != nil {
		return b, err
	}
	b.Names, b.Agents, b.OnCall = crew.names(), d.agents(crew), d.onCall(crew)
	if b.Estimate, err = d.estimate(ctx, b.InLine+1, b.Agents); err != nil {
		return b, err
	}
	b.Closed, b.Opens = d.closed(b.At)
	if b.Incidents, err = d.Incidents(ctx); err != nil {
		return b, err
	}
	events, err := d.Store.RecentEvents(ctx, recentOnBoard, Unheard...)
	if err != nil {
		return b, outside(err)
	}
	for _, e := range events {
		b.Recent = append(b.Recent, RecentEvent{Number: e.Number, Line: line(e.Event)})
	}
	b.Gateways, err = d.Gateways(ctx)
	return b, err
}

// Gateways is the state of the channels, whichever process holds them.
func (d *Desk) Gateways(ctx context.Context) ([]GatewayView, error) {
	backlog, err := d.Store.Backlog(ctx)
	if err != nil {
		return nil, outside(err)
	}
	tenures, err := d.Store.Tenures(ctx)
	if err != nil {
		return nil, outside(err)
	}
	var views []GatewayView
	for _, channel := range []gateway.Channel{gateway.SMS, gateway.IM} {
		v := GatewayView{Channel: string(channel), Backlog: backlog[channel]}
		for _, t := range tenures {
			if t.Name == v.Channel {
				v.Up, v.Since, v.Links = !t.UpSince.IsZero(), t.UpSince, linkViews(t.Links)
			}
		}
		views = append(views, v)
	}
	return views, nil
}

func linkViews(links store.Links) (views []LinkView) {
	for _, name := range slices.Sorted(maps.Keys(links)) {
		l := LinkView{Name: name, Up: links[name] != nil}
		if l.Up {
			l.Since = *links[name]
		}
		views = append(views, l)
	}
	return views
}

// Ready tells which parts answer: the name of each and nil when it is well.
func (d *Desk) Ready(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, engine := d.Engine.CheckHealth(ctx, nil)
	return map[string]error{"postgresql": d.Store.Ping(ctx), "temporal": engine}
}

// Watch returns what changes until ctx ends. Changes may be merged, but after the
// last one at least one arrives.
func (d *Desk) Watch(ctx context.Context) <-chan Change { return d.watchers.watch(ctx) }

// listen passes on what other processes write.
func (d *Desk) listen(ctx context.Context) error {
	return d.Store.Listen(ctx, []string{"deskbell_change"}, func(_, payload string) {
		kind, rest, _ := strings.Cut(payload, ":")
		number := 0
		for _, r := range rest {
			number = number*10 + int(r-'0')
		}
		d.watchers.tell(Change{Kind: kind, Number: number})
	})
}

// watchers are those who want to know of changes.
type watchers struct {
	mu   sync.Mutex
	list []chan Change
}

func (w *watchers) watch(ctx context.Context) <-chan Change {
	in, out := make(chan Change, 1), make(chan Change)
	w.mu.Lock()
	w.list = append(w.list, in)
	w.mu.Unlock()
	go func() {
		defer close(out)
		defer w.drop(in)
		for {
			select {
			case <-ctx.Done():
				return
			case c := <-in:
				select {
				case <-ctx.Done():
					return
				case out <- c:
				}
			}
		}
	}()
	return out
}

func (w *watchers) drop(in chan Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = slices.DeleteFunc(w.list, func(c chan Change) bool { return c == in })
}

// tell never blocks: whoever has an unread change learns of this one with it.
func (w *watchers) tell(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, in := range w.list {
		select {
		case in <- c:
		default:
		}
	}
}

// closed tells whether an ordinary ticket has to wait for the office, whatever its
// group, and until the first of the offices opens.
func (d *Desk) closed(now time.Time) (closed bool, opens time.Time) {
	for _, group := range append([]string{""}, d.Policy.Groups()...) {
		p := d.Policy.Group(group)
		if !p.For(ticket.P3).Office || p.Office().Open(now) {
			return false, time.Time{}
		}
		if at := p.After(true, now, 0); opens.IsZero() || at.Before(opens) {
			opens = at
		}
	}
	return true, opens
}
