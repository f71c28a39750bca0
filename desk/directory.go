package desk

import (
	"context"
	"errors"

	"deskbell/roster"
	"deskbell/store"
)

// Entry is somebody as the directory has them; DirectoryFilter selects some.
type (
	Entry           = store.Entry
	DirectoryFilter = store.DirectoryFilter
)

// EntryEdit is what to change about somebody; what is nil stays. An empty text takes
// the field away.
type EntryEdit struct {
	Name, Phone, JID, Language, Loc, Group, Prefers, PIN *string
	Roles                                                roster.Roles
	Active                                               *bool
}

// own tells whether an edit changes only what is anybody's own to say.
func (e EntryEdit) own() bool {
	return e.Name == nil && e.Phone == nil && e.JID == nil && e.Group == nil && e.PIN == nil && e.Roles == nil && e.Active == nil
}

// Directory returns a page of people in their order, and the next page's cursor.
func (d *Desk) Directory(ctx context.Context, f DirectoryFilter) (list []Entry, next string, err error) {
	list, next, err = d.Store.Directory(ctx, f)
	return list, next, outside(err)
}

// Entry returns somebody as the directory has them; ErrNotFound if there is nobody
// with this id.
func (d *Desk) Entry(ctx context.Context, id string) (Entry, error) {
	e, err := d.Store.Entry(ctx, id)
	return e, outside(err)
}

// AddPerson adds somebody at a manager's word. An *InvalidError says what is wrong,
// ErrNotAllowed that only an administrator makes an administrator.
func (d *Desk) AddPerson(ctx context.Context, by Caller, p roster.Person) (Entry, error) {
	if !mayHave(by, p) {
		return Entry{}, ErrNotAllowed
	}
	return d.saveEntry(ctx, by, store.EntryChange{Person: p})
}

// entryTries is how often an edit that names no version is tried: it meets another one
// once in a while, and that one is over soon.
const entryTries = 3

// EditPerson changes somebody at a manager's word, or, in what is theirs to say, their
// own: language, place and how they are told. ErrChanged unless the entry is in the
// version that was seen; 0 holds for every one. An *InvalidError says what is wrong,
// ErrNotFound that there is nobody with this id, or that it is not the caller's,
// ErrNotAllowed that it is for a manager to change, or of an administrator for an
// administrator.
//
// Who is deactivated is signed out, their tokens do nothing, and they are asked nothing
// any more; rotations that have them show a hole, and their tickets stay theirs until
// the lease ends or somebody takes over.
func (d *Desk) EditPerson(ctx context.Context, by Caller, id string, version int, e EntryEdit) (Entry, error) {
	switch {
	case !by.May(AsManager) && by.Person.ID != id:
		return Entry{}, ErrNotFound
	case !by.May(AsManager) && !e.own():
		return Entry{}, ErrNotAllowed
	}
	for try := 1; ; try++ {
		was, err := d.Entry(ctx, id)
		if err != nil {
			return Entry{}, err
		}
		if version != 0 && version != was.Version {
			return Entry{}, ErrChanged
		}
		p := was.Person
		for to, from := range map[*string]*string{&p.Name: e.Name, &p.Phone: e.Phone, &p.JID: e.JID, &p.Language: e.Language, &p.Loc: e.Loc,
			&p.Group: e.Group, &p.Prefers: e.Prefers, &p.PIN: e.PIN} {
			if from != nil {
				*to = *from
			}
		}
		if e.Roles != nil {
			p.Roles = e.Roles
		}
		if e.Active != nil {
			p.Inactive = !*e.Active
		}
		if !e.own() && !(mayHave(by, was.Person) && mayHave(by, p)) {
			return Entry{}, ErrNotAllowed
		}
		now, err := d.saveEntry(ctx, by, store.EntryChange{Person: p, KeepPIN: e.PIN == nil, Version: was.Version})
		if version != 0 || try == entryTries || !errors.Is(err, ErrChanged) {
			return now, err
		}
	}
}

// mayHave tells whether somebody may be made, or changed, by a caller: nobody gives
// more than they have, or takes it from who has more.
func mayHave(by Caller, p roster.Person) bool {
	p.Inactive = false // they may come back
	return by.May(access(p))
}

func (d *Desk) saveEntry(ctx context.Context, by Caller, c store.EntryChange) (Entry, error) {
	if field, problem := c.Person.Problem(); field != "" {
		return Entry{}, &InvalidError{field, problem}
	}
	if err := d.Store.SaveEntries(ctx, []store.EntryChange{c}, Audit{Actor: by.Person.ID, Channel: by.Channel}); err != nil {
		return Entry{}, outside(err)
	}
	d.watchers.tell(Change{Kind: "agent"})
	return d.Entry(ctx, c.Person.ID)
}
