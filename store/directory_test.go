package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store"
)

// acts are what the audit knows of a person, the oldest first.
func acts(t *testing.T, s *store.Store, id string) (list []string) {
	t.Helper()
	found, _, err := s.Audit(t.Context(), store.AuditFilter{Subject: "person " + id})
	must(t, err)
	for _, a := range found {
		list = append([]string{strings.TrimSpace(a.Actor + " " + a.Channel + " " + a.Act + ": " + a.Detail)}, list...)
	}
	return list
}

func TestSaveEntries(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	by := store.Audit{Actor: "mia", Channel: "web"}
	save := func(changes ...store.EntryChange) error { return s.SaveEntries(t.Context(), changes, by) }
	zed := roster.Person{ID: "zed", Name: "Zed", Roles: roster.Roles{roster.Agent}, Phone: "+4930900", PIN: "4711", Password: "never kept"}
	must(t, save(store.EntryChange{Person: zed}))
	want := store.Entry{Person: zed, Version: 1, HasPIN: true}
	want.PIN, want.Password = "", ""
	bare := want.Person // hashing PINs takes time
	if diff := cmp.Diff(want, value(s.Entry(t.Context(), "zed"))(t)); diff != "" {
		t.Error(diff)
	}

	moved := ann
	moved.Phone, moved.Loc = dana.Phone, "room 7"
	swapped := dana
	swapped.Phone = ann.Phone
	for name, c := range map[string]struct {
		changes []store.EntryChange
		want    error
		taken   string
	}{
		"an id that is taken":         {[]store.EntryChange{{Person: bare}}, nil, "id"},
		"a number that is taken":      {[]store.EntryChange{{Person: moved, Version: 1}}, nil, "phone"},
		"a JID that is taken":         {[]store.EntryChange{{Person: roster.Person{ID: "new", Name: "N", Roles: roster.Roles{roster.Agent}, JID: ann.JID}}}, nil, "jid"},
		"nobody":                      {[]store.EntryChange{{Person: roster.Person{ID: "nobody", Name: "N"}, Version: 1}}, store.ErrNotFound, ""},
		"an older version":            {[]store.EntryChange{{Person: bare, Version: 2}}, store.ErrChanged, ""},
		"a good one beside a bad one": {[]store.EntryChange{{Person: roster.Person{ID: "dana", Name: "X", Roles: dana.Roles}, Version: 1}, {Person: bare, Version: 7}}, store.ErrChanged, ""},
	} {
		err := save(c.changes...)
		if taken, ok := errors.AsType[*store.TakenError](err); ok != (c.taken != "") || ok && taken.Field != c.taken || !ok && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := value(s.Person(t.Context(), "dana"))(t); got.Name != "Dana" {
		t.Errorf("half a change: %+v", got)
	}

	must(t, save(store.EntryChange{Person: moved, Version: 1}, store.EntryChange{Person: swapped, Version: 1})) // they swap numbers
	if e := value(s.Entry(t.Context(), "ann"))(t); e.Version != 2 || e.Phone != dana.Phone {
		t.Errorf("%+v", e)
	}
	must(t, save(store.EntryChange{Person: moved, Version: 2, KeepPIN: true})) // as it is
	zed.PIN = "4711"
	must(t, save(store.EntryChange{Person: zed, Version: 1})) // the same PIN
	zed.PIN = "1234"
	must(t, save(store.EntryChange{Person: zed, Version: 1}))
	zed.PIN = ""
	must(t, save(store.EntryChange{Person: zed, Version: 2, KeepPIN: true}))
	if !value(s.CheckPIN(t.Context(), "zed", "1234"))(t) {
		t.Error("the PIN is not kept")
	}
	must(t, save(store.EntryChange{Person: zed, Version: 2}))
	if diff := cmp.Diff([]string{"mia web person.created:", "mia web person.changed: pin", "mia web person.changed: pin"}, acts(t, s, "zed")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"cli person.created: by import", "mia web person.changed: phone loc"}, acts(t, s, "ann")); diff != "" {
		t.Error(diff)
	}
}

// Two who add the same person at once, or change one, do not undo each other.
func TestSaveEntriesAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	one := roster.Person{ID: "new", Name: "New", Roles: roster.Roles{roster.Agent}}
	for _, c := range []store.EntryChange{{Person: one}, {Person: roster.Person{ID: "ann", Name: "Anna", Roles: roster.Roles{roster.Requester}}, Version: 1}} {
		saved := make(chan error, 8)
		must(t, together(cap(saved), func(int) error {
			saved <- s.SaveEntries(t.Context(), []store.EntryChange{c}, store.Audit{Channel: "rest"})
			return nil
		}))
		won := 0
		for range cap(saved) {
			if err := <-saved; err == nil {
				won++
			} else if _, taken := errors.AsType[*store.TakenError](err); !taken && !errors.Is(err, store.ErrChanged) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%s: %d won", c.Person.ID, won)
		}
	}
}

func TestDeactivate(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	_, token, err := s.CreateToken(t.Context(), store.Token{Person: "dana"}, store.Audit{})
	must(t, err)
	session := value(s.CreateSession(t.Context(), "dana", "link"))(t)
	link := value(s.CreateLink(t.Context(), "dana", ""))(t)
	save := func(version int, inactive bool) {
		t.Helper()
		p := dana
		p.Inactive = inactive
		must(t, s.SaveEntries(t.Context(), []store.EntryChange{{Person: p, KeepPIN: true, Version: version}}, store.Audit{Channel: "rest"}))
	}
	save(1, true)
	for what, f := range map[string]func() error{
		"a token":   func() error { _, _, err := s.Token(t.Context(), token); return err },
		"a session": func() error { _, _, err := s.Session(t.Context(), session); return err },
		"a link":    func() error { _, _, err := s.UseLink(t.Context(), link); return err },
		"a number":  func() error { _, err := s.PersonAt(t.Context(), gateway.SMS, dana.Phone); return err },
		"a JID":     func() error { _, err := s.PersonAt(t.Context(), gateway.IM, dana.JID); return err },
	} {
		if err := f(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s of who is deactivated: %v", what, err)
		}
	}
	if list := value(s.Members(t.Context()))(t); len(list) != 0 {
		t.Errorf("works here: %v", list)
	}
	if p := value(s.Person(t.Context(), "dana"))(t); !p.Inactive || p.Name != "Dana" || p.Works() {
		t.Errorf("%+v", p)
	}
	must(t, s.Import(t.Context(), roster.File{People: []roster.Person{dana}})) // brings nobody back
	save(2, false)
	if got := value(s.PersonAt(t.Context(), gateway.SMS, dana.Phone))(t); got.ID != "dana" {
		t.Errorf("back: %+v", got)
	}
	if person, _, err := s.Token(t.Context(), token); err != nil || person != "dana" {
		t.Errorf("the token of who is back: %q %v", person, err)
	}
	if _, _, err := s.Session(t.Context(), session); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session survived: %v", err)
	}
	if diff := cmp.Diff([]string{"cli person.created: by import", "dana web session.started: by link", "rest person.deactivated:", "rest person.activated:"}, acts(t, s, "dana")); diff != "" {
		t.Error(diff)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var file roster.File
	for i := range 7 {
		file.People = append(file.People, roster.Person{ID: fmt.Sprintf("p%d", i), Name: fmt.Sprintf("Person %d", i), Roles: roster.Roles{[]roster.Role{roster.Agent, roster.Requester}[i%2]},
			Phone: fmt.Sprintf("+493010000%d", i), Group: []string{"it", "hr", "it"}[i%3]})
	}
	must(t, s.Import(t.Context(), file))
	gone := file.People[2]
	gone.Inactive = true
	must(t, s.SaveEntries(t.Context(), []store.EntryChange{{Person: gone, Version: 1}}, store.Audit{}))
	for _, c := range []struct {
		filter store.DirectoryFilter
		want   string
	}{
		{store.DirectoryFilter{}, "p0 p1 p3 p4 p5 p6"},
		{store.DirectoryFilter{Inactive: true}, "p0 p1 p2 p3 p4 p5 p6"},
		{store.DirectoryFilter{Role: roster.Agent}, "p0 p4 p6"},
		{store.DirectoryFilter{Group: "hr"}, "p1 p4"},
		{store.DirectoryFilter{Words: "PERSON 5"}, "p5"},
		{store.DirectoryFilter{Words: "+4930100003"}, "p3"},
		{store.DirectoryFilter{Words: "%"}, ""},
	} {
		for limit := range 4 {
			var got []string
			for f := c.filter; ; {
				f.Limit = limit
				list, next, err := s.Directory(t.Context(), f)
				must(t, err)
				for _, e := range list {
					got = append(got, e.ID)
				}
				if f.Cursor = next; next == "" {
					break
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%+v by %d: %v, want %s", c.filter, limit, got, c.want)
			}
		}
	}
	for _, cursor := range []string{"x", "1", "x.ann", "1.", "99999999999999999999.a"} {
		if _, _, err := s.Directory(t.Context(), store.DirectoryFilter{Cursor: cursor}); !errors.Is(err, store.ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}

// A start imports its file again only when the file changed: what was changed here stays.
func TestImportOnce(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	file := roster.File{People: []roster.Person{dana, ann}, Rota: []roster.Rotation{{Name: "a", Start: noon, Every: "week", People: []string{"dana"}}}}
	must(t, s.ImportOnce(t.Context(), file))
	moved := ann
	moved.Loc = "room 9"
	must(t, s.SaveEntries(t.Context(), []store.EntryChange{{Person: moved, Version: 1}}, store.Audit{Actor: "ann"}))
	clk.pass(time.Hour)
	must(t, s.ImportOnce(t.Context(), file))
	if got := value(s.Person(t.Context(), "ann"))(t); got.Loc != "room 9" {
		t.Errorf("the same file undid a change: %+v", got)
	}
	file.People[0].PIN = "4711"
	must(t, s.ImportOnce(t.Context(), file))
	if got := value(s.Person(t.Context(), "ann"))(t); got.Loc != "" || !value(s.HasPIN(t.Context(), "dana"))(t) {
		t.Errorf("another file was not imported: %+v", got)
	}
}
