package desk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"deskbell/roster"
)

// What is shown of the history of the rota: some years of a small desk.
const (
	overridesShown = 500
	changesShown   = 500
)

// Rotations returns the rotations in their order.
func (d *Desk) Rotations(ctx context.Context) ([]roster.Rotation, error) {
	rota, _, err := d.Store.Rota(ctx)
	return rota, outside(err)
}

// SetRotation keeps a rotation, in place of the one with its group and name if
// there is one, at the word of a manager. An *InvalidError says what is wrong.
func (d *Desk) SetRotation(ctx context.Context, r roster.Rotation, by string) error {
	people, err := d.Store.People(ctx)
	if err != nil {
		return outside(err)
	}
	if field, problem := r.Problem(people); field != "" {
		return &InvalidError{field, problem}
	}
	return outside(d.Store.SetRotation(ctx, r, by))
}

// RemoveRotation ends a rotation; ErrNotFound when there is none.
func (d *Desk) RemoveRotation(ctx context.Context, group, name, by string) error {
	return outside(d.Store.RemoveRotation(ctx, group, name, by))
}

// RotaHistory returns what changed in the rotations and who did it, the last first.
func (d *Desk) RotaHistory(ctx context.Context) ([]roster.Change, error) {
	list, err := d.Store.RotaHistory(ctx, changesShown)
	return list, outside(err)
}

// Feed returns the address of a person's shifts for a calendar, a path below URL;
// it is made when there is none.
func (d *Desk) Feed(ctx context.Context, id string) (string, error) {
	p, err := d.Store.Person(ctx, id)
	if err != nil {
		return "", outside(err)
	}
	if !p.Works() {
		return "", &InvalidError{"person", fmt.Sprintf("%q works on no tickets and has no shifts", id)}
	}
	token, err := d.Store.Feed(ctx, id, rand.Text())
	return d.URL + "/feeds/" + token + ".ics", outside(err)
}

// RemoveFeed ends a feed: its address shows nothing any more. ErrNotFound when there
// is none.
func (d *Desk) RemoveFeed(ctx context.Context, id string) error {
	return outside(d.Store.RemoveFeed(ctx, id))
}

// What a feed shows: the month behind, for whoever writes down hours, and a quarter
// ahead, which people plan for.
const (
	feedBehind = 30
	feedAhead  = 90
)

// FeedCalendar returns the shifts of a feed's person as iCalendar, and a version
// that changes with them; ErrNotFound for a token that is none, or none any more.
func (d *Desk) FeedCalendar(ctx context.Context, token string) (calendar, version string, err error) {
	id, err := d.Store.FeedPerson(ctx, token)
	if err != nil {
		return "", "", outside(err)
	}
	rota, overrides, err := d.Store.Rota(ctx)
	if err != nil {
		return "", "", outside(err)
	}
	now := d.Clock.Now()
	today := now.UTC().Truncate(24 * time.Hour) // so that the version holds for a day
	shifts := roster.Shifts(rota, overrides, nil, today.AddDate(0, 0, -feedBehind), today.AddDate(0, 0, feedAhead))
	shifts = slices.DeleteFunc(shifts, func(s roster.Shift) bool { return s.Person != id })
	sum := sha256.Sum256([]byte(roster.Calendar(shifts, time.Time{})))
	return roster.Calendar(shifts, now), hex.EncodeToString(sum[:16]), nil
}

// AddOverride has one person stand in for another, at the word of a manager. An
// *InvalidError says what is wrong with it.
func (d *Desk) AddOverride(ctx context.Context, o roster.Override, by string) (roster.RecordedOverride, error) {
	none := roster.RecordedOverride{}
	people, err := d.Store.People(ctx)
	if err != nil {
		return none, outside(err)
	}
	rota, overrides, err := d.Store.Rota(ctx)
	if err != nil {
		return none, outside(err)
	}
	if field, problem := o.Problem(people, rota, overrides, d.Clock.Now()); field != "" {
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
