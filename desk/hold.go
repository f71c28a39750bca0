package desk

import (
	"context"

	"deskbell/ticket"
)

// claims tells whether a verb gives its actor a ticket that nobody gave them. A
// manager's assignment, UNDO and a reopening pass the limit.
func claims(v ticket.Verb) bool { return v == ticket.Take || v == ticket.Takeover }

// claim makes sure that the actor has room for a ticket, before the command is
// handed over. A *ticket.Refusal says that there is none, or what the read model
// knows against it: either way nothing is handed over.
func (d *Desk) claim(ctx context.Context, c ticket.Command, number int) error {
	if !claims(c.Verb) {
		return nil
	}
	free, err := d.Store.AskHold(ctx, c.Actor.ID, number, d.Policy.Held())
	if err != nil || free {
		return outside(err)
	}
	t, err := d.Store.Ticket(ctx, number)
	if err != nil {
		return outside(err)
	}
	if t.Holder(c.Actor.ID) {
		return nil
	}
	if _, _, err := ticket.Apply(t, c, d.Clock.Now()); err != nil {
		return err
	}
	return &ticket.Refusal{Message: "take_limit", Who: c.Actor}
}

// lostClaims are the answers to a claim that failed.
var lostClaims = []ticket.Message{"take_lost", "owned", "take_closed", "take_withdrawn", "takeover_urgent"}

// unclaim gives back the room that a failed claim had.
func (d *Desk) unclaim(ctx context.Context, person string, number int) error {
	if d.Policy.Held() == 0 {
		return nil
	}
	return d.Store.DropAsk(ctx, person, number)
}
