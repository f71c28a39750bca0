package roster

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// File is what a people file holds.
type File struct {
	People []Person   `json:"people"`
	Rota   []Rotation `json:"rota,omitempty"`
}

var (
	idPattern = regexp.MustCompile(`^[a-z0-9-]+$`)
	// E.164: a country code and at most 15 digits in all. The shortest numbers in
	// use have 7.
	phonePattern    = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	jidPattern      = regexp.MustCompile(`^[^@/\s"&'<>:]+@[^@/\s]+$`)
	languagePattern = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$`)
	pinPattern      = regexp.MustCompile(`^[0-9]{4,8}$`)
)

// IsBareJID tells whether s is an address at an XMPP server without a resource,
// in lower case.
func IsBareJID(s string) bool { return jidPattern.MatchString(s) && s == strings.ToLower(s) }

// Validate returns every problem of the file, one per line, each with the entry
// and what to do about it.
func (f File) Validate() error {
	var errs []error
	seen := map[string]string{} // what must be unique -> the entry that has it
	unique := func(entry, what, value string) {
		if value == "" {
			return
		}
		if first, taken := seen[what+value]; taken {
			errs = append(errs, fmt.Errorf("%s: %s %s is taken by %s: use another", entry, what, value, first))
			return
		}
		seen[what+value] = entry
	}
	for i, p := range f.People {
		entry := p.ID
		if entry == "" {
			entry = fmt.Sprintf("person %d", i+1)
		}
		for _, m := range p.mistakes() {
			errs = append(errs, fmt.Errorf("%s: %s", entry, m.what))
		}
		unique(entry, "id", p.ID)
		unique(entry, "phone", p.Phone)
		unique(entry, "jid", p.JID)
	}
	for i, r := range f.Rota {
		entry := fmt.Sprintf("rota %q", r.Name)
		if r.Name == "" {
			entry = fmt.Sprintf("rota %d", i+1)
		}
		for _, m := range r.mistakes(f.People) {
			errs = append(errs, fmt.Errorf("%s: %s", entry, m.what))
		}
		if r.Name != "" {
			unique(entry, fmt.Sprintf("the name in group %q", r.Group), r.Name)
		}
	}
	return errors.Join(errs...)
}

// Problem returns the first field of a person that is wrong, and what to write
// there; both are empty when it is right.
func (p Person) Problem() (field, problem string) { return first(p.mistakes()) }

func (p Person) mistakes() []mistake {
	var out []mistake
	// An optional value is checked when it is there.
	check := func(field string, ok bool, format string, args ...any) {
		if !ok {
			out = append(out, mistake{field, fmt.Sprintf(format, args...)})
		}
	}
	check("id", idPattern.MatchString(p.ID), "id %q: use lower-case letters, digits and hyphens", p.ID)
	check("name", strings.TrimSpace(p.Name) != "", "name is missing: say what people call them")
	for _, f := range [][2]string{{"id", p.ID}, {"name", p.Name}, {"jid", p.JID}, {"loc", p.Loc}, {"group", p.Group}} {
		check(f[0], len(f[1]) <= maxField, "%s: use at most %d bytes", f[0], maxField)
		check(f[0], utf8.ValidString(f[1]) && !strings.ContainsRune(f[1], 0), "%s: use text, without NUL characters", f[0])
	}
	check("role", len(p.Roles) > 0, "role is missing: use %s", rolesInWords)
	for _, role := range p.Roles {
		check("role", slices.Contains(allRoles(), role), "role %q: use %s", role, rolesInWords)
	}
	check("phone", p.Phone == "" || phonePattern.MatchString(p.Phone),
		"phone %q: write it as + and the country code, digits only, such as +4930123456", p.Phone)
	check("jid", p.JID == "" || IsBareJID(p.JID),
		"jid %q: write it in lower case without a resource, such as ann@example.org", p.JID)
	check("language", p.Language == "" || languagePattern.MatchString(p.Language), "language %q: use a code such as en or de", p.Language)
	check("prefers", slices.Contains([]string{"", ViaSMS, ViaIM, "none"}, p.Prefers), "prefers %q: use sms, im or none", p.Prefers)
	check("pin", p.PIN == "" || pinPattern.MatchString(p.PIN), "pin: use 4 to 8 digits")
	return out
}

// maxField is the most that a field may have, in bytes: more than any name, and it is
// part of texts that cost money.
const maxField = 200

const rolesInWords = "requester, agent, oncall, manager or admin"

func allRoles() []Role { return []Role{Requester, Agent, OnCallee, Manager, Admin} }

// Problem returns the first field of a rotation that is wrong, and what to write
// there; both are empty when it is right.
func (r Rotation) Problem(people []Person) (field, problem string) {
	return first(r.mistakes(people))
}

// mistake is a field of an entry and what to write there.
type mistake struct{ field, what string }

func first(list []mistake) (field, what string) {
	if len(list) == 0 {
		return "", ""
	}
	return list[0].field, list[0].what
}

func (r Rotation) mistakes(people []Person) []mistake {
	var out []mistake
	add := func(field, format string, args ...any) {
		out = append(out, mistake{field, fmt.Sprintf(format, args...)})
	}
	if strings.TrimSpace(r.Name) == "" {
		add("name", "name is missing: give it one")
	}
	// "Local" would mean another zone on every machine.
	if _, err := time.LoadLocation(r.Zone); err != nil || r.Zone == "Local" {
		add("zone", "zone %q is not known: use a name such as Europe/Berlin", r.Zone)
	}
	if len(r.Shifts) > 0 {
		r.planMistakes(add)
	} else {
		if _, err := parseCadence(r.Every); err != nil {
			add("every", "%v", err)
		}
		if r.Start.IsZero() {
			add("start", "start is missing: give the first hand-over, such as 2026-01-05T08:00:00+01:00")
		}
		if len(r.People) == 0 {
			add("people", "people is empty: name the ids that take turns")
		}
	}
	for _, id := range r.Members() {
		switch i := slices.IndexFunc(people, func(p Person) bool { return p.ID == id }); {
		case i < 0:
			add("people", "%q is nobody in people: add them or correct the id", id)
		case !people[i].Works():
			add("people", "%q works on no tickets: give them the role agent, oncall or manager, or leave them out", id)
		}
	}
	return out
}

func (r Rotation) planMistakes(add func(field, format string, args ...any)) {
	if r.Every != "" || !r.Start.IsZero() || len(r.People) > 0 {
		add("shifts", "shifts stand in place of start, every and people: give the one or the other")
	}
	for i, s := range r.Shifts {
		switch {
		case !s.From.Before(s.Until):
			add("shifts", "shift %d of %s: until must be later than from", i+1, s.Person)
		case i > 0 && s.From.Before(r.Shifts[i-1].Until):
			add("shifts", "shift %d of %s begins %s, before the one of %s is over: give each level a rotation of its own",
				i+1, s.Person, s.From.Format(time.RFC3339), r.Shifts[i-1].Person)
		}
	}
}
