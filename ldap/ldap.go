// Package ldap reads people from an LDAP directory. It knows no store: what it reads
// is laid over the people that there are, and whoever calls it writes the outcome.
package ldap

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	ldap "github.com/go-ldap/ldap/v3"

	"deskbell/roster"
)

// Source is where to read, as whom and what.
type Source struct {
	// URL is ldaps://host, or ldap://host, which must speak StartTLS unless it is this
	// machine and no CAs are given: passwords and numbers do not go over a network in
	// clear.
	URL      string
	CAs      *x509.CertPool // that vouch for the server; the system's when nil
	BindDN   string         // who reads; anonymous when empty
	Password string
	Base     string // below which people are
	Filter   string // which entries are people, as RFC 4515 writes it
	// Attributes are the directory's names for a person's fields: id, name, phone, jid,
	// language, loc and group. A field that is not named is not read.
	Attributes map[string]string
}

// Entry is what the directory has about one person.
type Entry struct {
	DN     string
	Fields map[string]string // by the field's name here; empty where the entry has none
}

const (
	dialTimeout = 10 * time.Second
	readTimeout = time.Minute // for one answer
	pageSize    = 500         // half of what Active Directory gives at once
)

// fields are the fields of a person that a directory may fill.
var fields = map[string]func(*roster.Person) *string{
	"id": func(p *roster.Person) *string { return &p.ID }, "name": func(p *roster.Person) *string { return &p.Name },
	"phone": func(p *roster.Person) *string { return &p.Phone }, "jid": func(p *roster.Person) *string { return &p.JID },
	"language": func(p *roster.Person) *string { return &p.Language }, "loc": func(p *roster.Person) *string { return &p.Loc },
	"group": func(p *roster.Person) *string { return &p.Group },
}

// Read returns the people of a directory, in the order of their ids; an entry that
// lacks one is among them. An answer without anybody is an error.
func (s Source) Read(ctx context.Context) ([]Entry, error) {
	for field := range s.Attributes {
		if fields[field] == nil {
			return nil, fmt.Errorf("no such field %q: use %s", field, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
	}
	if s.Attributes["id"] == "" || s.Attributes["name"] == "" {
		return nil, errors.New("say which attributes hold id and name")
	}
	conn, err := s.dial()
	if err != nil {
		return nil, fmt.Errorf("reach the directory: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetTimeout(readTimeout)
	if s.BindDN != "" {
		if err := conn.Bind(s.BindDN, s.Password); err != nil {
			return nil, fmt.Errorf("log in to the directory: %w", err)
		}
	}
	attributes := slices.Sorted(maps.Values(s.Attributes))
	found, err := conn.SearchWithPaging(ldap.NewSearchRequest(s.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, s.Filter, attributes, nil), pageSize)
	if err != nil {
		return nil, fmt.Errorf("search the directory: %w", cmp.Or(context.Cause(ctx), err)) // its end closes the connection
	}
	if len(found.Entries) == 0 {
		return nil, errors.New("the directory has nobody there: check base and filter")
	}
	entries := make([]Entry, len(found.Entries))
	for i, e := range found.Entries {
		entries[i] = Entry{DN: e.DN, Fields: map[string]string{}}
		for field, attribute := range s.Attributes {
			entries[i].Fields[field] = tidy(field, e.GetEqualFoldAttributeValue(attribute))
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Fields["id"], b.Fields["id"]), strings.Compare(a.DN, b.DN))
	})
	return entries, nil
}

func (s Source) dial() (*ldap.Conn, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	secured := &tls.Config{ServerName: u.Hostname(), RootCAs: s.CAs, MinVersion: tls.VersionTLS12}
	conn, err := ldap.DialURL(s.URL, ldap.DialWithDialer(&net.Dialer{Timeout: dialTimeout}), ldap.DialWithTLSConfig(secured))
	if err != nil || u.Scheme != "ldap" {
		return conn, err
	}
	if ip := net.ParseIP(u.Hostname()); s.CAs == nil && (u.Hostname() == "localhost" || ip.IsLoopback()) {
		return conn, nil
	}
	if err := conn.StartTLS(secured); err != nil {
		_ = conn.Close() // it was of no use
		return nil, fmt.Errorf("StartTLS: %w", err)
	}
	return conn, nil
}

// tidy is an attribute's value as a field has it.
func tidy(field, value string) string {
	value = strings.TrimSpace(value)
	switch field {
	case "id", "jid":
		return strings.ToLower(value)
	case "phone":
		value = strings.NewReplacer("(0)", "", " ", "", "-", "", "/", "", ".", "", "(", "", ")", "", "\u00a0", "").Replace(value)
		if abroad, ok := strings.CutPrefix(value, "00"); ok {
			return "+" + abroad
		}
	}
	return value
}

// Over lays entries over the people that there are, and returns those of the entries:
// of who is known the fields that were read are replaced, who is new gets a role. The
// error has a line for every entry that makes no right person, with its DN.
func Over(known []roster.Person, entries []Entry, role roster.Role) ([]roster.Person, error) {
	byID := map[string]roster.Person{}
	for _, p := range known {
		byID[p.ID] = p
	}
	var people []roster.Person
	var errs []error
	for _, e := range entries {
		p, ok := byID[e.Fields["id"]]
		if !ok {
			p.Roles = roster.Roles{role}
		}
		for field, value := range e.Fields {
			*fields[field](&p) = value
		}
		if _, problem := p.Problem(); problem != "" {
			errs = append(errs, fmt.Errorf("%s: %s", e.DN, problem))
		}
		people = append(people, p)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	all := slices.Clone(people)
	for _, p := range known {
		if !slices.ContainsFunc(people, func(q roster.Person) bool { return q.ID == p.ID }) {
			all = append(all, p)
		}
	}
	return people, roster.File{People: all}.Validate()
}
