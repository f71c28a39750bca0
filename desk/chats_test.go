package desk_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"deskbell/gateway"
	"deskbell/store"
)

// chat writes an alert by IM and has it sent.
func (w *world) chat(key, person, reason string, number int, outcome gateway.Outcome) {
	w.t.Helper()
	_, err := w.store.Write(w.t.Context(), store.Write{Outgoing: []store.Outgoing{{
		Key: key, Channel: gateway.IM, Person: person, Address: person + "@desk.localhost", Reason: reason, Ticket: number, Text: "text of " + key, Alert: true,
	}}})
	must(w.t, err)
	taken, err := w.store.Take(w.t.Context(), gateway.IM, 100)
	must(w.t, err)
	for _, d := range taken {
		if d.Key == key {
			must(w.t, w.store.Settle(w.t.Context(), d.ID, outcome))
		}
	}
}

// What asks somebody to act and is not read in the chat goes by SMS; a receipt, or a
// message of theirs, shows that it was read.
func TestUnreadChatsGoBySMS(t *testing.T) {
	w := open(t, "")
	n := w.submit("printer")
	sent := func(wire string) gateway.Outcome {
		return gateway.Outcome{State: gateway.Sent, WireIDs: []string{wire}}
	}
	texts := func() []string { return w.rows("SELECT key FROM deliveries WHERE key LIKE 'text/%' ORDER BY id") }

	w.chat("returned", "bob", "answer_in", n, gateway.Outcome{State: gateway.Failed, Reason: "service-unavailable"})
	w.until("a text instead of what came back", func() bool { return slices.Equal(texts(), []string{"text/returned"}) })
	w.chat("unread", "bob", "answer_in", n, sent("w1"))
	w.chat("read", "bob", "answer_in", n, sent("w2"))
	w.chat("answered", "eve", "answer_in", n, sent("w3"))
	must(t, w.store.Receipt(t.Context(), gateway.Receipt{Channel: gateway.IM, WireID: "w2", State: gateway.Delivered, At: w.clock.Now()}))
	w.clock.pass(time.Second)
	w.keep(gateway.Message{Channel: gateway.IM, Key: "hello/eve", From: "eve@desk.localhost", ReplyTo: "eve@desk.localhost/phone", Text: "LIST"})
	w.clock.pass(58 * time.Second)
	if unread, err := w.store.UnreadAlerts(t.Context(), 10); err != nil || len(unread) > 0 {
		t.Errorf("unread before the minute is over: %v, %v", unread, err)
	}
	w.clock.pass(time.Second)
	w.until("everything unread is dealt with", func() bool {
		unread, err := w.store.UnreadAlerts(t.Context(), 10)
		return err == nil && len(unread) == 0
	})
	if got := texts(); !slices.Equal(got, []string{"text/returned", "text/unread"}) {
		t.Errorf("texts: %q", got)
	}
	if got := w.rows("SELECT channel || ' ' || address || ' ' || text FROM deliveries WHERE key = 'text/unread'"); !slices.Equal(got, []string{"sms +15550101 text of unread"}) {
		t.Errorf("%q", got)
	}
}

// An offer that is gone is corrected where it stands.
func TestAnOfferThatIsGoneIsCorrected(t *testing.T) {
	w := open(t, "")
	n := w.submit("printer")
	w.chat("offer", "eve", "offer", n, gateway.Outcome{State: gateway.Sent, WireIDs: []string{"w1"}})
	_, err := w.store.Write(t.Context(), store.Write{Outgoing: []store.Outgoing{
		{Key: "gone", Channel: gateway.IM, Person: "eve", Address: "eve@desk.localhost", Reason: "offer_gone", Ticket: n, Text: "gone"},
		{Key: "other", Channel: gateway.IM, Person: "bob", Address: "bob@desk.localhost", Reason: "offer_gone", Ticket: n, Text: "gone"},
	}})
	must(t, err)
	taken, err := w.store.Take(t.Context(), gateway.IM, 100)
	must(t, err)
	replaced := map[string]string{}
	for _, d := range taken {
		replaced[d.Key] = d.Replaces
	}
	if len(replaced) != 2 || replaced["gone"] != "w1" || replaced["other"] != "" {
		t.Errorf("%v", replaced)
	}
}

func TestStanding(t *testing.T) {
	w := open(t, "")
	standing := func() string {
		text, err := w.desk.Standing(t.Context())
		must(t, err)
		return text
	}
	if got := standing(); got != "nothing waiting, 2 of 2 free" {
		t.Errorf("%q", got)
	}
	n := w.submit("printer")
	w.clock.pass(22 * time.Minute)
	w.submit("network")
	if got := standing(); got != "2 waiting, oldest 22m, 2 of 2 free" {
		t.Errorf("%q", got)
	}
	w.say("bob", "take "+strconv.Itoa(n))
	if got := standing(); got != "1 waiting, oldest 1m, 1 of 2 free" {
		t.Errorf("%q", got)
	}
}
