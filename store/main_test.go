package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/store/storetest"
	"deskbell/ticket"
)

var server *storetest.Server

func TestMain(m *testing.M) { os.Exit(storetest.Run(m, &server)) }

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// stopped is a clock that only a test moves.
type stopped struct{ offset atomic.Int64 }

func (c *stopped) Now() time.Time { return noon.Add(time.Duration(c.offset.Load())) }

func (c *stopped) pass(d time.Duration) { c.offset.Add(int64(d)) }

var quiet = slog.New(slog.DiscardHandler)

func open(t testing.TB) (*store.Store, *stopped) {
	t.Helper()
	s, clk, _ := openAt(t)
	return s, clk
}

func openAt(t testing.TB) (*store.Store, *stopped, string) {
	t.Helper()
	url := server.Database(t)
	clk := &stopped{}
	s, err := store.Open(t.Context(), url, clk, quiet)
	must(t, err)
	t.Cleanup(s.Close)
	return s, clk, url
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func value[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// desk imports two people: ann asks, dana works.
func desk(t testing.TB, s *store.Store) {
	t.Helper()
	must(t, s.Import(t.Context(), roster.File{People: []roster.Person{
		{ID: "dana", Name: "Dana", Roles: roster.Roles{roster.Agent, roster.OnCallee}, Phone: "+4930100", JID: "dana@desk.localhost"},
		{ID: "ann", Name: "Ann", Roles: roster.Roles{roster.Requester}, Phone: "+4930200", JID: "ann@desk.localhost", Prefers: "im", Password: "secret"},
	}}))
}

func submit(t testing.TB, s *store.Store, subject string) ticket.Ticket {
	t.Helper()
	got, _, err := s.Submit(t.Context(), store.Submission{Opening: ticket.Opening{Subject: subject, Priority: ticket.P2, Requester: ticket.Party{ID: "ann", Name: "Ann"}}})
	must(t, err)
	return got
}

// text is an SMS to dana.
func text(key string) store.Outgoing {
	return store.Outgoing{Key: key, Channel: gateway.SMS, Person: "dana", Address: "+4930100", Reason: "note_ok", Text: key}
}

func write(t testing.TB, s *store.Store, list ...store.Outgoing) []int64 {
	t.Helper()
	return value(s.Write(t.Context(), store.Write{Outgoing: list}))(t)
}

func take(t testing.TB, s *store.Store) []gateway.Delivery {
	t.Helper()
	return value(s.Take(t.Context(), gateway.SMS, 100))(t)
}

func keys(list []gateway.Delivery) []string {
	names := []string{}
	for _, d := range list {
		names = append(names, d.Key)
	}
	return names
}

func fate(t testing.TB, s *store.Store, id int64) gateway.State {
	t.Helper()
	return value(s.Fate(t.Context(), []int64{id}))(t)[0]
}

func settle(t testing.TB, s *store.Store, id int64, o gateway.Outcome) {
	t.Helper()
	must(t, s.Settle(t.Context(), id, o))
}

// together runs n calls at once and returns their errors.
func together(n int, f func(i int) error) error {
	begin, done := make(chan struct{}), make(chan error)
	for i := range n {
		go func() {
			<-begin
			done <- f(i)
		}()
	}
	close(begin)
	var failed error
	for range n {
		if err := <-done; err != nil {
			failed = fmt.Errorf("%w", err)
		}
	}
	return failed
}

func TestOpenAndCloseLeaveNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	url := server.Database(t)
	s, err := store.Open(context.Background(), url, &stopped{}, quiet)
	must(t, err)
	unlock, ok, err := s.Lock(context.Background(), "+4930100")
	if must(t, err); !ok {
		t.Fatal("not locked")
	}
	unlock()
	s.Close()
}
