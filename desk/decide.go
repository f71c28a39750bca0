package desk

import (
	"context"
	"encoding/json"
	"fmt"

	"deskbell/command"
	"deskbell/store"
	"deskbell/ticket"
)

// decision is what a message was read as. It is kept before anything is done, in one
// transaction with the end of the question that it answers: driven again, a YES must
// not be read as the answer to something else.
type decision struct {
	Number  int             `json:"number,omitempty"`
	Command *ticket.Command `json:"command,omitempty"` // for Number
	Next    int             `json:"next,omitempty"`    // NEXT tries this ticket
	Open    *command.Do     `json:"open,omitempty"`    // a new ticket
	Swap    int64           `json:"swap,omitempty"`    // the answer to this request to swap shifts is Agrees
	Agrees  bool            `json:"agrees,omitempty"`
}

// decide keeps a decision. The message counts as handed over: what must still be
// done is tried again until its answer is written.
func (t *turn) decide(ctx context.Context, d decision, settles bool) error {
	doc, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("keep a decision: %w", err)
	}
	w := store.Write{Decides: t.row.Key, Decided: doc}
	if change := settle(settles); change != nil {
		w.Contexts = []store.ContextChange{{Person: t.person.ID, Change: changeMemory(t.context.Now, change)}}
	}
	_, err = t.desk.Store.Write(ctx, w)
	return err
}

// resume does what was decided before, once more. Commands and submissions carry
// the message's key: the second time is none.
func (t *turn) resume(ctx context.Context, doc []byte) error {
	var d decision
	if err := json.Unmarshal(doc, &d); err != nil {
		return fmt.Errorf("read a decision: %w", err)
	}
	switch {
	case d.Command != nil:
		if claims(d.Command.Verb) { // it had room; it still counts
			if _, err := t.desk.Store.AskHold(ctx, t.person.ID, d.Number, t.desk.Policy.Held()); err != nil {
				return err
			}
		}
		return t.desk.signal(ctx, *d.Command, d.Number)
	case d.Open != nil:
		return t.submit(ctx, *d.Open)
	case d.Swap != 0:
		return t.answerSwap(ctx, d.Swap, d.Agrees)
	}
	return t.next(ctx, d.Next)
}
