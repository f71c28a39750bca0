package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"deskbell/roster"
	"deskbell/store/internal/db"
)

// ErrChanged says that an entry is not as it was seen.
var ErrChanged = errors.New("changed meanwhile")

// TakenError says that somebody else has an id, a number or a JID.
type TakenError struct{ Field string }

func (e *TakenError) Error() string { return e.Field + " is taken" }

// Entry is somebody as the directory has them, without PIN and password.
type Entry struct {
	roster.Person
	Version int // grows with every change of the entry
	HasPIN  bool
	Source  string // the directory elsewhere that they came from; empty for none
}

func entry(row db.Person) Entry {
	return Entry{person(row), row.Version, row.PinHash != "", row.Source}
}

// Entries returns everybody, who is deactivated too, in the order of the people file.
func (s *Store) Entries(ctx context.Context) ([]Entry, error) {
	rows, err := s.q.People(ctx)
	if err != nil {
		return nil, fail("directory", err)
	}
	list := make([]Entry, len(rows))
	for i, row := range rows {
		list[i] = entry(row)
	}
	return list, nil
}

// Entry returns one entry, or ErrNotFound.
func (s *Store) Entry(ctx context.Context, id string) (Entry, error) {
	row, err := s.row(ctx, id)
	return entry(row), err
}

// DirectoryFilter selects entries; zero fields select everybody who is active.
type DirectoryFilter struct {
	Role     roster.Role
	Group    string
	Words    string // a part of the id, name, number or JID
	Inactive bool   // who is deactivated too
	Cursor   string // from the previous page
	Limit    int    // 50 when zero, 200 at most
}

// Directory returns entries in the order of the people file, and the cursor of the
// next page, empty on the last. ErrCursor for a cursor that is none of ours.
func (s *Store) Directory(ctx context.Context, f DirectoryFilter) (list []Entry, next string, err error) {
	limit := pageSize(f.Limit)
	p := db.DirectoryParams{Role: string(f.Role), Grp: f.Group, Words: f.Words, Inactive: f.Inactive, Max: limit + 1}
	if f.Cursor != "" {
		position, id, _ := strings.Cut(f.Cursor, ".")
		if p.AfterPosition, err = strconv.Atoi(position); err != nil || id == "" {
			return nil, "", ErrCursor
		}
		p.AfterID = id
	}
	rows, err := s.q.Directory(ctx, p)
	if err != nil {
		return nil, "", fail("directory", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = fmt.Sprintf("%d.%s", rows[limit-1].Position, rows[limit-1].ID)
	}
	for _, row := range rows {
		list = append(list, entry(row))
	}
	return list, next, nil
}

// AnyVersion is the Version of an EntryChange that holds for every version, and for
// who is new.
const AnyVersion = -1

// EntryChange is what an entry is to become.
type EntryChange struct {
	Person  roster.Person // its password is not kept, of its PIN only a hash
	KeepPIN bool          // the PIN stays as it is, whatever Person says
	Version int           // that was seen; 0 for who is new
	Source  string        // where they come from; as it is when empty
}

// SaveEntries writes all changes, or none. Each that changes something is in the audit
// as by's. Who becomes inactive is signed out, and links to sign in with that were sent
// to another address are ended. ErrChanged when an entry is not in the version that was
// seen, ErrNotFound when there is none, *TakenError for what somebody else has.
func (s *Store) SaveEntries(ctx context.Context, changes []EntryChange, by Audit) error {
	pins, err := s.hashPINs(ctx, changes)
	if err != nil {
		return fail("save people", err)
	}
	return taken(s.tx(ctx, "save people", func(q *db.Queries) error {
		return s.saveEntries(ctx, q, changes, pins, by)
	}))
}

// Import writes a people file, in one transaction. It overwrites what the file
// names and removes nothing; people whom it does not name come after those it
// names. Who is deactivated stays so. Passwords are not kept, of a PIN only a hash.
func (s *Store) Import(ctx context.Context, f roster.File) error {
	changes, err := s.imported(ctx, f.People)
	if err != nil {
		return err
	}
	pins, err := s.hashPINs(ctx, changes)
	if err != nil {
		return fail("import people", err)
	}
	return taken(s.tx(ctx, "import people", func(q *db.Queries) error {
		if err := s.saveEntries(ctx, q, changes, pins, Audit{Channel: "cli", Detail: "by import"}); err != nil {
			return err
		}
		if err := q.OrderPeople(ctx, idsOf(changes)); err != nil {
			return err
		}
		if len(f.Rota) > 0 {
			if err := q.LockRota(ctx); err != nil {
				return err
			}
		}
		for i, r := range f.Rota {
			if _, err := s.noteChange(ctx, q, r.Group, r.Name, "", &r); err != nil {
				return err
			}
			row, err := rotationRow(r)
			if err != nil {
				return err
			}
			err = q.ImportRotation(ctx, db.ImportRotationParams{Grp: row.Grp, Name: row.Name, Position: i + 1, Zone: row.Zone,
				Start: row.Start, Every: row.Every, People: row.People, Shifts: row.Shifts})
			if err != nil {
				return err
			}
		}
		return agentsChanged(ctx, q, 1)
	}))
}

func (s *Store) imported(ctx context.Context, people []roster.Person) ([]EntryChange, error) {
	changes := make([]EntryChange, len(people))
	for i, p := range people {
		changes[i] = EntryChange{Person: p, Version: AnyVersion}
	}
	known, err := s.PeopleByID(ctx, idsOf(changes))
	for i := range changes {
		changes[i].Person.Inactive = known[changes[i].Person.ID].Inactive
	}
	return changes, err
}

// ImportOnce imports a people file unless it is the one that ImportOnce imported last:
// what was changed since then stays.
func (s *Store) ImportOnce(ctx context.Context, f roster.File) error {
	content, err := json.Marshal(f)
	if err != nil {
		return err
	}
	last, err := s.q.PeopleFile(ctx)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fail("people file", err)
	}
	if same, err := matchPIN(last, string(content)); same || err != nil {
		return fail("people file", err)
	}
	hash, err := hashPIN(string(content))
	if err != nil {
		return fail("people file", err)
	}
	if err := s.Import(ctx, f); err != nil {
		return err
	}
	return fail("people file", s.q.SetPeopleFile(ctx, hash))
}

func idsOf(changes []EntryChange) []string {
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.Person.ID
	}
	return ids
}

// hashPINs returns the hash of each change's PIN, which takes too long to do while
// anybody waits for a lock. A PIN that stays the same keeps its hash.
func (s *Store) hashPINs(ctx context.Context, changes []EntryChange) ([]string, error) {
	rows, err := s.q.PeopleByID(ctx, idsOf(changes))
	if err != nil {
		return nil, err
	}
	before := map[string]string{}
	for _, row := range rows {
		before[row.ID] = row.PinHash
	}
	pins := make([]string, len(changes))
	for i, c := range changes {
		same, err := matchPIN(before[c.Person.ID], c.Person.PIN)
		if err != nil {
			return nil, err
		}
		if pins[i] = before[c.Person.ID]; same || c.KeepPIN {
			continue
		}
		if pins[i], err = hashPIN(c.Person.PIN); err != nil {
			return nil, err
		}
	}
	return pins, nil
}

func (s *Store) saveEntries(ctx context.Context, q *db.Queries, changes []EntryChange, pins []string, by Audit) error {
	rows, err := q.LockedPeople(ctx, idsOf(changes))
	if err != nil {
		return err
	}
	before := map[string]*db.Person{}
	for _, row := range rows {
		before[row.ID] = &row
	}
	changed := int64(0)
	for i, c := range changes {
		wrote, err := s.saveEntry(ctx, q, before[c.Person.ID], c, pins[i], by)
		if err != nil {
			return err
		}
		if wrote {
			changed++
		}
	}
	return agentsChanged(ctx, q, changed)
}

// saveEntry writes one change; before is nil for who is new.
func (s *Store) saveEntry(ctx context.Context, q *db.Queries, before *db.Person, c EntryChange, pin string, by Audit) (wrote bool, err error) {
	p, was, version := c.Person, roster.Person{}, 0
	row := db.WritePersonParams{ID: p.ID, Name: p.Name, Phone: optional(p.Phone), Jid: optional(p.JID), Language: p.Language, Loc: p.Loc,
		Grp: p.Group, Prefers: p.Prefers, PinHash: pin, Source: c.Source}
	for _, role := range p.Roles {
		row.Roles = append(row.Roles, string(role))
	}
	if p.Inactive {
		row.DeactivatedAt = new(s.now())
	}
	var fields []string
	if before != nil {
		was, version = person(*before), before.Version
		if p.Inactive && was.Inactive {
			row.DeactivatedAt = before.DeactivatedAt
		}
		for _, d := range differences(was, p) {
			fields = append(fields, d.field)
		}
		if pin != before.PinHash {
			fields = append(fields, "pin")
		}
		if row.Source = cmp.Or(c.Source, before.Source); row.Source != before.Source {
			fields = append(fields, "source")
		}
	}
	switch {
	case c.Version == 0 && before != nil:
		return false, &TakenError{"id"}
	case c.Version > 0 && before == nil:
		return false, pgx.ErrNoRows
	case c.Version > 0 && c.Version != version:
		return false, ErrChanged
	case before != nil && len(fields) == 0 && p.Inactive == was.Inactive:
		return false, nil
	}
	now, err := q.WritePerson(ctx, row)
	if err != nil {
		return false, err
	}
	if now != version+1 { // somebody else added them meanwhile
		return false, &TakenError{"id"}
	}
	if p.Inactive && !was.Inactive {
		err = q.EndSessionsOf(ctx, p.ID)
	}
	if p.Inactive || p.Phone != was.Phone || p.JID != was.JID {
		err = errors.Join(err, q.EndLinksOf(ctx, p.ID))
	}
	by.Subject, by.Detail = "person "+p.ID, strings.TrimSpace(strings.Join(fields, " ")+" "+by.Detail)
	switch {
	case before == nil:
		by.Act = "person.created"
	case p.Inactive && !was.Inactive:
		by.Act = "person.deactivated"
	case was.Inactive && !p.Inactive:
		by.Act = "person.activated"
	default:
		by.Act = "person.changed"
	}
	return true, errors.Join(err, s.note(ctx, q, by))
}

// difference is a field, as files name it, in which two people differ.
type difference struct{ field, before, after string }

func differences(a, b roster.Person) (list []difference) {
	for _, d := range []difference{
		{"name", a.Name, b.Name}, {"role", fmt.Sprint(a.Roles), fmt.Sprint(b.Roles)}, {"phone", a.Phone, b.Phone}, {"jid", a.JID, b.JID},
		{"language", a.Language, b.Language}, {"loc", a.Loc, b.Loc}, {"group", a.Group, b.Group}, {"prefers", a.Prefers, b.Prefers},
	} {
		if d.before != d.after {
			list = append(list, d)
		}
	}
	return list
}

// Differences says in words what a person has otherwise than the entry, PIN and
// activity aside.
func (e Entry) Differences(p roster.Person) (words []string) {
	for _, d := range differences(e.Person, p) {
		words = append(words, fmt.Sprintf("%s %q -> %q", d.field, d.before, d.after))
	}
	return words
}

const uniqueViolation = "23505"

// taken names what somebody else has; it shows when the transaction ends.
func taken(err error) error {
	if no, ok := errors.AsType[*pgconn.PgError](err); ok && no.Code == uniqueViolation {
		if field := uniqueFields[no.ConstraintName]; field != "" {
			return &TakenError{field}
		}
	}
	return err
}

// uniqueFields are the fields of people by the constraints that keep them unique.
var uniqueFields = map[string]string{"people_phone_key": "phone", "people_jid_key": "jid"}
