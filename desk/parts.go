package desk

import (
	"context"
	"time"

	"deskbell/command"
	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/store"
	"deskbell/ticket"
)

// gap is what a concatenated message lacks.
type gap int

const (
	nothingMissing gap = iota
	endMissing         // some part after the first
	headMissing        // the first part: nothing says what the rest means
)

// arrived is a message as it is read: a concatenated one is its first row with the
// text of all.
type arrived struct {
	store.Inbound
	gap gap
}

// partsPatience is how long a concatenated message waits for its other parts after
// the last that came. Carriers deliver the parts of one message within seconds.
const partsPatience = 3 * time.Minute

// joined puts a concatenated message together once all its parts are there, or once
// the others are no longer waited for. The message counts as the part that came
// first; the others end with it.
func (d *Desk) joined(ctx context.Context, row store.Inbound) (arrived, bool, error) {
	rows, err := d.Store.Parts(ctx, row.Part.Group)
	if err != nil || len(rows) == 0 {
		return arrived{}, false, err
	}
	parts := make([]gateway.Part, row.Part.Total)
	first, last := rows[0], rows[0]
	for _, r := range rows {
		if n := r.Part.Number; n >= 1 && n <= len(parts) {
			parts[n-1] = *r.Part
		}
		if r.ID < first.ID {
			first = r
		}
		if r.KeptAt.After(last.KeptAt) {
			last = r
		}
	}
	whole := arrived{Inbound: row}
	for i, p := range parts {
		if p.Data != nil {
			continue
		}
		whole.gap = endMissing
		parts = parts[:i]
		break
	}
	if first.ID != row.ID || whole.gap != nothingMissing && d.Clock.Now().Sub(last.KeptAt) < partsPatience {
		return arrived{}, false, nil
	}
	if len(parts) == 0 {
		whole.gap = headMissing
		return whole, true, nil
	}
	whole.Text, err = d.Join(parts)
	return whole, err == nil, err
}

// incomplete is what a message comes to whose end never arrived. What only adds a
// text is kept, with a mark; what would change more asks first.
func incomplete(i command.Intent, m arrived, c command.Command, at command.Context) command.Intent {
	if m.gap == headMissing {
		return command.Say{Message: "err_part"}
	}
	q := command.Question{Kind: command.Confirm, At: at.Now, Until: at.Now.Add(command.QuestionLife)}
	switch i := i.(type) {
	case command.Act:
		if i.Verb == ticket.Note || i.Verb == ticket.Write {
			i.Text += notice.EndMissing
			return i
		}
		q.Act = &i
	case command.Do:
		if i.Kind != command.DoNew {
			return i
		}
		i.Text += notice.EndMissing
		return i
	default:
		return i
	}
	return command.Ask{Message: "part_confirm", Values: map[string]string{"guess": clip(c.Body, 40)}, Question: q}
}
