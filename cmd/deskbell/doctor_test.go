package main

import (
	"strings"
	"testing"

	"deskbell/config"
	"deskbell/roster"
)

func TestDoctorLooksAtAddresses(t *testing.T) {
	t.Parallel()
	own := ownAddresses(config.Config{SMSCs: []config.SMSC{{Source: "447700900100"}}, XMPP: config.XMPP{JID: "helpdesk@example.org"}})
	crew := []roster.Person{
		{ID: "bob", Roles: roster.Roles{roster.Agent}, Phone: "+447700900101"},
		{ID: "meg", Roles: roster.Roles{roster.Manager}, JID: "meg@example.org"},
	}
	for _, c := range []struct {
		name string
		more roster.Person
		want string
	}{
		{"all well", roster.Person{ID: "ann", Phone: "+447700900102"}, "ok    addresses         everybody of 3 can be reached\n"},
		{"our number", roster.Person{ID: "ann", Phone: "+447700900100"}, "warn  addresses         ann has the desk's own"},
		{"our JID", roster.Person{ID: "ann", JID: "helpdesk@example.org"}, "warn  addresses         ann has the desk's own"},
		{"nothing", roster.Person{ID: "ann"}, "warn  addresses         neither phone nor JID: ann\n"},
	} {
		var out strings.Builder
		d := &doctor{out: &out}
		d.addresses(append([]roster.Person{c.more}, crew...), own)
		if !strings.HasPrefix(out.String(), c.want) {
			t.Errorf("%s: %s", c.name, out.String())
		}
	}
}
