package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/gateway"
	"deskbell/store"
)

// A link belongs to a tenure: another's does not count, and a new tenure begins
// without one.
func TestLinks(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	acquire := func(holder string) int64 {
		t.Helper()
		fence, ok, err := s.Acquire(t.Context(), "sms", holder, time.Hour)
		if must(t, err); !ok {
			t.Fatalf("%s does not get the lease", holder)
		}
		return fence
	}
	links := func() map[string]bool {
		t.Helper()
		got := map[string]bool{}
		for _, tenure := range value(s.Tenures(t.Context()))(t) {
			got[tenure.Holder] = !tenure.UpSince.IsZero()
		}
		return got
	}
	fence := acquire("a")
	must(t, s.SetLink(t.Context(), "sms", "b", true, nil))
	if diff := cmp.Diff(map[string]bool{"a": false}, links()); diff != "" {
		t.Error(diff)
	}
	parts := store.Links{"one:2775": &noon, "two:2775": nil}
	must(t, s.SetLink(t.Context(), "sms", "a", true, parts))
	since := value(s.Tenures(t.Context()))(t)[0].UpSince
	acquire("a") // renewed
	if diff := cmp.Diff(parts, value(s.Tenures(t.Context()))(t)[0].Links); diff != "" {
		t.Error(diff)
	}
	must(t, s.SetLink(t.Context(), "sms", "a", true, parts))
	if got := value(s.Tenures(t.Context()))(t)[0].UpSince; !got.Equal(since) || since.IsZero() {
		t.Errorf("up since %v, then %v", since, got)
	}
	must(t, s.Release(t.Context(), "sms", "a", fence))
	if diff := cmp.Diff(map[string]bool{}, links()); diff != "" {
		t.Error(diff)
	}
	acquire("b")
	if diff := cmp.Diff(map[string]bool{"b": false}, links()); diff != "" {
		t.Error(diff)
	}
	if of := value(s.Tenures(t.Context()))(t)[0].Links; len(of) != 0 {
		t.Errorf("the new holder begins with the links %v", of)
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	s, clock := open(t)
	desk(t, s)
	submit(t, s, "one")
	clock.pass(time.Minute)
	submit(t, s, "two")
	value(s.Keep(t.Context(), []gateway.Message{{Channel: gateway.SMS, Key: "h", From: "+4930100", Text: "142"}}))(t)
	write(t, s, text("a"), text("b"))
	take(t, s)
	later := text("c")
	later.NotBefore = clock.Now().Add(time.Hour)
	write(t, s, later)

	got := value(s.Figures(t.Context()))(t)
	for _, list := range [][]store.Count{got.Tickets, got.Unfinished, got.Unsent} {
		for i := range list {
			list[i].Oldest = list[i].Oldest.UTC()
		}
	}
	want := store.Figures{
		Tickets:    []store.Count{{Status: "new", Priority: "P2", Count: 2, Oldest: noon}},
		Unstarted:  2,
		Unfinished: []store.Count{{Channel: "sms", Count: 1, Oldest: noon.Add(time.Minute)}},
		Unsent: []store.Count{
			{Channel: "sms", Status: "due", Count: 1, Oldest: noon.Add(time.Minute)},
			{Channel: "sms", Status: "sending", Count: 1, Oldest: noon.Add(time.Minute)},
		},
		Tenures: []store.Tenure{}, Troubles: []store.Trouble{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	_, _, url := openAt(t)
	have, need, err := store.Schema(t.Context(), url)
	if err != nil || have != need || have < 2 {
		t.Errorf("schema %d of %d: %v", have, need, err)
	}
}
