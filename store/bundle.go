package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"deskbell/gateway"
	"deskbell/store/internal/db"
)

// Bundle is several offers that one person gets as one message.
type Bundle struct {
	Channel  gateway.Channel
	Language string
	Tickets  []int
	Subjects []string // of the tickets
}

// How long offers after the first wait for company. One text a minute is as many as
// somebody on the move reads; and an offer keeps most of its life for its answer.
const (
	bundleFor    = time.Minute
	bundleOfLife = 4 // a quarter at most
)

// waitsFor is how long an offer may wait for company; every offer has an end.
func waitsFor(expires, now time.Time) time.Duration {
	return max(min(bundleFor, expires.Sub(now)/bundleOfLife), 0)
}

// Bundled is what became of an offer that was sent in one text with others.
const Bundled gateway.State = "bundled"

// inBundle is why such an offer is not sent by itself.
const inBundle = "sent in a bundle"

// fateOf is what became of a message, as its row has it.
func fateOf(state, why string) Fate {
	if state == string(gateway.Cancelled) && why == inBundle {
		return Fate{State: Bundled}
	}
	return Fate{gateway.State(state), why}
}

func isOffer(reason string) bool { return reason == "offer" || reason == "reminder" }

// lockOffers lets one step at a time give offers to these people.
func lockOffers(ctx context.Context, q *db.Queries, list []Outgoing) error {
	var keys []string
	for _, o := range list {
		if isOffer(o.Reason) {
			keys = append(keys, "offers "+o.Person)
		}
	}
	if keys == nil {
		return nil
	}
	slices.Sort(keys)
	return q.LockKeys(ctx, slices.Compact(keys))
}

// HeldBack is an offer that waits for company.
type HeldBack struct {
	Deliveries []int64 // ids: the offer and its reminder may both wait
	Ticket     int
	Subject    string
}

// HeldBack returns the offers to a person that wait for company, the most urgent
// first.
func (s *Store) HeldBack(ctx context.Context, person string) ([]HeldBack, error) {
	rows, err := s.q.HeldBack(ctx, db.HeldBackParams{Person: person, Now: s.now()})
	if err != nil {
		return nil, fail("offers held back", err)
	}
	list := make([]HeldBack, len(rows))
	for i, row := range rows {
		list[i] = HeldBack{row.Ids, row.Ticket, row.Subject}
	}
	return list, nil
}

// bundle makes one message of the offers whose time has come together.
func (s *Store) bundle(ctx context.Context, channel gateway.Channel, now time.Time) error {
	if s.Bundle == nil {
		return nil
	}
	const what = "bundle offers"
	groups, err := s.q.Companions(ctx, db.CompanionsParams{Channel: string(channel), Now: now})
	if err != nil {
		return fail(what, err)
	}
	return s.tx(ctx, what, func(q *db.Queries) error {
		for _, g := range groups {
			b := Bundle{Channel: channel, Language: g.Language}
			for i, n := range g.Tickets { // an offer and its reminder may both have waited
				if !slices.Contains(b.Tickets, n) {
					b.Tickets, b.Subjects = append(b.Tickets, n), append(b.Subjects, g.Subjects[i])
				}
			}
			text, err := s.Bundle(b)
			if err != nil {
				return fmt.Errorf("word a bundle: %w", err)
			}
			key := fmt.Sprintf("bundle/%d", g.Ids[0])
			if err := q.Bundled(ctx, db.BundledParams{Why: inBundle, Bundle: key, Ids: g.Ids}); err != nil {
				return err
			}
			_, _, err = insertDeliveries(ctx, q, Write{Outgoing: []Outgoing{{Key: key, Channel: channel, Person: g.Person,
				Address: g.Address, Reason: "offer_bundle", Text: text, Alert: true, Expires: moment(&g.Expires)}}}, now)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
