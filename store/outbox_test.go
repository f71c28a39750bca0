package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/gateway"
	"deskbell/store"
	"deskbell/ticket"
)

func TestWriteIsIdempotent(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	kept := value(s.Keep(t.Context(), []gateway.Message{{Channel: gateway.SMS, Key: "h", From: "+4930100", Text: "142"}}))(t)
	w := store.Write{
		Outgoing: []store.Outgoing{text("a"), text("b")},
		Answers:  kept[0].Key,
		Contexts: []store.ContextChange{{Person: "dana", Change: func(old []byte) ([]byte, error) {
			return fmt.Appendf(nil, `{"n": %d}`, len(old)), nil
		}}},
	}
	first := value(s.Write(t.Context(), w))(t)
	again := value(s.Write(t.Context(), w))(t)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	if got := string(value(s.Conversation(t.Context(), "dana"))(t)); got != `{"n": 0}` {
		t.Errorf("changed again: %s", got)
	}
	if list := value(s.Unfinished(t.Context(), gateway.SMS, 10))(t); len(list) != 0 {
		t.Errorf("unfinished: %v", list)
	}
	if got := value(s.Backlog(t.Context()))(t)[gateway.SMS]; got != 2 {
		t.Errorf("%d messages due", got)
	}
}

// Of a step that was written in part only the rest is written.
func TestWriteInPart(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	changed := map[string]int{}
	change := func(name, with string) store.ContextChange {
		return store.ContextChange{Person: name, With: with, Change: func([]byte) ([]byte, error) {
			changed[name]++
			return []byte("{}"), nil
		}}
	}
	write(t, s, text("a"))
	value(s.Write(t.Context(), store.Write{
		Outgoing: []store.Outgoing{text("a"), text("b")},
		Contexts: []store.ContextChange{change("with a", "a"), change("with b", "b"), change("with the step", "")},
	}))(t)
	if diff := cmp.Diff(map[string]int{"with b": 1, "with the step": 1}, changed); diff != "" {
		t.Error(diff)
	}
}

func TestWriteIsOneStep(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	no := errors.New("no")
	_, err := s.Write(t.Context(), store.Write{
		Outgoing: []store.Outgoing{text("a")},
		Contexts: []store.ContextChange{{Person: "dana", Change: func([]byte) ([]byte, error) { return nil, no }}},
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	if list := take(t, s); len(list) != 0 {
		t.Errorf("written: %v", list)
	}
	if doc := value(s.Conversation(t.Context(), "dana"))(t); doc != nil {
		t.Errorf("conversation: %s", doc)
	}
}

func TestConcurrentContextChangesAllCount(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	more := func(old []byte) ([]byte, error) {
		if old == nil {
			old = []byte(`""`)
		}
		return slices.Concat(old[:len(old)-1], []byte(`x"`)), nil
	}
	err := together(20, func(i int) error {
		people := []store.ContextChange{{Person: "ann", Change: more}, {Person: "dana", Change: more}}
		if i%2 == 0 {
			slices.Reverse(people)
		}
		_, err := s.Write(t.Context(), store.Write{Outgoing: []store.Outgoing{text(fmt.Sprint(i))}, Contexts: people})
		return err
	})
	must(t, err)
	for _, person := range []string{"ann", "dana"} {
		if doc := value(s.Conversation(t.Context(), person))(t); len(doc) != 22 {
			t.Errorf("%s: %s", person, doc)
		}
	}
}

// Many takers at once: each message is taken once, and of one address in the
// order of writing and one at a time.
func TestTakersKeepTheOrderOfARecipient(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	const people, each = 5, 12
	var list []store.Outgoing
	for i := range people * each {
		o := text(fmt.Sprintf("%03d", i))
		o.Person, o.Address = "", fmt.Sprintf("+49301%d", i%people)
		list = append(list, o)
	}
	write(t, s, list...)

	var mu sync.Mutex
	underWay := map[string]bool{}
	last := map[string]string{}
	taken := 0
	must(t, together(6, func(int) error {
		for {
			batch, err := s.Take(t.Context(), gateway.SMS, 3)
			if err != nil {
				return err
			}
			mu.Lock()
			for _, d := range batch {
				if underWay[d.To] || d.Key <= last[d.To] {
					err = fmt.Errorf("%s to %s after %s, under way %v", d.Key, d.To, last[d.To], underWay[d.To])
				}
				underWay[d.To], last[d.To] = true, d.Key
				taken++
			}
			done := taken == people*each
			mu.Unlock()
			if err != nil || done && len(batch) == 0 {
				return err
			}
			for _, d := range batch {
				mu.Lock()
				underWay[d.To] = false
				mu.Unlock()
				if err := s.Settle(t.Context(), d.ID, gateway.Outcome{State: gateway.Sent, WireIDs: []string{d.Key}}); err != nil {
					return err
				}
			}
		}
	}))
	if taken != people*each {
		t.Errorf("%d taken", taken)
	}
}

func TestTakeOrder(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	later := text("deferred")
	later.NotBefore = noon.Add(time.Minute)
	urgent := text("urgent")
	urgent.Urgent = true
	write(t, s, text("first"), later, text("second"), urgent)

	if diff := cmp.Diff([]string{"urgent", "first"}, keys(take(t, s))); diff != "" {
		t.Fatal(diff)
	}
	if list := take(t, s); len(list) != 0 {
		t.Fatalf("taken while others are being sent: %v", keys(list))
	}
	ids := write(t, s, text("first"), urgent)
	settle(t, s, ids[1], gateway.Outcome{State: gateway.Sent})
	// Throttled: it keeps its place, and what follows waits for it.
	settle(t, s, ids[0], gateway.Outcome{State: gateway.Due, RetryIn: 10 * time.Second})
	if list := take(t, s); len(list) != 0 {
		t.Fatalf("overtaken by %v", keys(list))
	}
	clk.pass(10 * time.Second)
	list := take(t, s)
	if diff := cmp.Diff([]string{"first"}, keys(list)); diff != "" {
		t.Fatal(diff)
	}
	if list[0].Attempt != 2 {
		t.Errorf("attempt %d", list[0].Attempt)
	}
	settle(t, s, ids[0], gateway.Outcome{State: gateway.Sent})
	if diff := cmp.Diff([]string{"second"}, keys(take(t, s))); diff != "" {
		t.Fatal("what waits for its own time must not hold up others: ", diff)
	}
	clk.pass(time.Minute)
	settle(t, s, write(t, s, text("second"))[0], gateway.Outcome{State: gateway.Sent})
	if diff := cmp.Diff([]string{"deferred"}, keys(take(t, s))); diff != "" {
		t.Fatal(diff)
	}
}

// The cost of taking grows with the backlog, not with its square: 3000 rows take
// some 40 ms, a join of the queue with itself took 12 s.
func TestALongBacklog(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var list []store.Outgoing
	for i := range 3000 {
		o := text(fmt.Sprint(i))
		o.Address = o.Key
		list = append(list, o)
	}
	write(t, s, list...)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if batch := value(s.Take(ctx, gateway.SMS, 100))(t); len(batch) != 100 {
		t.Errorf("%d taken", len(batch))
	}
}

// An offer that waits for company and will not leave, because somebody took its
// ticket, keeps the next one from nobody.
func TestAStaleOfferKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	offer := func(key string) ticket.Ticket {
		about := submit(t, s, key)
		o := text(key)
		o.Reason, o.Ticket = "offer", about.Number
		write(t, s, o)
		return about
	}
	offer("first")
	settle(t, s, take(t, s)[0].ID, gateway.Outcome{State: gateway.Sent})
	taken := offer("stale")
	taken.Version, taken.Status, taken.Assignee = 2, ticket.Assigned, ticket.Party{ID: "ann"}
	must(t, s.Project(t.Context(), store.Projection{Ticket: taken}))
	clk.pass(time.Minute)
	offer("next")
	if diff := cmp.Diff([]string{"next"}, keys(take(t, s))); diff != "" {
		t.Error(diff)
	}
}

func TestTakeDiscardsWhatIsNotWanted(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	waiting, taken := submit(t, s, "waiting"), submit(t, s, "taken")
	taken.Version, taken.Status, taken.Assignee = 2, ticket.Assigned, ticket.Party{ID: "dana"}
	must(t, s.Project(t.Context(), store.Projection{Ticket: taken}))

	about := func(key, reason string, number int) store.Outgoing {
		o := text(key)
		o.Person, o.Address, o.Reason, o.Ticket = "ann", "+4930200/"+key, reason, number
		return o
	}
	short := about("short", "offer", waiting.Number)
	short.Expires = noon.Add(time.Second)
	im := about("stopped, by IM", "note_ok", 0)
	im.Person, im.Channel = "dana", gateway.IM
	stop := about("the text after STOP", "stop_ok", 0)
	stop.Person = "dana"
	stoppedSMS := about("stopped", "note_ok", 0)
	stoppedSMS.Person = "dana"
	stale := about("stale offer", "offer", taken.Number)
	stale.Person = "bob"
	list := []store.Outgoing{
		about("offer", "offer", waiting.Number), stale, about("stale page", "page", taken.Number),
		about("stand-down", "page_off", taken.Number), short, im, stop, stoppedSMS,
	}
	ids := write(t, s, list...)
	must(t, s.SetStopped(t.Context(), "dana", true))
	clk.pass(time.Second)
	take(t, s)
	want := map[string]gateway.State{
		"offer": gateway.Sending, "stale offer": gateway.Cancelled, "stale page": gateway.Cancelled, "stand-down": gateway.Sending,
		"short": gateway.Expired, "stopped, by IM": gateway.Due, "the text after STOP": gateway.Sending, "stopped": gateway.Failed,
	}
	got := map[string]gateway.State{}
	for i, o := range list {
		got[o.Key] = fate(t, s, ids[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// After an unknown outcome an alert is sent once more, in other words; nothing else
// is, and no text goes out three times.
func TestUnknownOutcomes(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	alert := text("alert")
	alert.Alert, alert.Again = true, "again: alert"
	confirmation := text("confirmation")
	confirmation.Address = "+4930200"
	ids := write(t, s, alert, confirmation)

	take(t, s)
	settle(t, s, ids[0], gateway.Outcome{State: gateway.Due}) // throttled: no unknown outcome yet
	settle(t, s, ids[1], gateway.Outcome{State: gateway.Unknown})
	if list := take(t, s); len(list) != 1 || list[0].Text != "alert" || list[0].Repeated {
		t.Fatalf("%+v", list)
	}
	must(t, s.Recover(t.Context(), gateway.SMS))
	list := take(t, s)
	if len(list) != 1 || list[0].Text != "again: alert" || !list[0].Repeated {
		t.Fatalf("%+v", list)
	}
	must(t, s.Recover(t.Context(), gateway.SMS))
	if list := take(t, s); len(list) != 0 {
		t.Errorf("a third time: %v", list)
	}
	for _, id := range ids {
		if got := fate(t, s, id); got != gateway.Unknown {
			t.Errorf("%d is %s", id, got)
		}
	}
	// The old holder comes back and knows.
	settle(t, s, ids[0], gateway.Outcome{State: gateway.Sent, WireIDs: []string{"1"}})
	settle(t, s, ids[0], gateway.Outcome{State: gateway.Failed})
	if got := fate(t, s, ids[0]); got != gateway.Sent {
		t.Errorf("late: %s", got)
	}
}

// Of a flood the first offer comes by itself and all others in one text, before most of
// their life is over, also where they live shorter than a text a minute would take.
func TestFloodIsOneBundle(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ life, waits time.Duration }{
		"minutes": {15 * time.Minute, time.Minute},
		"seconds": {20 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, clk := open(t)
			desk(t, s)
			s.Bundle = func(b store.Bundle) (string, error) { return fmt.Sprint(len(b.Tickets), " more"), nil }
			const flood = 30
			offers := make([]store.Outgoing, flood)
			for i := range offers {
				offers[i] = text(fmt.Sprint("offer ", i))
				offers[i].Reason, offers[i].Ticket = "offer", submit(t, s, "x").Number
				offers[i].Expires = clk.Now().Add(tt.life)
			}
			must(t, together(flood, func(i int) error {
				_, err := s.Write(t.Context(), store.Write{Outgoing: offers[i : i+1]})
				return err
			}))
			texts := func() (list []string) {
				for _, d := range take(t, s) {
					settle(t, s, d.ID, gateway.Outcome{State: gateway.Sent})
					list = append(list, d.Text)
				}
				return list
			}
			if first := texts(); len(first) != 1 {
				t.Fatalf("at once: %q", first)
			}
			clk.pass(tt.waits - time.Second)
			if early := texts(); early != nil {
				t.Errorf("too early: %q", early)
			}
			clk.pass(time.Second)
			if diff := cmp.Diff([]string{"29 more"}, texts()); diff != "" {
				t.Error(diff)
			}
			clk.pass(time.Hour)
			if late := texts(); late != nil {
				t.Errorf("late: %q", late)
			}
		})
	}
}

// What was sent in one message is lost with it: with the text, or with the text that
// follows a chat which nobody read.
func TestABundleThatFails(t *testing.T) {
	t.Parallel()
	for _, channel := range []gateway.Channel{gateway.SMS, gateway.IM} {
		t.Run(string(channel), func(t *testing.T) {
			t.Parallel()
			s, clk := open(t)
			desk(t, s)
			s.Bundle = func(b store.Bundle) (string, error) { return fmt.Sprint(len(b.Tickets), " more"), nil }
			numbers := map[string]int{}
			for _, key := range []string{"first", "second", "third"} {
				o := text(key)
				o.Channel, o.Reason, o.Ticket, o.Alert, o.Expires = channel, "offer", submit(t, s, "x").Number, true, clk.Now().Add(15*time.Minute)
				write(t, s, o)
				numbers[key] = o.Ticket
			}
			next := func(channel gateway.Channel, o gateway.Outcome) gateway.Delivery {
				t.Helper()
				list := value(s.Take(t.Context(), channel, 10))(t)
				if len(list) != 1 {
					t.Fatalf("%+v", list)
				}
				settle(t, s, list[0].ID, o)
				return list[0]
			}
			next(channel, gateway.Outcome{State: gateway.Sent, WireIDs: []string{"1"}})
			clk.pass(time.Minute)
			sent := next(channel, gateway.Outcome{State: gateway.Sent, WireIDs: []string{"2"}})
			if channel == gateway.IM {
				o := text("text/" + sent.Key)
				o.Reason, o.Alert = "offer_bundle", true
				write(t, s, o)
				next(gateway.SMS, gateway.Outcome{State: gateway.Sent, WireIDs: []string{"2"}})
			}
			if lost := value(s.FailedAlerts(t.Context(), 10))(t); len(lost) > 0 {
				t.Errorf("lost: %+v", lost)
			}
			receive(t, s, "2", gateway.Failed)
			var want []store.FailedAlert
			lost := value(s.FailedAlerts(t.Context(), 10))(t)
			for i, key := range []string{"second", "third"} {
				f := store.FailedAlert{Key: key, Ticket: numbers[key], Person: "dana", Channel: gateway.SMS, Reason: "offer"}
				if i < len(lost) {
					f.ID, f.Why = lost[i].ID, lost[i].Why
				}
				want = append(want, f)
			}
			if diff := cmp.Diff(want, lost); diff != "" {
				t.Fatal(diff)
			}
			for _, f := range lost {
				must(t, s.Reported(t.Context(), f.ID))
			}
			if lost := value(s.FailedAlerts(t.Context(), 10))(t); len(lost) > 0 {
				t.Errorf("lost again: %+v", lost)
			}
		})
	}
}

// An offer whose clock was read before that of the one that overtook it waits for
// company all the same; one that waits for the morning keeps no other waiting.
func TestOffersThatOvertake(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	s.Bundle = func(b store.Bundle) (string, error) { return fmt.Sprint(b.Subjects), nil }
	offer := func(key string, notBefore time.Time) {
		o := text(key)
		o.Reason, o.Ticket, o.NotBefore, o.Expires = "offer", submit(t, s, key).Number, notBefore, clk.Now().Add(2*time.Hour)
		write(t, s, o)
	}
	leaves := func(want ...string) {
		t.Helper()
		var list []string
		for _, d := range take(t, s) {
			settle(t, s, d.ID, gateway.Outcome{State: gateway.Sent})
			list = append(list, d.Text)
		}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Error(diff)
		}
	}
	offer("in the morning", clk.Now().Add(time.Hour))
	offer("one", time.Time{})
	clk.pass(-time.Second)
	offer("two", time.Time{})
	offer("three", time.Time{})
	clk.pass(time.Second)
	leaves("one")
	clk.pass(time.Minute)
	leaves("[two three]")
	clk.pass(time.Hour)
	leaves("in the morning")
}

// Who got as many offers within an hour as the budget allows gets all others in one
// message when the hour is over, however short they would live; pages, and offers
// without a budget, do not wait.
func TestBudgetOfOffers(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	s.Bundle = func(b store.Bundle) (string, error) { return fmt.Sprint(b.Subjects), nil }
	offer := func(key string, budget int) int64 {
		o := text(key)
		o.Reason, o.Ticket, o.Budget, o.Alert = "offer", submit(t, s, key).Number, budget, true
		o.Expires = clk.Now().Add(10 * time.Minute)
		return write(t, s, o)[0]
	}
	texts := func() (list []string) {
		for _, d := range take(t, s) {
			settle(t, s, d.ID, gateway.Outcome{State: gateway.Sent})
			list = append(list, d.Text)
		}
		return list
	}
	var sent []string
	for _, key := range []string{"one", "two"} {
		offer(key, 2)
		sent = append(sent, texts()...)
		clk.pass(2 * time.Minute)
	}
	if diff := cmp.Diff([]string{"one", "two"}, sent); diff != "" {
		t.Fatal(diff)
	}
	three, four := offer("three", 2), int64(0)
	clk.pass(20 * time.Minute)
	four = offer("four", 2)
	offer("urgent", 0)
	page := text("page")
	page.Reason, page.Urgent = "page", true
	write(t, s, page)
	if diff := cmp.Diff([]string{"page", "urgent"}, texts()); diff != "" {
		t.Error(diff)
	}
	held := value(s.HeldBack(t.Context(), "dana"))(t)
	if len(held) != 2 || held[0].Subject != "three" || held[1].Deliveries[0] != four {
		t.Errorf("held back: %+v", held)
	}
	clk.pass(35*time.Minute + 59*time.Second) // an hour after the first but for a second
	if list := texts(); list != nil {
		t.Errorf("too early: %v", list)
	}
	clk.pass(time.Second)
	if diff := cmp.Diff([]string{"[three four]"}, texts()); diff != "" {
		t.Error(diff)
	}
	if got := fate(t, s, three); got != gateway.Cancelled {
		t.Errorf("three is %s beside its bundle", got)
	}
	if held := value(s.HeldBack(t.Context(), "dana"))(t); len(held) != 0 {
		t.Errorf("still held back: %+v", held)
	}
}

// What stands in place of held messages is written with their end, or not at all.
func TestAWriteInPlaceOfOthers(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	o := text("night")
	o.Reason, o.Ticket, o.NotBefore, o.Expires = "offer", submit(t, s, "night").Number, noon.Add(time.Hour), noon.Add(2*time.Hour)
	id := write(t, s, o)[0]
	if fates := value(s.Fates(t.Context(), []string{"night"}))(t); fates["night"].Why != "waits in a bundle" {
		t.Errorf("%+v", fates)
	}
	digest := store.Write{Outgoing: []store.Outgoing{text("digest")}, Bundles: []int64{id}}
	for range 2 {
		if _, err := s.Write(t.Context(), digest); err != nil {
			t.Fatal(err)
		}
	}
	if got := fate(t, s, id); got != gateway.Cancelled {
		t.Errorf("beside the digest the offer is %s", got)
	}
}
