package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"deskbell/store/internal/db"
	"deskbell/ticket"
)

// Webhook is somebody who is told by HTTP what happens to tickets.
type Webhook struct {
	ID        int64
	URL       string
	Events    []ticket.Kind // none: all
	Secret    []byte        // as it was given: encrypted
	CreatedBy string
	CreatedAt time.Time
	EndedAt   time.Time
}

func webhook(row db.Webhook) Webhook {
	w := Webhook{ID: row.ID, URL: row.Url, Secret: row.Secret, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt.UTC(), EndedAt: moment(row.EndedAt)}
	for _, e := range row.Events {
		w.Events = append(w.Events, ticket.Kind(e))
	}
	return w
}

// CreateWebhook keeps a webhook: what happens from now on is due to it.
func (s *Store) CreateWebhook(ctx context.Context, w Webhook, a Audit) (made Webhook, err error) {
	events := make([]string, len(w.Events))
	for i, e := range w.Events {
		events[i] = string(e)
	}
	err = s.tx(ctx, "create webhook", func(q *db.Queries) error {
		row, err := q.CreateWebhook(ctx, db.CreateWebhookParams{Url: w.URL, Events: events, Secret: w.Secret, CreatedBy: a.Actor, CreatedAt: s.now()})
		if err != nil {
			return err
		}
		made = webhook(row)
		a.Act, a.Subject, a.Detail = "webhook.created", fmt.Sprintf("webhook %d", made.ID), made.URL
		return s.note(ctx, q, a)
	})
	return made, err
}

// Webhooks returns all webhooks, ended ones too, the oldest first.
func (s *Store) Webhooks(ctx context.Context) ([]Webhook, error) {
	rows, err := s.q.Webhooks(ctx)
	if err != nil {
		return nil, fail("webhooks", err)
	}
	list := make([]Webhook, len(rows))
	for i, row := range rows {
		list[i] = webhook(row)
	}
	return list, nil
}

// EndWebhook ends a webhook; ErrNotFound when there is none that counts.
func (s *Store) EndWebhook(ctx context.Context, id int64, a Audit) (w Webhook, err error) {
	err = s.tx(ctx, "end webhook", func(q *db.Queries) error {
		now := s.now()
		row, err := q.EndWebhook(ctx, db.EndWebhookParams{Now: &now, ID: id})
		if err != nil {
			return err
		}
		w = webhook(row)
		a.Act, a.Subject, a.Detail = "webhook.ended", fmt.Sprintf("webhook %d", id), w.URL
		return s.note(ctx, q, a)
	})
	return w, err
}

// DueWebhooks returns deliveries that nobody has begun, the oldest first.
func (s *Store) DueWebhooks(ctx context.Context, most int) ([]int64, error) {
	ids, err := s.q.DueWebhooks(ctx, most)
	return ids, fail("due webhooks", err)
}

// WebhooksSending notes that deliveries are somebody's to make.
func (s *Store) WebhooksSending(ctx context.Context, ids []int64) error {
	return fail("webhooks under way", s.q.WebhooksSending(ctx, ids))
}

// WebhookDelivery is one thing to tell.
type WebhookDelivery struct {
	ID     int64
	URL    string
	Secret []byte
	// Over says that nothing is to be sent any more: it arrived, was given up, or the
	// webhook has ended.
	Over   bool
	Event  ticket.Event
	Ticket ticket.Ticket // number, status, priority, requester, assignee and version as they are now
}

// WebhookDelivery returns what to tell; ErrNotFound when its ticket is gone.
func (s *Store) WebhookDelivery(ctx context.Context, id int64) (WebhookDelivery, error) {
	row, err := s.q.WebhookDelivery(ctx, id)
	if err != nil {
		return WebhookDelivery{}, fail("webhook delivery", err)
	}
	e, err := decode[ticket.Event](row.Event)
	t := ticket.Ticket{Number: row.Ticket, Priority: ticket.Priority(row.Priority), Requester: ticket.Party{ID: row.Requester}, Version: row.Version}
	t.Status, t.Assignee.ID = ticket.Status(row.TicketStatus), row.Assignee
	return WebhookDelivery{ID: row.ID, URL: row.Url, Secret: row.Secret, Over: row.Ended || row.State == "delivered" || row.State == "failed", Event: e, Ticket: t}, fail("webhook delivery", err)
}

// WebhookTried notes an attempt: the status of the answer, 0 for none, and why it
// failed, empty when it did not.
func (s *Store) WebhookTried(ctx context.Context, id int64, status int, why string) error {
	now, state := s.now(), "delivered"
	if why != "" {
		state = "sending"
	}
	return fail("webhook tried", s.q.WebhookTried(ctx, db.WebhookTriedParams{State: state, Status: status, Why: storable(why), Now: &now, ID: id}))
}

// WebhookGivenUp notes that a delivery is not tried again.
func (s *Store) WebhookGivenUp(ctx context.Context, id int64) error {
	return fail("webhook given up", s.q.WebhookGivenUp(ctx, id))
}

// WebhookTry is a line of a webhook's log.
type WebhookTry struct {
	ID        int64     `json:"id"`
	Ticket    int       `json:"ticket"`
	Seq       int       `json:"seq" doc:"The event's place in the ticket's timeline."`
	CreatedAt time.Time `json:"created_at"`
	State     string    `json:"state" enum:"due,sending,delivered,failed"`
	Attempts  int       `json:"attempts"`
	Status    int       `json:"status" doc:"Of the last answer; 0 when there was none."`
	Why       string    `json:"why,omitempty" doc:"Why the last attempt failed."`
	TriedAt   time.Time `json:"tried_at,omitzero"`
}

// WebhookLog returns a webhook's deliveries, the newest first; below is the last id of
// the page before, 0 for the first page.
func (s *Store) WebhookLog(ctx context.Context, webhook, below int64, most int) ([]WebhookTry, error) {
	if below == 0 {
		below = math.MaxInt64
	}
	rows, err := s.q.WebhookLog(ctx, db.WebhookLogParams{Webhook: webhook, Below: below, Max: most})
	if err != nil {
		return nil, fail("log of a webhook", err)
	}
	list := make([]WebhookTry, len(rows))
	for i, r := range rows {
		list[i] = WebhookTry{ID: r.ID, Ticket: r.Ticket, Seq: r.Seq, CreatedAt: r.CreatedAt.UTC(), State: r.State, Attempts: r.Attempts, Status: r.Status, Why: r.Why, TriedAt: moment(r.TriedAt)}
	}
	return list, nil
}
