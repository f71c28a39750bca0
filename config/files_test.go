package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/roster"
	"deskbell/ticket"
)

const peopleYAML = `# the demo desk
people:
  - {id: ann, name: Ann Lee, role: requester, phone: +4930123456, loc: room 312, prefers: im, jid: ann@example.org}
  - id: bob
    name: Bob
    role: [agent, oncall]
    phone: "+4930123457"
    pin: 0042
rota:
  - {group: it, name: primary, zone: Europe/Berlin, start: 2026-01-05T08:00:00+01:00, every: week, people: [bob]}
`

const peopleJSON = `{"people": [
  {"id": "ann", "name": "Ann Lee", "role": "requester", "phone": "+4930123456", "loc": "room 312", "prefers": "im", "jid": "ann@example.org"},
  {"id": "bob", "name": "Bob", "role": ["agent", "oncall"], "phone": "+4930123457", "pin": "0042"}],
 "rota": [{"group": "it", "name": "primary", "zone": "Europe/Berlin", "start": "2026-01-05T08:00:00+01:00", "every": "week", "people": ["bob"]}]}`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPeople(t *testing.T) {
	t.Parallel()
	want := roster.File{
		People: []roster.Person{
			{ID: "ann", Name: "Ann Lee", Roles: roster.Roles{roster.Requester}, Phone: "+4930123456", Loc: "room 312", Prefers: "im", JID: "ann@example.org"},
			{ID: "bob", Name: "Bob", Roles: roster.Roles{roster.Agent, roster.OnCallee}, Phone: "+4930123457", PIN: "0042"},
		},
		Rota: []roster.Rotation{{
			Group: "it", Name: "primary", Zone: "Europe/Berlin", Every: "week", People: []string{"bob"},
			Start: time.Date(2026, 1, 5, 7, 0, 0, 0, time.UTC),
		}},
	}
	for name, text := range map[string]string{"YAML": peopleYAML, "JSON": peopleJSON} {
		got, err := People(write(t, text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	emoji, err := People(write(t, `{"people": [{"id": "a", "name": "\ud83d\ude00", "role": "agent"}]}`))
	if err != nil || emoji.People[0].Name != "😀" {
		t.Errorf("an escaped emoji: %+v, %v", emoji, err)
	}
	if empty, err := People(write(t, "")); err != nil || len(empty.People) != 0 {
		t.Errorf("an empty file: %+v, %v", empty, err)
	}
}

func TestPeopleRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"not YAML":           {"people: [", "yaml: line 1"},
		"a list":             {"- ann", "want {people: [...], rota: [...]}"},
		"a JSON list":        {"[]", "want {people: [...], rota: [...]}"},
		"a word":             {"people: ann", "line 1: people: want a list"},
		"a JSON word":        {`{"people": "ann"}`, "want {people: [...], rota: [...]}"},
		"unknown section":    {"people: []\npersons: []", "line 2: persons: no such key: use people, rota"},
		"unknown in JSON":    {`{"persons": []}`, "persons: no such key: use people, rota"},
		"unknown key":        {"people:\n  - {id: a, name: A, role: agent}\n  - {id: b, fone: 1}", `line 3: unknown field "fone" (the keys are id, name, role, phone, jid`},
		"unknown key, JSON":  {`{"people": [{"id": "a", "fone": "1"}]}`, `people, entry 1: unknown field "fone"`},
		"a key twice":        {"people:\n  - id: a\n    id: b", "line 3: id is given twice"},
		"a list for a name":  {"people: [{id: a, name: [x]}]", "line 1: name: unexpected array"},
		"a role's mapping":   {"people: [{id: a, role: {x: y}}]", "line 1: role: want a word or a list of words"},
		"a date for a time":  {"rota: [{name: x, start: 2026-01-05}]", "line 1: 2026-01-05: write a time as 2026-01-05T08:00:00+01:00"},
		"an endless anchor":  {"people: [&a {id: x, group: [*a]}]", "nested too deeply"},
		"what roster checks": {"people: [{id: Ann, name: Ann, role: agent}]", `Ann: id "Ann": use lower-case letters`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, tt.text)
			_, err := People(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), path+": ") {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := People("/nowhere"); err == nil {
		t.Error("no error without a file")
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	builtIn, err := Policy("")
	if err != nil || builtIn.For(ticket.P1).Wave.Size != 3 {
		t.Errorf("built in: %v", err)
	}
	path := write(t, "priorities: {P1: {wave: {size: 9}}}")
	if p, err := Policy(path); err != nil || p.For(ticket.P1).Wave.Size != 9 {
		t.Errorf("%+v, %v", p, err)
	}
	path = write(t, "hurry: true")
	if _, err := Policy(path); err == nil || !strings.HasPrefix(err.Error(), path+": read policy: line 1: hurry: no such key") {
		t.Errorf("got %v", err)
	}
	if _, err := Policy("/nowhere"); err == nil {
		t.Error("no error without a file")
	}
}
