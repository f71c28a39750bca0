package desk

import (
	"context"
	"fmt"
	"time"

	"deskbell/roster"
)

// overridesShown bounds the history of overrides: some years of a small desk.
const overridesShown = 500

// AddOverride has one person stand in for another, at the word of a manager. An
// *InvalidError says what is wrong with it.
func (d *Desk) AddOverride(ctx context.Context, o roster.Override, by string) (roster.RecordedOverride, error) {
	none := roster.RecordedOverride{}
	people, err := d.Store.People(ctx)
	if err != nil {
		return none, outside(err)
	}
	rota, _, err := d.Store.Rota(ctx)
	if err != nil {
		return none, outside(err)
	}
	if field, problem := o.Problem(people, rota, d.Clock.Now()); field != "" {
		return none, &InvalidError{field, problem}
	}
	r, added, err := d.Store.AddOverride(ctx, o, by)
	if err != nil {
		return none, outside(err)
	}
	if !added {
		return none, &InvalidError{"from", fmt.Sprintf("%s stands in for %s from %s until %s already: remove override %d first",
			r.Person, r.Instead, r.From.Format(time.RFC3339), r.Until.Format(time.RFC3339), r.ID)}
	}
	return r, nil
}

// RemoveOverride ends an override; ErrNotFound when it does not count, or no more.
func (d *Desk) RemoveOverride(ctx context.Context, id int64, by string) (roster.RecordedOverride, error) {
	r, err := d.Store.RemoveOverride(ctx, id, by)
	return r, outside(err)
}

// Overrides returns who stood, stands and will stand in for whom, and who said so;
// removed ones too, the last added first.
func (d *Desk) Overrides(ctx context.Context) ([]roster.RecordedOverride, error) {
	list, err := d.Store.OverrideHistory(ctx, overridesShown)
	return list, outside(err)
}
