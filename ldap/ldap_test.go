package ldap

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deskbell/roster"
)

func TestOver(t *testing.T) {
	t.Parallel()
	ann := roster.Person{ID: "ann", Name: "Ann", Roles: roster.Roles{roster.Agent}, Phone: "+4930100", Loc: "room 7", Prefers: "im"}
	bob := roster.Person{ID: "bob", Name: "Bob", Roles: roster.Roles{roster.Manager}, Phone: "+493010200"}
	entry := func(id, name, phone string) Entry {
		return Entry{DN: "uid=" + id, Fields: map[string]string{"id": id, "name": name, "phone": phone}}
	}
	for _, c := range []struct {
		name    string
		entries []Entry
		want    []roster.Person
		wrong   []string // in the error, which then is all there is
	}{
		{"fields that were read are replaced, others stay", []Entry{entry("ann", "Ann Ode", "+4930123456")},
			[]roster.Person{{ID: "ann", Name: "Ann Ode", Roles: ann.Roles, Phone: "+4930123456", Loc: "room 7", Prefers: "im"}}, nil},
		{"who is new gets the role", []Entry{entry("zoe", "Zoe", "")}, []roster.Person{{ID: "zoe", Name: "Zoe", Roles: roster.Roles{roster.Requester}}}, nil},
		{"every wrong entry has its line", []Entry{entry("", "Nobody", ""), entry("Eve E", "Eve", ""), entry("max", "Max", "030 1"), entry("zoe", "Zoe", "")}, nil,
			[]string{"uid=: id", "uid=Eve E: id", "uid=max: phone"}},
		{"a number of somebody who is not in the directory", []Entry{entry("zoe", "Zoe", bob.Phone)}, nil, []string{"phone +493010200 is taken"}},
		{"one id twice", []Entry{entry("zoe", "Zoe", ""), entry("zoe", "Zoe Two", "")}, nil, []string{"id zoe is taken"}},
	} {
		got, err := Over([]roster.Person{ann, bob}, c.entries, roster.Requester)
		if (err != nil) != (c.wrong != nil) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, wrong := range c.wrong {
			if !strings.Contains(err.Error(), wrong) {
				t.Errorf("%s: %v does not say %q", c.name, err, wrong)
			}
		}
		if diff := cmp.Diff(c.want, got); c.wrong == nil && diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestTidy(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{{"phone", " +49 (0)30 / 123-456 ", "+4930123456"}, {"phone", "0049 30 123456", "+4930123456"}, {"phone", "030 123", "030123"},
		{"id", " AnnO ", "anno"}, {"jid", "Ann@Example.org", "ann@example.org"}, {"name", " Ann  Ode ", "Ann  Ode"}} {
		if got := tidy(c[0], c[1]); got != c[2] {
			t.Errorf("%s %q: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func TestReadRefusesWhatItCannotMap(t *testing.T) {
	t.Parallel()
	for _, attributes := range []map[string]string{nil, {"id": "uid"}, {"id": "uid", "name": "cn", "pin": "pin"}} {
		if _, err := (Source{URL: "ldap://127.0.0.1:1", Attributes: attributes}).Read(t.Context()); err == nil || strings.Contains(err.Error(), "reach") {
			t.Errorf("%v: %v", attributes, err)
		}
	}
}
