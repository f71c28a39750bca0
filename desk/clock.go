package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"deskbell/gateway"
	"deskbell/store"
	"deskbell/ticket"
	"deskbell/workflows"
)

// MoveClock sets the distance of the desk's present from the machine's, in this
// process and in every open ticket. It fails unless the desk has a test clock.
func (d *Desk) MoveClock(ctx context.Context, offset time.Duration) error {
	if d.TestClock == nil {
		return errors.New("this desk's clock cannot be moved")
	}
	d.TestClock.Set(offset)
	cursor := ""
	for {
		list, next, err := d.Store.Tickets(ctx, store.Filter{
			Status: []ticket.Status{ticket.New, ticket.Assigned, ticket.Pending, ticket.Resolved}, Cursor: cursor, Limit: 200,
		})
		if err != nil {
			return outside(err)
		}
		for _, t := range list {
			if err := d.Engine.SignalWorkflow(ctx, workflows.ID(t.Number), "", workflows.ClockSignal, offset); err != nil {
				return fmt.Errorf("move the clock of ticket %d: %w", t.Number, err)
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// sentAt is when a message was sent, on the desk's clock; zero when the network
// does not tell. A chat server stamps with the machine's time, which no test moves.
func (d *Desk) sentAt(m store.Inbound) time.Time {
	if d.TestClock == nil || m.SentAt.IsZero() || m.Channel != gateway.IM {
		return m.SentAt
	}
	return m.SentAt.Add(d.TestClock.Offset())
}
