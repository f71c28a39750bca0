package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"deskbell/gateway"
	"deskbell/store"
)

func receive(t testing.TB, s *store.Store, wire string, state gateway.State) {
	t.Helper()
	receiveOn(t, s, gateway.SMS, wire, state)
}

func receiveOn(t testing.TB, s *store.Store, channel gateway.Channel, wire string, state gateway.State) {
	t.Helper()
	must(t, s.Receipt(t.Context(), gateway.Receipt{Channel: channel, WireID: wire, State: state, At: noon, Reason: "word of the network"}))
}

// send writes, takes and settles one message.
func send(t testing.TB, s *store.Store, key string, wires ...string) int64 {
	t.Helper()
	return sendOn(t, s, gateway.SMS, key, wires...)
}

func sendOn(t testing.TB, s *store.Store, channel gateway.Channel, key string, wires ...string) int64 {
	t.Helper()
	o := text(key)
	o.Channel, o.Address = channel, "+49 to "+key
	id := write(t, s, o)[0]
	value(s.Take(t.Context(), channel, 100))(t)
	settle(t, s, id, gateway.Outcome{State: gateway.Sent, WireIDs: wires})
	return id
}

func TestReceiptsFindTheirMessage(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sent, receipt string
		match         bool
	}{
		"equal":                  {"8a1f-77", "8a1f-77", true},
		"other case":             {"AB12", "ab12", true},
		"leading zeros":          {"0000AB12", "ab12", true},
		"zero":                   {"000", "0", true},
		"hexadecimal, decimal":   {"0000AB12", "0000043794", true},
		"decimal, hexadecimal":   {"43794", "AB12", true},
		"long":                   {"ffffffffffffffffffffffffffffffff", "340282366920938463463374607431768211455", true},
		"decimal as hexadecimal": {"16", "22", true},
		"another":                {"100", "101", false},
		"no number":              {"x-1", "x-2", false},
		"signs are no digits":    {"-1", "1", false},
		"underscores neither":    {"1_0", "10", false},
	}
	s, _ := open(t)
	for name, tt := range tests {
		want := gateway.Sent
		if tt.match {
			want = gateway.Delivered
		}
		// A channel of its own keeps one case from the others.
		after, before := gateway.Channel(name+", after"), gateway.Channel(name+", before")
		id := sendOn(t, s, after, name+" after", tt.sent)
		receiveOn(t, s, after, tt.receipt, gateway.Delivered)
		if got := fate(t, s, id); got != want {
			t.Errorf("%s: %s", after, got)
		}
		receiveOn(t, s, before, tt.receipt, gateway.Delivered)
		if got := fate(t, s, sendOn(t, s, before, name+" before", tt.sent)); got != want {
			t.Errorf("%s: %s", before, got)
		}
	}
}

func TestTheBestMatchCounts(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	hex, exact := send(t, s, "hex", "10"), send(t, s, "exact", "16")
	receive(t, s, "16", gateway.Delivered)
	if fate(t, s, hex) != gateway.Sent || fate(t, s, exact) != gateway.Delivered {
		t.Errorf("hex %s, exact %s", fate(t, s, hex), fate(t, s, exact))
	}
	old, reused := send(t, s, "old", "77"), send(t, s, "reused", "77")
	receive(t, s, "77", gateway.Failed)
	if fate(t, s, old) != gateway.Sent || fate(t, s, reused) != gateway.Failed {
		t.Errorf("old %s, reused %s", fate(t, s, old), fate(t, s, reused))
	}
}

// In every order of receipts for two segments: failed as soon as one is, delivered
// when both are, and never back.
func TestSegments(t *testing.T) {
	t.Parallel()
	type word struct {
		wire  string
		state gateway.State
	}
	tests := []struct {
		words []word
		want  []gateway.State
	}{
		{[]word{{"a", gateway.Delivered}, {"b", gateway.Delivered}}, []gateway.State{gateway.Sent, gateway.Delivered}},
		{[]word{{"a", gateway.Delivered}, {"b", gateway.Failed}}, []gateway.State{gateway.Sent, gateway.Failed}},
		{[]word{{"a", gateway.Failed}, {"b", gateway.Delivered}}, []gateway.State{gateway.Failed, gateway.Failed}},
		{[]word{{"a", gateway.Expired}, {"b", gateway.Delivered}, {"a", gateway.Delivered}}, []gateway.State{gateway.Expired, gateway.Expired, gateway.Expired}},
		{[]word{{"a", gateway.Unknown}, {"a", gateway.Delivered}, {"b", gateway.Delivered}}, []gateway.State{gateway.Sent, gateway.Sent, gateway.Delivered}},
		{[]word{{"a", gateway.Delivered}, {"b", gateway.Delivered}, {"a", gateway.Failed}, {"b", gateway.Unknown}},
			[]gateway.State{gateway.Sent, gateway.Delivered, gateway.Delivered, gateway.Delivered}},
	}
	s, _ := open(t)
	for i, tt := range tests {
		after, before := gateway.Channel(fmt.Sprint(i, " after")), gateway.Channel(fmt.Sprint(i, " before"))
		id := sendOn(t, s, after, string(after), "a", "b")
		var got []gateway.State
		for _, w := range tt.words {
			receiveOn(t, s, after, w.wire, w.state)
			got = append(got, fate(t, s, id))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d: %s", i, diff)
		}
		for _, w := range tt.words {
			receiveOn(t, s, before, w.wire, w.state)
		}
		if got := fate(t, s, sendOn(t, s, before, string(before), "a", "b")); got != tt.want[len(tt.want)-1] {
			t.Errorf("%d, receipts before: %s", i, got)
		}
	}
}

func TestAReceiptWaitsADay(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	receive(t, s, "late", gateway.Failed)
	clk.pass(24*time.Hour + time.Second)
	if got := fate(t, s, send(t, s, "x", "late")); got != gateway.Sent {
		t.Errorf("%s", got)
	}
}

// However a receipt and the storing of its send fall together, neither misses the
// other.
func TestReceiptsMeetTheirSend(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	const n = 40
	var list []store.Outgoing
	for i := range n {
		o := text(fmt.Sprint(i))
		o.Address = fmt.Sprint("+49 to ", i)
		list = append(list, o)
	}
	ids := write(t, s, list...)
	take(t, s)
	must(t, together(2*n, func(i int) error {
		number := 0xabc00 + i/2
		if i%2 == 0 {
			return s.Settle(t.Context(), ids[i/2], gateway.Outcome{State: gateway.Sent, WireIDs: []string{fmt.Sprintf("%x", number)}})
		}
		return s.Receipt(t.Context(), gateway.Receipt{Channel: gateway.SMS, WireID: fmt.Sprint(number), State: gateway.Delivered})
	}))
	states := value(s.Fate(t.Context(), ids))(t)
	if slices.ContainsFunc(states, func(state gateway.State) bool { return state != gateway.Delivered }) {
		t.Error(states)
	}
}

func TestFailedAlerts(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	number := submit(t, s, "x").Number
	alert := func(key, reason string) store.Outgoing {
		o := text(key)
		o.Address, o.Reason, o.Ticket, o.Alert = "+49 to "+key, reason, number, true
		return o
	}
	short := alert("expires", "offer")
	short.Expires = noon.Add(time.Second)
	im := alert("page by IM", "page")
	im.Channel = gateway.IM
	plain := alert("no alert", "req_claimed")
	plain.Alert = false
	list := []store.Outgoing{alert("refused", "offer"), alert("sent offer", "offer"), alert("receipt says no", "page"),
		alert("delivered page", "page"), alert("silent page", "page"), short, im, plain}
	ids := write(t, s, list...)
	take(t, s)
	value(s.Take(t.Context(), gateway.IM, 10))(t)
	settle(t, s, ids[0], gateway.Outcome{State: gateway.Failed, Reason: "ESME_RINVDSTADR"})
	for i := 1; i < 7; i++ {
		if i != 5 {
			settle(t, s, ids[i], gateway.Outcome{State: gateway.Sent, WireIDs: []string{fmt.Sprint("w", i)}})
		}
	}
	settle(t, s, ids[5], gateway.Outcome{State: gateway.Due})
	settle(t, s, ids[7], gateway.Outcome{State: gateway.Failed})
	receive(t, s, "w2", gateway.Failed)
	receive(t, s, "w3", gateway.Delivered)

	failed := func() (names []string) {
		for _, a := range value(s.FailedAlerts(t.Context(), 10))(t) {
			names = append(names, a.Key)
		}
		return names
	}
	clk.pass(59 * time.Second)
	take(t, s)
	if diff := cmp.Diff([]string{"refused", "receipt says no", "expires"}, failed()); diff != "" {
		t.Error(diff)
	}
	clk.pass(time.Second)
	if diff := cmp.Diff([]string{"refused", "receipt says no", "silent page", "expires"}, failed()); diff != "" {
		t.Error(diff)
	}
	first := value(s.FailedAlerts(t.Context(), 1))(t)
	want := []store.FailedAlert{{ID: ids[0], Key: "refused", Ticket: number, Person: "dana", Channel: gateway.SMS, Reason: "offer", Why: "ESME_RINVDSTADR"}}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	must(t, s.Reported(t.Context(), ids[0]))
	if diff := cmp.Diff([]string{"receipt says no", "silent page", "expires"}, failed()); diff != "" {
		t.Error(diff)
	}
}

func TestReceiptsOfNothingAreForgotten(t *testing.T) {
	t.Parallel()
	s, clk, url := openAt(t)
	conn := value(pgx.Connect(t.Context(), url))(t)
	defer conn.Close(t.Context())
	waiting := func() (wires []string) {
		rows := value(conn.Query(t.Context(), "SELECT wire FROM orphans ORDER BY id"))(t)
		return value(pgx.CollectRows(rows, pgx.RowTo[string]))(t)
	}
	receive(t, s, "first", gateway.Delivered)
	clk.pass(23 * time.Hour)
	receive(t, s, "second", gateway.Delivered)
	if diff := cmp.Diff([]string{"first", "second"}, waiting()); diff != "" {
		t.Error("within a day:", diff)
	}
	clk.pass(2 * time.Hour)
	receive(t, s, "third", gateway.Delivered)
	if diff := cmp.Diff([]string{"second", "third"}, waiting()); diff != "" {
		t.Error("after a day:", diff)
	}
}
