package im

import (
	"context"
	"encoding/xml"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"deskbell/clock"
	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

// The states of a gateway.Presence.
const (
	available = "available"
	away      = "away"
	busy      = "busy"
	offline   = "offline"
	unknown   = "unknown"
)

// shows orders what a client may show, best first, and says what it means.
var shows = []struct{ show, state string }{
	{"chat", available}, {"", available}, {"away", away}, {"dnd", busy}, {"xa", away},
}

const (
	maxPeople  = 10_000 // whose presence is remembered; a stranger may send theirs too
	maxClients = 16     // of one person
)

// presences turns what single clients say into what a person is, and publishes
// the changes of people in the directory.
type presences struct {
	sink      gateway.PresenceSink
	directory Directory
	clock     clock.Clock
	log       *slog.Logger
	wake      chan struct{}

	mu         sync.Mutex
	settled    bool                         // the replay after login is complete
	subscribed map[string]bool              // whose presence we get, by bare JID
	people     map[string]map[string]client // bare JID -> resource
	returned   map[string]bool              // whose messages came back, since they were last heard of
	changed    map[string]bool
	everybody  bool // look at the whole directory
}

type client struct {
	rank         int // index into shows
	show, reason string
	at           time.Time
}

func newPresences(sink gateway.PresenceSink, directory Directory, now clock.Clock, log *slog.Logger) *presences {
	return &presences{
		sink: sink, directory: directory, clock: now, log: log,
		wake:       make(chan struct{}, 1),
		subscribed: map[string]bool{},
		people:     map[string]map[string]client{},
		returned:   map[string]bool{},
		changed:    map[string]bool{},
		everybody:  true,
	}
}

// hear notes what one client says. It does not wait.
func (p *presences) hear(said xmpp.Presence) {
	person := bare(said.From)
	_, resource, _ := strings.Cut(said.From, "/")
	rank := slices.IndexFunc(shows, func(s struct{ show, state string }) bool { return s.show == said.Show })
	if rank < 0 {
		rank, said.Show = 1, ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	clients := p.people[person]
	delete(p.returned, person)
	switch {
	case said.Type == "unavailable" && resource == "":
		delete(p.people, person)
	case said.Type == "unavailable":
		delete(clients, resource)
		if len(clients) == 0 {
			delete(p.people, person)
		}
	case clients == nil && len(p.people) >= maxPeople, len(clients) >= maxClients && clients[resource].at.IsZero():
		return
	default:
		if clients == nil {
			clients = map[string]client{}
			p.people[person] = clients
		}
		clients[resource] = client{rank: rank, show: said.Show, reason: said.Status, at: p.clock.Now()}
	}
	if p.settled {
		p.mark(person)
	}
}

// mark has a person looked at, or, when there are more than are remembered, everybody.
// p.mu is held.
func (p *presences) mark(person string) {
	if len(p.changed) < maxPeople {
		p.changed[person] = true
	} else {
		p.everybody = true
	}
	ring(p.wake)
}

// returnedReason stands beside somebody whose messages come back.
const returnedReason = "messages come back"

// bounced notes that a message to somebody came back: they count as offline, with
// that reason, until one of their clients is heard of again.
func (p *presences) bounced(person string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.returned[person]; !known && len(p.returned) >= maxPeople {
		return
	}
	delete(p.people, person)
	p.returned[person] = true
	p.mark(person)
}

// subscription notes whether we get somebody's presence.
func (p *presences) subscription(jid string, ours bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ours {
		p.subscribed[bare(jid)] = true
	} else {
		delete(p.subscribed, bare(jid))
	}
	if p.settled {
		p.mark(bare(jid))
	}
}

// settle says that the replay after a login is complete: who has not been heard of
// by now is offline.
func (p *presences) settle() { p.turn(true) }

// lose says that nothing is known of anybody any more.
func (p *presences) lose() { p.turn(false) }

func (p *presences) turn(settled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled = settled
	if !settled {
		clear(p.people)
		clear(p.returned)
		clear(p.subscribed)
	}
	p.everybody = true
	ring(p.wake)
}

// of is the person as all clients together show them.
func (p *presences) of(person string) gateway.Presence {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := gateway.Presence{Address: person, State: unknown}
	clients := p.people[person]
	switch {
	case !p.settled:
	case p.returned[person]:
		now.State, now.Reason = offline, returnedReason
	case len(clients) > 0:
		best := slices.MinFunc(slices.Collect(maps.Values(clients)), func(a, b client) int {
			if a.rank != b.rank {
				return a.rank - b.rank
			}
			return b.at.Compare(a.at)
		})
		now.State, now.Show, now.Reason = shows[best.rank].state, best.show, best.reason
	case p.subscribed[person]:
		now.State = offline
	}
	return now
}

// take returns whom to look at: the people with news, or everybody.
func (p *presences) take() (people []string, everybody bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	people, everybody = slices.Collect(maps.Keys(p.changed)), p.everybody
	clear(p.changed)
	p.everybody = false
	return people, everybody
}

func (p *presences) again(people []string, everybody bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, person := range people {
		p.changed[person] = true
	}
	p.everybody = p.everybody || everybody
}

// publish reports changes until ctx ends, and then that everybody is unknown. At
// the start everybody is unknown too, whatever an earlier process has left.
func (p *presences) publish(ctx context.Context, t timing) {
	board := board{presences: p, published: map[string]gateway.Presence{}, gone: map[string]time.Time{}, flap: t.flap}
	directory := time.NewTicker(t.poll)
	defer directory.Stop()
	for ctx.Err() == nil {
		wait := board.round(ctx, t.retry)
		var timer <-chan time.Time
		if wait > 0 {
			timer = time.After(wait)
		}
		select {
		case <-p.wake:
		case <-timer:
		case <-directory.C:
			p.again(nil, true)
		case <-ctx.Done():
		}
	}
	p.lose()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.goodbye)
	defer cancel()
	board.round(last, t.retry)
}

// board is what the sink has been told. It belongs to publish.
type board struct {
	*presences
	published map[string]gateway.Presence
	gone      map[string]time.Time // since when somebody is offline without being told so
	flap      time.Duration
}

// round tells the sink what has changed, and returns when to look again without a
// wake; zero for never. Only "offline" waits, because clients reconnect; every
// other change is told at once.
func (b *board) round(ctx context.Context, retry time.Duration) time.Duration {
	people, everybody := b.take()
	listed, err := b.inDirectory(ctx, people, everybody)
	if err != nil {
		b.again(people, everybody)
		b.log.Error("im: read directory", slog.Any("error", err))
		return retry
	}
	now := b.clock.Now()
	var changes []gateway.Presence
	var next time.Duration
	for _, person := range listed {
		state := b.of(person)
		if left := b.holdBack(state, now); left > 0 {
			b.again([]string{person}, false)
			if next == 0 || left < next {
				next = left
			}
			continue
		}
		if b.published[person] != state {
			changes = append(changes, state)
		}
	}
	if len(changes) == 0 {
		return next
	}
	stamped := slices.Clone(changes)
	for i := range stamped {
		stamped[i].At = now
	}
	if err := b.sink.Presence(ctx, stamped); err != nil {
		b.again(listed, false)
		b.log.Error("im: report presence", slog.Any("error", err))
		return retry
	}
	for _, c := range changes {
		b.published[c.Address] = c
	}
	return next
}

// holdBack is how long to wait before somebody who was there counts as offline.
func (b *board) holdBack(state gateway.Presence, now time.Time) time.Duration {
	before := b.published[state.Address].State
	if state.State != offline || before == offline || before == unknown || before == "" {
		delete(b.gone, state.Address)
		return 0
	}
	if b.gone[state.Address].IsZero() {
		b.gone[state.Address] = now
	}
	return max(0, b.flap-now.Sub(b.gone[state.Address]))
}

func (b *board) inDirectory(ctx context.Context, people []string, everybody bool) ([]string, error) {
	if everybody {
		listed, err := b.directory.JIDs(ctx)
		if err != nil {
			return nil, fmt.Errorf("list JIDs: %w", err)
		}
		return listed, nil
	}
	var listed []string
	for _, person := range people {
		known, err := b.directory.Known(ctx, person)
		if err != nil {
			return nil, fmt.Errorf("look up JID: %w", err)
		}
		if known {
			listed = append(listed, person)
		}
	}
	return listed, nil
}

// fetchRoster learns whose presence we get.
func (g *Gateway) fetchRoster(ctx context.Context, s *session) error {
	answer, err := s.request(ctx, "", "get", rosterQuery{})
	if err != nil {
		return err
	}
	return g.noteRoster(s, answer.Query)
}

// keepRoster keeps the roster in step with the directory until ctx ends: who is new
// there is asked for their presence; who has left it does not get ours any more, nor we
// theirs. Each is tried once per login. An empty directory is taken for a mistake.
func (g *Gateway) keepRoster(ctx context.Context, s *session) {
	tried := map[string]bool{}
	look := time.NewTicker(g.timing.poll)
	defer look.Stop()
	for ctx.Err() == nil {
		people, err := g.directory.JIDs(ctx)
		if err != nil {
			g.log.Error("im: read directory", slog.Any("error", err))
		}
		for jid, step := range s.rosterSteps(people) {
			if tried[jid+step] {
				continue
			}
			tried[jid+step] = true
			if step == "remove" {
				_, err = s.request(ctx, "", "set", rosterQuery{Items: []rosterItem{{JID: jid, Subscription: "remove"}}})
			} else {
				err = s.write(ctx, presence{To: jid, Type: step})
			}
			if err != nil && ctx.Err() == nil {
				g.log.Warn("im: the roster is not as the directory", slog.String("step", step), slog.Any("error", err))
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
		}
	}
}

// rosterSteps is what to do to be in step with these people: subscribe or remove, by
// bare JID. Contacts that are no people, such as gateways, are left alone.
func (s *session) rosterSteps(people []string) map[string]string {
	steps := map[string]string{}
	if len(people) == 0 {
		return steps
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for jid := range s.roster {
		if strings.Contains(jid, "@") && !slices.Contains(people, jid) {
			steps[jid] = "remove"
		}
	}
	for _, jid := range people {
		if item := s.roster[jid]; item.Ask == "" && item.Subscription != "to" && item.Subscription != "both" {
			steps[jid] = "subscribe"
		}
	}
	return steps
}

// note is what the roster says of somebody.
func (s *session) note(item rosterItem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if item.Subscription == "remove" {
		delete(s.roster, bare(item.JID))
	} else {
		s.roster[bare(item.JID)] = item
	}
}

func (g *Gateway) noteRoster(s *session, query []byte) error {
	var roster rosterQuery
	if err := xml.Unmarshal(query, &roster); err != nil {
		return fmt.Errorf("parse roster: %w", err)
	}
	for _, item := range roster.Items {
		s.note(item)
		g.presence.subscription(item.JID, item.Subscription == "to" || item.Subscription == "both")
	}
	return nil
}
