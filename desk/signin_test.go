package desk_test

import (
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

var linkPattern = regexp.MustCompile(`http://desk/sign-in/(\S+)`)

func TestLinkSignsIn(t *testing.T) {
	w := open(t, "")
	sent := func() []string {
		return w.rows("SELECT channel || ' ' || address || ' ' || text FROM deliveries WHERE reason = 'sign_in' ORDER BY id")
	}
	// Strangers first: they are served in this order, and get nothing.
	for _, who := range []string{"nobody", "+15559999", "mallory@desk.localhost", "' OR true --", "ann", "+1 555-0201", "BOB@desk.localhost"} {
		must(t, w.desk.AskLink(who, "/incidents/142"))
	}
	w.until("three links", func() bool { return len(sent()) == 3 })
	list := sent()
	for i, begin := range []string{"sms +15550201 Helpdesk sign-in: ", "sms +15550201 Helpdesk sign-in: ", "sms +15550101 Helpdesk sign-in: "} {
		if list[i][:len(begin)] != begin {
			t.Errorf("%q, want %q", list[i], begin)
		}
	}
	secret := linkPattern.FindStringSubmatch(list[0])[1]
	session, next, err := w.desk.UseLink(t.Context(), secret)
	if must(t, err); next != "/incidents/142" {
		t.Errorf("leads to %q", next)
	}
	c, _, err := w.desk.Session(t.Context(), session)
	if must(t, err); c.Person.ID != "ann" || c.Channel != "web" || c.Access() != desk.AsRequester {
		t.Errorf("%+v", c)
	}
	if _, _, err := w.desk.UseLink(t.Context(), secret); !errors.Is(err, desk.ErrSignedOut) {
		t.Errorf("used twice: %v", err)
	}
	must(t, w.desk.EndSession(t.Context(), session))
	if _, _, err := w.desk.Session(t.Context(), session); !errors.Is(err, desk.ErrSignedOut) {
		t.Errorf("signed out: %v", err)
	}
	// The third within a quarter of an hour is the last.
	for range 3 {
		must(t, w.desk.AskLink("ann", ""))
	}
	must(t, w.desk.AskLink("bob", ""))
	w.until("bob's second", func() bool { return len(sent()) >= 5 })
	if n := len(sent()); n != 5 {
		t.Errorf("%d links sent", n)
	}
	if _, err := w.desk.StartSession(t.Context(), "nobody"); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("a session of nobody's: %v", err)
	}
}

// A token gives no more than its scopes, and no more than its person has.
func TestScopes(t *testing.T) {
	w := open(t, "")
	people := []roster.Person{
		{ID: "r", Name: "R", Roles: roster.Roles{roster.Requester}},
		{ID: "a", Name: "A", Roles: roster.Roles{roster.Agent, roster.OnCallee}},
		{ID: "m", Name: "M", Roles: roster.Roles{roster.Manager}},
		{ID: "x", Name: "X", Roles: roster.Roles{roster.Admin}},
	}
	must(t, w.store.Import(t.Context(), roster.File{People: people}))
	for _, c := range []struct {
		scopes []string
		want   [4]desk.Access
	}{
		{nil, [4]desk.Access{desk.AsRequester, desk.AsAgent, desk.AsManager, desk.AsAdmin}},
		{[]string{"requester"}, [4]desk.Access{desk.AsRequester, desk.AsRequester, desk.AsRequester, desk.AsRequester}},
		{[]string{"agent"}, [4]desk.Access{desk.AsRequester, desk.AsAgent, desk.AsAgent, desk.AsAgent}},
		{[]string{"manager", "requester"}, [4]desk.Access{desk.AsRequester, desk.AsAgent, desk.AsManager, desk.AsManager}},
		{[]string{"admin"}, [4]desk.Access{desk.AsAdmin, desk.AsAdmin, desk.AsAdmin, desk.AsAdmin}},
	} {
		for i, p := range people {
			_, secret, err := w.store.CreateToken(t.Context(), store.Token{Person: p.ID, Scopes: c.scopes, Expires: morning.Add(time.Hour)}, store.Audit{})
			must(t, err)
			got, err := w.desk.Authenticate(t.Context(), secret)
			must(t, err)
			if got.Access() != c.want[i] || got.ForOthers() != slices.Contains(c.scopes, "admin") {
				t.Errorf("%s with %v: %s", p.ID, c.scopes, got.Access())
			}
			if works := got.Person.Works(); !got.ForOthers() && works != (got.Access() == desk.AsAgent || got.Access() == desk.AsManager) {
				t.Errorf("%s with %v works: %v", p.ID, c.scopes, works)
			}
		}
	}
	if _, err := w.desk.Authenticate(t.Context(), "dbl_x"); !errors.Is(err, desk.ErrUnknownToken) {
		t.Error(err)
	}
}

// Nobody gives away more than they have.
func TestTokensGiveNoMore(t *testing.T) {
	w := open(t, "")
	agent := desk.Caller{Person: roster.Person{ID: "bob", Roles: roster.Roles{roster.Agent}}, Channel: "rest"}
	admin := desk.Caller{Person: roster.Person{ID: "eve", Roles: roster.Roles{roster.Admin}}, Channel: "web"}
	for _, c := range []struct {
		by    desk.Caller
		ask   desk.Token
		wrong string
	}{
		{agent, desk.Token{Scopes: []string{"agent"}}, ""},
		{agent, desk.Token{Scopes: []string{"requester"}, Expires: morning.Add(time.Minute)}, ""},
		{agent, desk.Token{Scopes: []string{"manager"}}, "scopes"},
		{agent, desk.Token{Scopes: []string{"agent", "admin"}}, "scopes"},
		{agent, desk.Token{Scopes: []string{"anybody"}}, "scopes"},
		{agent, desk.Token{Person: "eve"}, "person"},
		{agent, desk.Token{Expires: morning}, "expires"},
		{agent, desk.Token{Expires: morning.AddDate(2, 0, 0)}, "expires"},
		{admin, desk.Token{Person: "ann", Scopes: []string{"requester"}}, ""},
		{admin, desk.Token{Scopes: []string{"admin"}}, ""},
		{admin, desk.Token{Person: "nobody"}, "person"},
	} {
		_, secret, err := w.desk.CreateToken(t.Context(), c.by, c.ask)
		if wrong, ok := errors.AsType[*desk.InvalidError](err); ok != (c.wrong != "") || ok && wrong.Field != c.wrong || (secret == "") != ok {
			t.Errorf("%s asks for %+v: %v", c.by.Person.ID, c.ask, err)
		}
	}
	made, secret, err := w.desk.CreateToken(t.Context(), agent, desk.Token{})
	if must(t, err); !slices.Equal(made.Scopes, []string{"agent"}) || made.Expires != morning.Add(desk.TokenLife) {
		t.Errorf("by default: %+v", made)
	}
	own, _, err := w.desk.Tokens(t.Context(), agent, "", 0)
	if must(t, err); len(own) != 3 {
		t.Errorf("bob has %d", len(own))
	}
	if others, _, err := w.desk.Tokens(t.Context(), agent, "eve", 0); err != nil || others != nil {
		t.Errorf("bob sees %v", others)
	}
	all, _, err := w.desk.Tokens(t.Context(), admin, "", 0)
	if must(t, err); len(all) != 5 {
		t.Errorf("there are %d", len(all))
	}
	if _, err := w.desk.RevokeToken(t.Context(), desk.Caller{Person: roster.Person{ID: "ann"}}, made.ID); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("ann revokes bob's: %v", err)
	}
	if _, err := w.desk.RevokeToken(t.Context(), admin, made.ID); err != nil {
		t.Error(err)
	}
	if _, err := w.desk.Authenticate(t.Context(), secret); !errors.Is(err, desk.ErrUnknownToken) {
		t.Errorf("revoked: %v", err)
	}
	acts, _, err := w.desk.Audit(t.Context(), desk.AuditFilter{Act: "token.", Actor: "eve"})
	if must(t, err); len(acts) != 3 || acts[0].Act != "token.revoked" || acts[0].Channel != "web" {
		t.Errorf("audit: %+v", acts)
	}
	n := w.submit("Printer", "bob")
	_, err = w.desk.Do(t.Context(), desk.Act{ID: "x", Person: roster.Person{ID: "bob", Roles: roster.Roles{roster.Agent}}, By: "eve", Channel: "rest", Number: n, Verb: ticket.Take})
	must(t, err)
	acts, _, err = w.desk.Audit(t.Context(), desk.AuditFilter{Act: "acted."})
	if must(t, err); len(acts) != 1 || acts[0].Actor != "eve" || acts[0].Subject != "person bob" || acts[0].Detail != "take ticket 100" {
		t.Errorf("acting for another: %+v", acts)
	}
	if _, _, err := w.desk.Tickets(t.Context(), desk.Filter{Cursor: "x"}); err == nil {
		t.Error("a cursor of nobody's")
	}
}
