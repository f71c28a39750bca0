package store

import (
	"context"
	"slices"
	"time"

	"deskbell/gateway"
	"deskbell/store/internal/db"
)

// unreadAfter is how long an alert by chat may be without a receipt: clients send it
// at once, so whoever has not after a minute is not at the machine, as with a page.
const unreadAfter = 60 * time.Second

// UnreadAlert is an alert by chat that nobody has read, as far as the desk knows.
type UnreadAlert struct {
	ID    int64
	Phone string // empty without one
	Seen  bool   // the person has written in the chat since
	Outgoing
}

// UnreadAlerts returns the alerts by chat, pages apart, that came back or have no
// receipt 60 s after sending, oldest first, until they are reported.
func (s *Store) UnreadAlerts(ctx context.Context, limit int) ([]UnreadAlert, error) {
	rows, err := s.q.UnreadAlerts(ctx, db.UnreadAlertsParams{Before: optional(s.now().Add(-unreadAfter)), Max: limit})
	if err != nil {
		return nil, fail("unread alerts", err)
	}
	list := make([]UnreadAlert, len(rows))
	for i, r := range rows {
		list[i] = UnreadAlert{ID: r.ID, Phone: r.Phone, Seen: r.Seen, Outgoing: Outgoing{
			Key: r.Key, Channel: gateway.Channel(r.Channel), Person: r.Person, Address: r.Address, Reason: r.Reason, Ticket: r.Ticket,
			Text: r.Text, Again: r.Again, Alert: r.Alert, Urgent: r.Urgent, Expires: moment(r.Expires),
		}}
	}
	return list, nil
}

// supersede names the offers that messages in a chat take the place of. What was
// offered in a bundle stays: it speaks of other tickets too.
func (s *Store) supersede(ctx context.Context, rows []db.Delivery, list []gateway.Delivery) error {
	var ids []int64
	for _, r := range rows {
		if r.Channel == string(gateway.IM) && r.Reason == "offer_gone" {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := s.q.Superseded(ctx, ids)
	if err != nil {
		return fail("find superseded messages", err)
	}
	for _, f := range found {
		if i := slices.IndexFunc(list, func(d gateway.Delivery) bool { return d.ID == f.ID }); i >= 0 {
			list[i].Replaces = f.Wire
		}
	}
	return nil
}
