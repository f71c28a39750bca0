package desk_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"deskbell/desk"
	"deskbell/roster"
)

func TestEditPerson(t *testing.T) {
	w := open(t, "")
	caller := func(id string, roles ...roster.Role) desk.Caller {
		return desk.Caller{Person: roster.Person{ID: id, Roles: roles}, Channel: "web"}
	}
	admin, manager, agent, ann := caller("x", roster.Admin), caller("m", roster.Manager), caller("bob", roster.Agent), caller("ann", roster.Requester)
	word, no, yes := func(s string) *string { return &s }, new(false), new(true)
	for _, p := range []roster.Person{{ID: "m", Name: "M", Roles: roster.Roles{roster.Manager}}, {ID: "x", Name: "X", Roles: roster.Roles{roster.Admin}}} {
		if _, err := w.desk.AddPerson(t.Context(), admin, p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.desk.AddPerson(t.Context(), manager, roster.Person{ID: "y", Name: "Y", Roles: roster.Roles{roster.Agent, roster.Admin}}); !errors.Is(err, desk.ErrNotAllowed) {
		t.Errorf("a manager makes an administrator: %v", err)
	}
	for _, c := range []struct {
		name    string
		by      desk.Caller
		id      string
		version int
		edit    desk.EntryEdit
		want    error
		field   string
	}{
		{"own place", ann, "ann", 0, desk.EntryEdit{Loc: word("room 7"), Prefers: word("im"), Language: word("de")}, nil, ""},
		{"own number", ann, "ann", 0, desk.EntryEdit{Phone: word("+4930123456")}, desk.ErrNotAllowed, ""},
		{"own role", agent, "bob", 0, desk.EntryEdit{Roles: roster.Roles{roster.Admin}}, desk.ErrNotAllowed, ""},
		{"another's place", ann, "bob", 0, desk.EntryEdit{Loc: word("x")}, desk.ErrNotFound, ""},
		{"own role of a manager", manager, "m", 0, desk.EntryEdit{Roles: roster.Roles{roster.Admin}}, desk.ErrNotAllowed, ""},
		{"an administrator's number", manager, "x", 0, desk.EntryEdit{Phone: word("+4930123456")}, desk.ErrNotAllowed, ""},
		{"an administrator", admin, "x", 0, desk.EntryEdit{Active: no}, nil, ""},
		{"an administrator who comes back", manager, "x", 0, desk.EntryEdit{Active: yes}, desk.ErrNotAllowed, ""},
		{"nobody", manager, "nobody", 0, desk.EntryEdit{Active: no}, desk.ErrNotFound, ""},
		{"another version", manager, "ann", 1, desk.EntryEdit{Loc: word("x")}, desk.ErrChanged, ""},
		{"this version", manager, "ann", 2, desk.EntryEdit{Loc: word("room 8")}, nil, ""},
		{"a number of somebody else's", manager, "ann", 0, desk.EntryEdit{Phone: word(phones["bob"])}, nil, "phone"},
		{"no number", manager, "ann", 0, desk.EntryEdit{Phone: word("0301234")}, nil, "phone"},
		{"no name", manager, "ann", 0, desk.EntryEdit{Name: word(" ")}, nil, "name"},
		{"no text", manager, "ann", 0, desk.EntryEdit{Loc: word("a\x00b")}, nil, "loc"},
		{"too much", manager, "ann", 0, desk.EntryEdit{Loc: word(strings.Repeat("x", 201))}, nil, "loc"},
	} {
		_, err := w.desk.EditPerson(t.Context(), c.by, c.id, c.version, c.edit)
		wrong, invalid := errors.AsType[*desk.InvalidError](err)
		if invalid != (c.field != "") || invalid && wrong.Field != c.field || !invalid && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if e, err := w.desk.Entry(t.Context(), "ann"); err != nil || e.Loc != "room 8" || e.Prefers != "im" || e.Version != 3 {
		t.Errorf("%+v %v", e, err)
	}

	// Who is deactivated is a stranger, is not asked and not called.
	n := w.submit("Printer")
	if _, err := w.desk.EditPerson(t.Context(), manager, "bob", 0, desk.EntryEdit{Active: no}); err != nil {
		t.Fatal(err)
	}
	if got := w.say("bob", "142"); !strings.HasPrefix(got, "unknown") {
		t.Errorf("bob is told %q", got)
	}
	w.offer(n, "eve")
	if got := w.say("eve", strconv.Itoa(n)); !strings.Contains(got, "is yours") {
		t.Errorf("eve is told %q", got)
	}
	agents, err := w.desk.Agents(t.Context())
	must(t, err)
	for _, a := range agents {
		if a.ID == "bob" {
			t.Error("bob is an agent still")
		}
	}
	if _, err := w.desk.StartSession(t.Context(), "bob"); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("bob signs in: %v", err)
	}
}

// What PostgreSQL cannot look for as text is the caller's mistake, at every door.
func TestNoText(t *testing.T) {
	w := open(t, "")
	for what, err := range map[string]error{
		"a NUL": w.desk.RemoveRotation(t.Context(), "it\x00", "primary", "bob"),
		"bytes": w.desk.RemoveFeed(t.Context(), "bob\xff"),
		"a search": func() error {
			_, _, err := w.desk.Directory(t.Context(), desk.DirectoryFilter{Words: "\x00"})
			return err
		}(),
	} {
		if _, invalid := errors.AsType[*desk.InvalidError](err); !invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}
