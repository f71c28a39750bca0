package store_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/roster"
	"deskbell/store"
)

func TestOverrides(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	night := roster.Override{Group: "it", Person: "ann", Instead: "dana", From: noon, Until: noon.Add(time.Hour)}
	added, ok, err := s.AddOverride(t.Context(), night, "dana")
	if must(t, err); !ok {
		t.Fatal("not added")
	}
	want := roster.RecordedOverride{ID: added.ID, Override: night, AddedBy: "dana", AddedAt: noon}
	if diff := cmp.Diff(want, added); diff != "" {
		t.Error(diff)
	}
	counts := func(want ...roster.Override) {
		t.Helper()
		_, got, err := s.Rota(t.Context())
		must(t, err)
		if diff := cmp.Diff(append([]roster.Override{}, want...), got); diff != "" {
			t.Error(diff)
		}
	}
	counts(night)
	other, ok, err := s.AddOverride(t.Context(), roster.Override{Person: "ann", Instead: "dana", From: noon, Until: noon.Add(time.Minute)}, "dana")
	if must(t, err); ok || other.ID != added.ID {
		t.Errorf("a second substitute: %v %+v", ok, other)
	}
	counts(night)

	clk.pass(time.Minute)
	want.RemovedBy, want.RemovedAt = "ann", noon.Add(time.Minute)
	if diff := cmp.Diff(want, value(s.RemoveOverride(t.Context(), added.ID, "ann"))(t)); diff != "" {
		t.Error(diff)
	}
	counts()
	if _, err := s.RemoveOverride(t.Context(), added.ID, "ann"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	// What was removed is in nobody's way, and stays in the history.
	again, ok, err := s.AddOverride(t.Context(), night, "dana")
	if must(t, err); !ok {
		t.Error("not added again")
	}
	if diff := cmp.Diff([]roster.RecordedOverride{again, want}, value(s.OverrideHistory(t.Context(), 10))(t)); diff != "" {
		t.Error(diff)
	}
}

func TestOverridesAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	var added atomic.Int32
	must(t, together(8, func(int) error {
		_, ok, err := s.AddOverride(t.Context(), roster.Override{Person: "ann", Instead: "dana", From: noon, Until: noon.Add(time.Hour)}, "dana")
		if ok {
			added.Add(1)
		}
		return err
	}))
	if added.Load() != 1 {
		t.Errorf("%d substitutes for one person at one time", added.Load())
	}
}
