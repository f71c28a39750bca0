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

// bundleFor is how long offers after the first wait for company: one text a minute
// is as many as somebody on the move reads.
const bundleFor = time.Minute

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
			text, err := s.Bundle(Bundle{Channel: channel, Language: g.Language, Tickets: g.Tickets, Subjects: g.Subjects})
			if err != nil {
				return fmt.Errorf("word a bundle: %w", err)
			}
			if err := q.Bundled(ctx, g.Ids); err != nil {
				return err
			}
			_, _, err = insertDeliveries(ctx, q, Write{Outgoing: []Outgoing{{Key: fmt.Sprintf("bundle/%d", g.Ids[0]), Channel: channel, Person: g.Person,
				Address: g.Address, Reason: "offer_bundle", Text: text, Alert: true, Expires: moment(&g.Expires)}}}, now)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
