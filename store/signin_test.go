package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/store"
	"deskbell/ticket"
)

var byRoot = store.Audit{Actor: "root", Channel: "rest"}

func TestTokens(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	make := func(k store.Token) (store.Token, string) {
		t.Helper()
		made, secret, err := s.CreateToken(t.Context(), k, byRoot)
		must(t, err)
		return made, secret
	}
	_, secret := make(store.Token{Person: "dana", Scopes: []string{"admin"}, Name: "laptop", Expires: noon.Add(time.Hour)})
	kept, other := make(store.Token{Person: "ann", Name: "phone"})
	if secret == other || !strings.HasPrefix(secret, "dbl_") || len(secret) < 40 {
		t.Errorf("%d letters, begins with %.4s", len(secret), secret)
	}
	for range 2 {
		person, scopes, err := s.Token(t.Context(), secret)
		if must(t, err); person != "dana" || !cmp.Equal(scopes, []string{"admin"}) {
			t.Errorf("%s %v", person, scopes)
		}
	}
	clk.pass(time.Hour)
	for _, wrong := range []string{secret, "", "dbl_", other + "x"} {
		if _, _, err := s.Token(t.Context(), wrong); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if person, _, err := s.Token(t.Context(), other); err != nil || person != "ann" {
		t.Errorf("%s %v", person, err)
	}
	if _, _, err := s.CreateToken(t.Context(), store.Token{Person: "nobody"}, byRoot); err == nil {
		t.Error("a token for nobody")
	}
	if _, err := s.RevokeToken(t.Context(), kept.ID, "dana", byRoot); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("dana revokes ann's: %v", err)
	}
	if _, err := s.RevokeToken(t.Context(), kept.ID, "", byRoot); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Token(t.Context(), other); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a revoked token: %v", err)
	}
	want := []store.Token{{ID: kept.ID, Person: "ann", Name: "phone", Scopes: []string{}, CreatedAt: noon, CreatedBy: "root",
		LastUsed: noon.Add(time.Hour), RevokedAt: noon.Add(time.Hour), RevokedBy: "root"}}
	if diff := cmp.Diff(want, value(s.Tokens(t.Context(), "ann", 0, 10))(t)); diff != "" {
		t.Error(diff)
	}
	if list := value(s.Tokens(t.Context(), "", kept.ID, 10))(t); len(list) != 1 || list[0].Person != "dana" {
		t.Errorf("the page after: %v", list)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	begin := func() string { return value(s.CreateSession(t.Context(), "ann", "link"))(t) }
	in := func(secret string) (renewed string) {
		t.Helper()
		person, renewed, err := s.Session(t.Context(), secret)
		if must(t, err); person != "ann" {
			t.Errorf("%q is signed in", person)
		}
		return renewed
	}
	out := func(secret string) {
		t.Helper()
		if person, _, err := s.Session(t.Context(), secret); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q is signed in: %v", person, err)
		}
	}
	out("")
	first, other := begin(), begin()
	if in(first) != "" {
		t.Error("a new secret at once")
	}
	clk.pass(25 * time.Hour)
	second := in(first)
	if second == "" || second == first {
		t.Fatal("the secret of yesterday is not replaced")
	}
	if in(first) != "" { // another request of the same page
		t.Error("replaced twice")
	}
	in(second)
	clk.pass(2 * time.Minute)
	out(first)
	in(second)
	must(t, s.EndSession(t.Context(), second))
	out(second)
	in(other)
	must(t, s.EndSession(t.Context(), second))

	clk.pass(5 * 24 * time.Hour)
	out(other)

	// However often it is used it ends after a month.
	used := begin()
	for range 29 {
		clk.pass(24 * time.Hour)
		if next := in(used); next != "" {
			used = next
		}
	}
	clk.pass(25 * time.Hour)
	out(used)
}

func TestSignOutEndsWhatWasReplaced(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	first := value(s.CreateSession(t.Context(), "ann", "link"))(t)
	clk.pass(25 * time.Hour)
	_, second, err := s.Session(t.Context(), first)
	must(t, err)
	must(t, s.EndSession(t.Context(), second))
	if _, _, err := s.Session(t.Context(), first); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the secret before still passes: %v", err)
	}
}

func TestLinksAreGoodOnce(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	link := func() string { return value(s.CreateLink(t.Context(), "ann", "/new"))(t) }
	use := func(secret string) string {
		person, next, err := s.UseLink(t.Context(), secret)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		return person + next
	}
	first := link()
	if got := []string{use(first), use(first), use("")}; !cmp.Equal(got, []string{"ann/new", "", ""}) {
		t.Errorf("%q", got)
	}
	late := link()
	link()
	if link() != "" {
		t.Error("four links at once")
	}
	clk.pass(16 * time.Minute)
	if use(late) != "" {
		t.Error("an old link")
	}
	if link() == "" {
		t.Error("no link a quarter of an hour later")
	}
	// However many ask at once, one signs in.
	again := link()
	var won []string
	done := make(chan string)
	for range 8 {
		go func() {
			person, _, _ := s.UseLink(t.Context(), again)
			done <- person
		}()
	}
	for range 8 {
		if person := <-done; person != "" {
			won = append(won, person)
		}
	}
	if len(won) != 1 {
		t.Errorf("%d signed in by one link", len(won))
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	tk := submit(t, s, "Printer")
	// Of one moment the tickets' come first. The import of the two people was an act too.
	want := []string{"ticket.noted", "token.revoked", "ticket.noted", "ticket.noted", "person.edited", "token.created", "person.created", "person.created"}
	for i, act := range []string{"token.created", "person.edited", "token.revoked"} {
		must(t, s.Note(t.Context(), store.Audit{Actor: "dana", Channel: "rest", Act: act, Subject: "person ann"}))
		tk.Version++
		must(t, s.Project(t.Context(), store.Projection{Ticket: tk, Events: []ticket.Event{
			{Seq: i + 1, At: clk.Now(), Kind: ticket.Noted, Actor: ticket.Party{ID: "ann"}, Channel: "sms"}}}))
		if i == 1 {
			clk.pass(time.Minute)
		}
	}
	walk := func(f store.AuditFilter) (acts []string) {
		t.Helper()
		for {
			list, next, err := s.Audit(t.Context(), f)
			must(t, err)
			for _, a := range list {
				acts = append(acts, a.Act)
			}
			if f.Cursor = next; next == "" {
				return acts
			}
		}
	}
	for limit := range 10 {
		if got := walk(store.AuditFilter{Limit: limit}); !cmp.Equal(got, want) {
			t.Errorf("by pages of %d: %v, want %v", limit, got, want)
		}
	}
	for _, c := range []struct {
		filter store.AuditFilter
		want   []string
	}{
		{store.AuditFilter{Actor: "ann"}, []string{"ticket.noted", "ticket.noted", "ticket.noted"}},
		{store.AuditFilter{Act: "token.", Limit: 1}, []string{"token.revoked", "token.created"}},
		{store.AuditFilter{Subject: "ticket 100"}, []string{"ticket.noted", "ticket.noted", "ticket.noted"}},
		{store.AuditFilter{Subject: "ticket 100", Actor: "dana"}, nil},
		{store.AuditFilter{Subject: "ticket 99999999999"}, nil},
		{store.AuditFilter{Since: noon.Add(time.Minute)}, []string{"ticket.noted", "token.revoked"}},
	} {
		if got := walk(c.filter); !cmp.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.filter, got, c.want)
		}
	}
	for _, cursor := range []string{"x", "1.2", "1.2.3", "1.0.x"} {
		if _, _, err := s.Audit(t.Context(), store.AuditFilter{Cursor: cursor}); !errors.Is(err, store.ErrCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

func TestClaimRequest(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	claim := func(hash string) (stored bool, mine bool, err error) {
		r, mine, err := s.ClaimRequest(t.Context(), "ann", "k", hash)
		return r != nil, mine, err
	}
	expect := func(what, hash string, wantStored, wantMine bool) {
		t.Helper()
		if stored, mine, err := claim(hash); err != nil || stored != wantStored || mine != wantMine {
			t.Errorf("%s: stored %v, mine %v, %v", what, stored, mine, err)
		}
	}
	expect("the first", "h", false, true)
	expect("the same, at once", "h", false, false)
	if _, _, err := claim("other"); !errors.Is(err, store.ErrKeyReused) {
		t.Error(err)
	}
	clk.pass(2 * time.Minute)
	expect("after its process died", "h", false, true)
	expect("and only once", "h", false, false)
	must(t, s.DropRequest(t.Context(), "ann", "k"))
	expect("after it was refused", "other", false, true)
	must(t, s.FinishRequest(t.Context(), "ann", "k", 200, []byte("x")))
	must(t, s.DropRequest(t.Context(), "ann", "k"))
	expect("after it was answered", "other", true, false)
}
