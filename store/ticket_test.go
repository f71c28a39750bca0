package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"deskbell/store"
	"deskbell/ticket"
)

func TestSubmit(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	opening := ticket.Opening{Subject: "Drucker 🔥", Body: "line\nline\t\"", Requester: ticket.Party{ID: "ann", Name: "Ann"}, Group: "it",
		Channel: "rest", Priority: ticket.P1, Plan: ticket.Plan{Repeat: time.Minute}, CommandID: "c1"}
	first, repeat, err := s.Submit(t.Context(), store.Submission{Opening: opening, Scope: "ann", Key: "k", Hash: "h"})
	if must(t, err); repeat {
		t.Error("new, yet a repeat")
	}
	want := ticket.Ticket{Number: 100, Subject: opening.Subject, Body: opening.Body, Requester: opening.Requester, Group: "it", Channel: "rest",
		Priority: ticket.P1, CreatedAt: noon, Plan: opening.Plan, Position: ticket.Position{Status: ticket.New}}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	again, repeat, err := s.Submit(t.Context(), store.Submission{Opening: opening, Scope: "ann", Key: "k", Hash: "h"})
	if must(t, err); !repeat {
		t.Error("a repeat, yet new")
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	if _, _, err = s.Submit(t.Context(), store.Submission{Opening: opening, Scope: "ann", Key: "k", Hash: "other"}); !errors.Is(err, store.ErrKeyReused) {
		t.Errorf("another request: %v", err)
	}
	if other, repeat, err := s.Submit(t.Context(), store.Submission{Opening: opening, Scope: "dana", Key: "k", Hash: "other"}); err != nil || repeat || other.Number != 101 {
		t.Errorf("another scope: %v %v %v", other.Number, repeat, err)
	}
	if diff := cmp.Diff(want, value(s.Ticket(t.Context(), 100))(t)); diff != "" {
		t.Error(diff)
	}
}

func TestEqualSubmissionsAtOnceAreOneTicket(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var mu sync.Mutex
	fresh, numbers := 0, map[int]bool{}
	must(t, together(20, func(int) error {
		got, repeat, err := s.Submit(t.Context(), store.Submission{Opening: ticket.Opening{Subject: "x"}, Scope: "ann", Key: "k", Hash: "h"})
		mu.Lock()
		defer mu.Unlock()
		numbers[got.Number] = true
		if !repeat {
			fresh++
		}
		return err
	}))
	if fresh != 1 || len(numbers) != 1 || numbers[0] { // which one is chance: whoever lost the race may have drawn first
		t.Errorf("%d new, numbers %v", fresh, numbers)
	}
}

func TestUnstarted(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	started := submit(t, s, "started")
	lost := submit(t, s, "lost")
	clk.pass(3 * time.Second)
	submit(t, s, "fresh")
	started.Version = 1
	must(t, s.Project(t.Context(), store.Projection{Ticket: started}))
	list := value(s.Unstarted(t.Context(), clk.Now().Add(-2*time.Second), 10))(t)
	want := []ticket.Opening{{Number: lost.Number, Subject: "lost", Requester: lost.Requester, Priority: ticket.P2, CreatedAt: noon}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
}

// Whatever the order and however often projections come, the newest stands and
// every event is there once.
func TestProjectionsConverge(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		number := submit(t, s, "x").Number
		newest := 0
		events := map[int]ticket.Event{}
		for _, version := range rapid.SliceOfN(rapid.IntRange(1, 6), 1, 8).Draw(rt, "versions") {
			p := store.Projection{Ticket: ticket.Ticket{Number: number, Version: version, Subject: fmt.Sprint(version)}, Commands: []string{fmt.Sprint("c", version)}}
			p.Ticket.Status = ticket.New
			if version%2 == 0 {
				p.Ticket.Status, p.Ticket.Assignee = ticket.Assigned, ticket.Party{ID: fmt.Sprint("agent-", number, version)}
			}
			for seq := rapid.IntRange(1, version).Draw(rt, "from"); seq <= version; seq++ {
				e := ticket.Event{Seq: seq, At: noon.Add(time.Duration(seq) * time.Second), Kind: ticket.Noted, Text: fmt.Sprint("event ", seq)}
				events[seq] = e
				p.Events = append(p.Events, e)
			}
			if err := s.Project(t.Context(), p); err != nil {
				rt.Fatal(err)
			}
			newest = max(newest, version)
		}
		got, commands, err := s.Snapshot(t.Context(), number)
		if err != nil {
			rt.Fatal(err)
		}
		if got.Version != newest || got.Subject != fmt.Sprint(newest) || len(commands) != 1 || commands[0] != fmt.Sprint("c", newest) {
			rt.Fatalf("version %d, subject %s, commands %v, want %d", got.Version, got.Subject, commands, newest)
		}
		line, err := s.Timeline(t.Context(), number)
		if err != nil || len(line) != len(events) {
			rt.Fatalf("%v: %v, want %d events", err, line, len(events))
		}
		for i, e := range line {
			if i > 0 && line[i-1].Seq >= e.Seq {
				rt.Fatalf("order: %v", line)
			}
			if diff := cmp.Diff(events[e.Seq], e); diff != "" {
				rt.Fatal(diff)
			}
		}
		m, err := s.Mentionable(t.Context(), fmt.Sprint("agent-", number, newest), true, nil)
		if err != nil || len(m.Held) != (newest+1)%2 {
			rt.Fatalf("%v: holding %v at version %d", err, m.Held, newest)
		}
	})
}
