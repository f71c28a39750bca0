package desk

import (
	"context"
	"errors"
	"time"

	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// Story is all that the desk knows of a ticket.
type Story struct {
	At      time.Time
	Ticket  ticket.Ticket
	Events  []ticket.Event
	Notices []NoticeView // what was sent about it, the oldest first
	Files   []Attachment // the oldest first
	// Link names the ticket to its requester: the page is /t/ and this.
	Link string
	Next string // what happens by itself, in words
	// Place is the place in line and Waiting how many wait, while it waits; Promise
	// is what the requester was told at the start and Estimate what holds now.
	Place, Waiting int
	Promise        *WaitPromise
	Estimate       Estimate
}

// WaitPromise is what a requester was told at the start about the wait.
type WaitPromise struct {
	At        time.Time
	Place     int
	Low, High time.Duration // High is 0 when no number was told
}

// NoticeView is a message that was sent, or is to be, and what became of it.
type NoticeView struct {
	Channel, Person, Name string
	Message               string // its id
	Text                  string
	State                 string // due, sending, sent, delivered, failed, expired, cancelled, bundled, unknown
	Detail                string
	Repeated              bool
	At                    time.Time
}

// Story returns all about a ticket; ErrNotFound when there is none.
func (d *Desk) Story(ctx context.Context, number int) (Story, error) {
	s := Story{At: d.Clock.Now()}
	var err error
	if s.Ticket, err = d.Store.Ticket(ctx, number); err != nil {
		return s, outside(err)
	}
	if s.Events, err = d.Store.Timeline(ctx, number); err != nil {
		return s, outside(err)
	}
	if s.Link, err = d.Store.Link(ctx, number); err != nil {
		return s, outside(err)
	}
	notices, err := d.Store.Notices(ctx, number)
	if err != nil {
		return s, outside(err)
	}
	for _, n := range notices {
		if n.State == "delivered" {
			n.Why = "" // the network's code for the same
		}
		s.Notices = append(s.Notices, NoticeView{Channel: n.Channel, Person: n.Person, Name: n.Name, Message: n.Message, Text: n.Text, State: n.State, Detail: n.Why, Repeated: n.Repeated, At: n.At})
	}
	if s.Files, err = d.Attachments(ctx, number); err != nil {
		return s, err
	}
	s.Next = notice.Upcoming(s.Ticket, s.At, d.Zone, "en")
	if s.Ticket.Status == ticket.New {
		err = d.inLine(ctx, &s)
	}
	return s, err
}

// inLine adds what there is to say of a ticket's wait.
func (d *Desk) inLine(ctx context.Context, s *Story) (err error) {
	if s.Place, s.Waiting, err = d.Store.Place(ctx, s.Ticket.Number); err != nil {
		return outside(err)
	}
	agents, err := d.Agents(ctx)
	if err != nil {
		return err
	}
	if s.Estimate, err = d.estimate(ctx, s.Place, agents); err != nil {
		return err
	}
	p, err := d.Store.Promised(ctx, s.Ticket.Number)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	s.Promise = &WaitPromise{At: p.At, Place: p.Place, Low: p.Low, High: p.High}
	return outside(err)
}

// Linked returns the story that a requester's link names; ErrNotFound.
func (d *Desk) Linked(ctx context.Context, link string) (Story, error) {
	number, err := d.Store.Linked(ctx, link)
	if err != nil {
		return Story{}, outside(err)
	}
	return d.Story(ctx, number)
}

// Link returns the link of a ticket; ErrNotFound when there is none.
func (d *Desk) Link(ctx context.Context, number int) (string, error) {
	link, err := d.Store.Link(ctx, number)
	return link, outside(err)
}

// Versions returns the versions of tickets by number, for those who wait for a
// change.
func (d *Desk) Versions(ctx context.Context, numbers []int) (map[int]int, error) {
	versions, err := d.Store.Versions(ctx, numbers)
	return versions, outside(err)
}

// RosterView is the people with their presence, and who is called in the days to
// come.
type RosterView struct {
	At     time.Time
	Agents []AgentView
	OnCall OnCallView
	Shifts []roster.Shift
	Names  map[string]string // of people, by id
}

// shiftsAhead is how far the page of the people looks: a fortnight has every turn of
// a weekly rota in it at least once.
const shiftsAhead = 14 * 24 * time.Hour

// Roster returns who works here and when.
func (d *Desk) Roster(ctx context.Context) (RosterView, error) {
	v := RosterView{At: d.Clock.Now()}
	c, err := d.crew(ctx)
	if err != nil {
		return v, err
	}
	v.Names, v.Agents, v.OnCall = c.names(), d.agents(c), d.onCall(c)
	v.Shifts = roster.Shifts(c.rota, c.overrides, c.members, v.At, v.At.Add(shiftsAhead))
	return v, nil
}
