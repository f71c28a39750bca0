package store_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	url := server.Empty(t)
	must(t, together(3, func(int) error { return store.Migrate(t.Context(), url, quiet) }))
	must(t, store.Migrate(t.Context(), url, quiet))
	s, err := store.Open(t.Context(), url, &stopped{}, quiet)
	must(t, err)
	defer s.Close()
	if got := submit(t, s, "first").Number; got != 100 {
		t.Errorf("the first ticket is %d", got)
	}
}

// What sqlc makes of the queries is what is committed.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	t.Parallel()
	const sqlc = "../bin/sqlc"
	if _, err := os.Stat(sqlc); err != nil {
		t.Skip("no bin/sqlc: go build -C tools -o ../bin/sqlc github.com/sqlc-dev/sqlc/cmd/sqlc")
	}
	if out, err := exec.CommandContext(t.Context(), sqlc, "diff").CombinedOutput(); err != nil {
		t.Errorf("go generate ./store: %v\n%s", err, out)
	}
}

func TestAnUnreachableDatabase(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://deskbell:secret@127.0.0.1:1/deskbell", server.URL("no_such_database")} {
		_, err := store.Open(t.Context(), url, &stopped{}, quiet)
		if away := errors.Is(err, store.ErrUnavailable); err == nil || away != strings.Contains(url, ":1/") {
			t.Errorf("%s: %v", url, err)
		}
	}
	_, err := store.Open(t.Context(), "postgres://deskbell:secret@host:port/deskbell", &stopped{}, quiet)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("malformed address: %v", err)
	}
}

func TestTheDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	s, _, url := openAt(t)
	began := make(chan struct{})
	wait := make(chan error, 1)
	go func() {
		_, err := s.Write(t.Context(), store.Write{Contexts: []store.ContextChange{{Person: "dana", Change: func(old []byte) ([]byte, error) {
			close(began)
			server.Disconnect(t, url)
			return []byte("{}"), nil
		}}}})
		wait <- err
	}()
	<-began
	if err := <-wait; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	// The pool notices by itself.
	deadline := time.Now().Add(10 * time.Second)
	for err := s.Ping(t.Context()); err != nil; err = s.Ping(t.Context()) {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if doc := value(s.Conversation(t.Context(), "dana"))(t); doc != nil {
		t.Errorf("half a step: %s", doc)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Ping(gone); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a caller that left: %v", err)
	}
}

// Of two that wait for each other PostgreSQL ends one; it is tried again.
func TestADeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, _, url := openAt(t)
	desk(t, s)
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(context.Background())
	run := func(sql string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), sql)
		must(t, err)
	}
	run("SET deadlock_timeout = '1min'") // so it is the store that is ended
	run("BEGIN")
	run("UPDATE people SET loc = 'x' WHERE id = 'dana'")
	ended := make(chan error, 1)
	go func() {
		ended <- s.Presence(t.Context(), []gateway.Presence{{Address: ann.JID, State: "away", At: noon}, {Address: dana.JID, State: "away", At: noon}})
	}()
	waiting := func() (waits bool) {
		must(t, conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits))
		return waits
	}
	for deadline := time.Now().Add(10 * time.Second); !waiting(); {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
		run("SELECT pg_stat_clear_snapshot()")
	}
	run("UPDATE people SET loc = 'x' WHERE id = 'ann'")
	run("COMMIT")
	must(t, <-ended)
	for _, id := range []string{"ann", "dana"} {
		if got := value(s.Member(t.Context(), id))(t); got.Presence.State != roster.Away {
			t.Errorf("%s is %s", id, got.Presence.State)
		}
	}
}

func TestLeases(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	acquire := func(holder string, ttl time.Duration) (int64, bool) {
		t.Helper()
		fence, ok, err := s.Acquire(t.Context(), "sms", holder, ttl)
		must(t, err)
		return fence, ok
	}
	won := make(chan int, 10)
	must(t, together(10, func(i int) error {
		_, ok, err := s.Acquire(t.Context(), "im", string(rune('a'+i)), time.Hour)
		if ok {
			won <- i
		}
		return err
	}))
	if len(won) != 1 {
		t.Errorf("%d holders", len(won))
	}

	if fence, ok := acquire("a", time.Hour); !ok || fence != 1 {
		t.Fatal(fence, ok)
	}
	if _, ok := acquire("b", time.Hour); ok {
		t.Error("two holders")
	}
	if fence, ok := acquire("a", time.Millisecond); !ok || fence != 1 {
		t.Error("renewing: ", fence, ok)
	}
	// The database's clock decides: poll until it says that the lease is over.
	fence, ok := acquire("b", time.Hour)
	for deadline := time.Now().Add(10 * time.Second); !ok && time.Now().Before(deadline); {
		fence, ok = acquire("b", time.Hour)
	}
	if !ok || fence != 2 {
		t.Fatal("after its end: ", fence, ok)
	}
	must(t, s.Release(t.Context(), "sms", "a", 1)) // no longer a's to release
	if _, ok := acquire("a", time.Hour); ok {
		t.Error("released by who did not hold it")
	}
	must(t, s.Release(t.Context(), "sms", "b", 2))
	if fence, ok := acquire("b", time.Hour); !ok || fence != 3 {
		t.Error("a new tenure has a new fence: ", fence, ok)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	begin := func(hash string) (*store.StoredResponse, error) { return s.BeginRequest(t.Context(), "ann", "k", hash) }
	for range 2 { // without a response a repetition goes on, too
		if stored := value(begin("h"))(t); stored != nil {
			t.Errorf("%+v", stored)
		}
	}
	must(t, s.FinishRequest(t.Context(), "ann", "k", 409, []byte("{}")))
	if diff := cmp.Diff(&store.StoredResponse{Status: 409, Body: []byte("{}")}, value(begin("h"))(t)); diff != "" {
		t.Error(diff)
	}
	if _, err := begin("other"); !errors.Is(err, store.ErrKeyReused) {
		t.Error(err)
	}
	if _, _, err := s.Submit(t.Context(), store.Submission{Opening: ticket.Opening{Subject: "x"}, Scope: "ann", Key: "k", Hash: "h"}); !errors.Is(err, store.ErrKeyReused) {
		t.Error(err)
	}
	if err := s.FinishRequest(t.Context(), "ann", "no such key", 200, nil); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

// What happens while nobody listens is made up for by an empty payload.
func TestListen(t *testing.T) {
	t.Parallel()
	s, _, url := openAt(t)
	desk(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan string), make(chan error)
	go func() {
		ended <- s.Listen(ctx, []string{"deskbell_change", "deskbell_due"}, func(channel, payload string) {
			select {
			case heard <- channel + " " + payload:
			case <-ctx.Done():
			}
		})
	}()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Fatalf("heard %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("heard nothing, want %q", want)
		}
	}
	expect("deskbell_change ")
	expect("deskbell_due ")
	project(t, s, func(*ticket.Ticket) {})
	expect("deskbell_change ticket:100")
	write(t, s, text("a"))
	expect("deskbell_due sms")
	must(t, s.SetStopped(t.Context(), "dana", true))
	expect("deskbell_change agent")

	server.Disconnect(t, url)
	expect("deskbell_change ")
	expect("deskbell_due ")
	deadline := time.Now().Add(10 * time.Second)
	for _, err := s.Write(t.Context(), store.Write{Outgoing: []store.Outgoing{text("b")}}); err != nil; {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		_, err = s.Write(t.Context(), store.Write{Outgoing: []store.Outgoing{text("b")}})
	}
	expect("deskbell_due sms")
	cancel()
	must(t, <-ended)
}

func TestNoSecretsInTheDatabase(t *testing.T) {
	t.Parallel()
	s, _, url := openAt(t)
	desk(t, s)
	_, token, err := s.CreateToken(t.Context(), store.Token{Person: "dana"}, store.Audit{})
	must(t, err)
	session := value(s.CreateSession(t.Context(), "dana", "link"))(t)
	link := value(s.CreateLink(t.Context(), "dana", ""))(t)
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(context.Background())
	var dump string
	must(t, conn.QueryRow(t.Context(), `SELECT (SELECT json_agg(p) FROM people p)::text || (SELECT json_agg(k) FROM tokens k)::text
		|| (SELECT json_agg(s) FROM sessions s)::text || (SELECT json_agg(l) FROM sign_in_links l)::text || (SELECT json_agg(a) FROM audit a)::text`).Scan(&dump))
	if !strings.Contains(dump, "ann@desk.localhost") {
		t.Error(dump)
	}
	for _, secret := range []string{token, session, link, "secret"} {
		if secret == "" || strings.Contains(dump, secret) {
			t.Errorf("%q is in the database", secret)
		}
	}
}
