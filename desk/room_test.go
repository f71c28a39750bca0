package desk_test

import (
	"fmt"
	"slices"
	"testing"

	"deskbell/activities"
	"deskbell/gateway"
)

const room = "team@rooms.desk.localhost"

// The room hears each change once. What people say to the desk there counts: a line
// answers it there, details and questions go to their own chat, and whom the room hides
// is told why nothing is done.
func TestRoom(t *testing.T) {
	w := open(t, "", room)
	n := w.submit("printer\nbroken")
	line := func(from, text string) string {
		w.serial++
		return w.keep(gateway.Message{Channel: gateway.IM, Key: fmt.Sprint("line/", w.serial), From: from, ReplyTo: room, Text: text, Archive: room, Cursor: fmt.Sprint(w.serial)})[0]
	}
	heard := func() []string {
		return w.rows("SELECT text FROM deliveries WHERE address = $1 AND answers = '' ORDER BY id", room)
	}
	answer := func(from, text string) string {
		t.Helper()
		key := line(from, text)
		w.answer(key)
		return slices.Concat(w.rows("SELECT address || ' ' || text FROM deliveries WHERE answers = $1", key), []string{""})[0]
	}
	bob, eve := "bob@desk.localhost", "eve@desk.localhost"
	for _, c := range []struct{ from, text, want string }{
		{"mal@desk.localhost", fmt.Sprint("take ", n), ""},
		{room + "/bob", fmt.Sprint("take ", n), room + " I cannot see who writes in this room, so I only tell news here. Please write to me in a chat of our own."},
		{room + "/eve", fmt.Sprint("take ", n), ""},
		{bob, "list", fmt.Sprintf("%s 1 waiting:\n#%d printer broken\nReply a number to take it.", bob, n)},
		{bob, "who", room + " Bob: Free: Bob, Eve\nBusy: -\nAway: -"},
		{bob, fmt.Sprint("take ", n), fmt.Sprintf("%s #%d is yours: printer broken\nAnn Lee, +15550201\nWhen it is fixed: C %d what you did. Give back: R %d.", bob, n, n, n)},
		{eve, fmt.Sprint("take ", n), fmt.Sprintf("%s Too late: Bob took #%d at 10:38. Nothing else is waiting.", eve, n)},
		{eve, fmt.Sprint("done ", n), fmt.Sprintf("%s Eve: #%d is with Bob since 10:38. To take it over: TAKEOVER %d.", room, n, n)},
		{bob, fmt.Sprint("done ", n, " new toner"), fmt.Sprintf("%s #%d closed after 1m. Ann Lee has been told. Wrong? UNDO (10 min).", bob, n)},
	} {
		if got := answer(c.from, c.text); got != c.want {
			t.Errorf("%s says %s:\n got %q\nwant %q", c.from, c.text, got, c.want)
		}
	}
	want := []string{fmt.Sprintf("New #%d (normal): printer broken. To take it write: TAKE %d", n, n), fmt.Sprintf("#%d was taken by Bob.", n), fmt.Sprintf("#%d was closed by Bob.", n)}
	if got := heard(); !slices.Equal(got, want) {
		t.Errorf("the room heard %q", got)
	}
	// A projection that is written again says nothing again.
	events, err := w.store.Timeline(t.Context(), n)
	must(t, err)
	must(t, w.desk.TicketActivities().Project(t.Context(), activities.Projection{Ticket: w.ticket(n), Events: events}))
	if got := heard(); !slices.Equal(got, want) {
		t.Errorf("and then %q", got)
	}
	if id, _, err := w.store.Cursor(t.Context(), room); err != nil || id != fmt.Sprint(w.serial) {
		t.Errorf("the room's cursor %q, %v", id, err)
	}
	if id, _, err := w.store.Cursor(t.Context(), ""); err != nil || id != "" {
		t.Errorf("the account's cursor %q, %v", id, err)
	}

	// After an unknown outcome a line is due again, and its sender looks for it first.
	taken, err := w.store.Take(t.Context(), gateway.IM, 10)
	must(t, err)
	i := slices.IndexFunc(taken, func(d gateway.Delivery) bool { return d.To == room && d.Text == want[0] })
	if i < 0 {
		t.Fatalf("taken %+v", taken)
	}
	must(t, w.store.Settle(t.Context(), taken[i].ID, gateway.Outcome{State: gateway.Unknown}))
	taken, err = w.store.Take(t.Context(), gateway.IM, 10)
	must(t, err)
	if i := slices.IndexFunc(taken, func(d gateway.Delivery) bool { return d.To == room }); i < 0 || taken[i].Text != want[0] || taken[i].Attempt != 2 {
		t.Errorf("taken again %+v", taken)
	}
}
