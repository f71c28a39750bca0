package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"deskbell/ldap"
	"deskbell/roster"
	"deskbell/store"
)

// ldapFlag says how people are read from a directory.
type ldapFlag struct {
	Base         string            `env:"DESKBELL_LDAP_BASE" placeholder:"DN" help:"Below which entry people are."`
	Filter       string            `env:"DESKBELL_LDAP_FILTER" default:"(objectClass=inetOrgPerson)" help:"Which entries are people."`
	Bind         string            `env:"DESKBELL_LDAP_BIND" placeholder:"DN" help:"Who reads; anonymous when not given."`
	PasswordFile string            `env:"DESKBELL_LDAP_PASSWORD_FILE" type:"existingfile" help:"File with the password."`
	CAFile       string            `name:"ca-file" env:"DESKBELL_LDAP_CA_FILE" type:"existingfile" help:"PEM certificates that vouch for the server; the system's when not given."`
	Map          map[string]string `env:"DESKBELL_LDAP_MAP" default:"id=uid;name=cn;phone=mobile" help:"Which attribute fills which field: id, name, phone, jid, language, loc, group. Other fields stay."`
	Role         string            `env:"DESKBELL_LDAP_ROLE" default:"requester" enum:"requester,agent,oncall,manager" help:"Role of who is new."`
	Deactivate   bool              `help:"Deactivate those who came from this directory and are not there any more."`
}

// run reads a directory, says what differs, and, unless it is a rehearsal, writes all
// of it or nothing.
func (f ldapFlag) run(ctx context.Context, s *store.Store, url string, dry bool, out io.Writer) error {
	source := ldap.Source{URL: url, BindDN: f.Bind, Base: f.Base, Filter: f.Filter, Attributes: f.Map}
	if f.Base == "" {
		return errors.New("--ldap-base is missing: name the entry below which people are")
	}
	if f.PasswordFile != "" {
		password, err := os.ReadFile(f.PasswordFile)
		if err != nil {
			return err
		}
		source.Password = strings.TrimRight(string(password), "\r\n")
	}
	if f.CAFile != "" {
		pem, err := os.ReadFile(f.CAFile)
		if err != nil {
			return err
		}
		if source.CAs = x509.NewCertPool(); !source.CAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s has no certificate", f.CAFile)
		}
	}
	entries, err := source.Read(ctx)
	if err != nil {
		return err
	}
	known, err := s.Entries(ctx)
	if err != nil {
		return err
	}
	people := make([]roster.Person, len(known))
	for i, k := range known {
		people[i] = k.Person
	}
	named, err := ldap.Over(people, entries, roster.Role(f.Role))
	if err != nil {
		return errors.Join(err, errors.New("nothing was imported"))
	}
	changes := f.changes(known, named, url+"/"+f.Base, out)
	if dry || len(changes) == 0 {
		return nil
	}
	return s.SaveEntries(ctx, changes, store.Audit{Channel: "cli", Detail: "by ldap"})
}

// changes are what makes the directory here as the one that was read, and says them in
// words.
func (f ldapFlag) changes(known []store.Entry, named []roster.Person, source string, out io.Writer) (changes []store.EntryChange) {
	for _, p := range named {
		i := slices.IndexFunc(known, func(k store.Entry) bool { return k.ID == p.ID })
		if i < 0 {
			changes = append(changes, store.EntryChange{Person: p, Source: source})
			fmt.Fprintf(out, "+ %s: %s\n", p.ID, visible(p.Name))
			continue
		}
		was := known[i]
		differs := was.Differences(p)
		if len(differs) == 0 && was.Source == source {
			continue
		}
		changes = append(changes, store.EntryChange{Person: p, KeepPIN: true, Version: was.Version, Source: source})
		if len(differs) > 0 {
			fmt.Fprintf(out, "~ %s: %s\n", p.ID, visible(strings.Join(differs, ", ")))
		}
	}
	for _, k := range known {
		there := slices.ContainsFunc(named, func(p roster.Person) bool { return p.ID == k.ID })
		if there || k.Source != source || k.Inactive {
			continue
		}
		note := "; --ldap-deactivate deactivates them"
		if f.Deactivate {
			k.Inactive, note = true, ""
			changes = append(changes, store.EntryChange{Person: k.Person, KeepPIN: true, Version: k.Version})
		}
		fmt.Fprintf(out, "- %s: %s is not there any more%s\n", k.ID, visible(k.Name), note)
	}
	return changes
}
