package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

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

// company returns when an offer may leave: at once when the person got none lately,
// else together with the next ones. One that would not live so long is not kept.
func company(ctx context.Context, q *db.Queries, o Outgoing, now time.Time) (time.Time, error) {
	last, err := q.LastOffer(ctx, db.LastOfferParams{Person: o.Person, Channel: string(o.Channel), Since: now.Add(-bundleFor), Key: o.Key})
	if errors.Is(err, pgx.ErrNoRows) {
		return now, nil
	}
	leaves := last
	if !last.After(now) {
		leaves = last.Add(bundleFor)
	}
	if !o.Expires.IsZero() && !o.Expires.After(leaves) {
		return now, err
	}
	return leaves, err
}

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
func (s *Store) bundle(ctx context.Context, q *db.Queries, channel gateway.Channel, now time.Time) error {
	if s.Bundle == nil {
		return nil
	}
	groups, err := q.Companions(ctx, db.CompanionsParams{Channel: string(channel), Now: now})
	if err != nil {
		return err
	}
	for _, g := range groups {
		text, err := s.Bundle(Bundle{Channel: channel, Language: g.Language, Tickets: g.Tickets, Subjects: g.Subjects})
		if err != nil {
			return fmt.Errorf("word a bundle: %w", err)
		}
		if err := q.Bundled(ctx, g.Ids); err != nil {
			return err
		}
		_, err = q.InsertDelivery(ctx, db.InsertDeliveryParams{Key: fmt.Sprintf("bundle/%d", g.Ids[0]), Channel: string(channel), Person: g.Person,
			Address: g.Address, Reason: "offer_bundle", Text: storable(text), Again: storable(text), Alert: true, NotBefore: now, CreatedAt: now, Expires: optional(g.Expires)})
		if err != nil {
			return err
		}
	}
	return nil
}
