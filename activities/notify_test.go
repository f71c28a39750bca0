package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"deskbell/activities"
	"deskbell/roster"
	"deskbell/ticket"
)

// outside is addresses, a waiting list and an outbox that keeps a key once.
type outside struct {
	people  map[string]roster.Person
	replies map[string]string // command to address
	waiting []ticket.Ticket
	err     error
	posted  []activities.Post
	keys    map[string]bool
}

func (o *outside) PeopleByID(context.Context, []string) (map[string]roster.Person, error) {
	return o.people, o.err
}
func (o *outside) ReplyTo(_ context.Context, command string) (string, error) {
	return o.replies[command], nil
}
func (o *outside) Waiting(context.Context, int) ([]ticket.Ticket, error) { return o.waiting, nil }
func (o *outside) Post(_ context.Context, posts []activities.Post) error {
	for _, p := range posts {
		if !o.keys[p.Notice.Key] {
			o.keys[p.Notice.Key] = true
			o.posted = append(o.posted, p)
		}
	}
	return nil
}

func newOutside() *outside {
	return &outside{keys: map[string]bool{}, replies: map[string]string{}, people: map[string]roster.Person{
		"ann": {ID: "ann", Name: "Ann Lee", Phone: "+1555001", Loc: "3rd floor"},
		"bob": {ID: "bob", Name: "Bob", Phone: "+1555002", JID: "bob@desk.localhost"},
		"uli": {ID: "uli", Name: "Uli", Phone: "+49555003", Language: "de"},
		"nix": {ID: "nix", Name: "Nix"},
	}}
}

func (o *outside) notify(t *testing.T, notices ...ticket.Notice) int {
	t.Helper()
	a := &activities.Notices{Addresses: o, Waiting: o, Outbox: o, Zone: time.UTC, URL: "http://desk", Log: slog.New(slog.DiscardHandler)}
	n, err := a.Notify(t.Context(), activities.NotifyInput{Notices: notices, Now: noon, Ticket: ticket.Ticket{
		Number: 142, Subject: "Printer jams", Requester: ticket.Party{ID: "ann", Name: "Ann Lee", Via: "sms"}, Priority: ticket.P1, CreatedAt: noon,
		Plan: ticket.Plan{Repeat: 5 * time.Minute, AutoClose: 72 * time.Hour},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func to(id, via string, m ticket.Message, change ...func(*ticket.Notice)) ticket.Notice {
	n := ticket.Notice{Key: "142/1/" + string(m) + "/" + id + "/" + via, To: ticket.Party{ID: id, Name: id, Via: via}, Message: m,
		Who: ticket.Party{ID: "bob", Name: "Bob"}, At: noon, Until: noon.Add(5 * time.Minute), Text: "text"}
	for _, f := range change {
		f(&n)
	}
	return n
}

func answers(command string) func(*ticket.Notice) {
	return func(n *ticket.Notice) { n.Answers = command }
}

func alert(n *ticket.Notice) { n.Alert, n.Expires = true, n.Until }

// The same batch again, after a crash or in the next run, posts nothing more.
func TestNotifyIsIdempotent(t *testing.T) {
	t.Parallel()
	o := newOutside()
	batch := []ticket.Notice{to("bob", "sms", "offer", alert), to("ann", "sms", "req_claimed")}
	for range 3 {
		if n := o.notify(t, batch...); n != 2 {
			t.Errorf("%d of 2 posted", n)
		}
	}
	if len(o.posted) != 2 {
		t.Errorf("%d posts", len(o.posted))
	}
}

func TestNotifyPosts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		notice        ticket.Notice
		address, text string // part of it
		posted        bool
		wordless      bool
	}{
		"by SMS":                         {to("bob", "sms", "offer", alert), "+1555002", "#142", true, false},
		"by IM":                          {to("bob", "im", "offer", alert), "bob@desk.localhost", "#142", true, false},
		"to where the command came from": {to("bob", "sms", "take_ok", answers("from-elsewhere")), "+1555099", "#142", true, false},
		"to a known address if unknown":  {to("bob", "sms", "take_ok", answers("by-hand")), "+1555002", "#142", true, false},
		"in their language":              {to("uli", "sms", "req_claimed"), "+49555003", "Bob", true, false},
		"nothing for SMS to say":         {to("bob", "sms", "offer_gone"), "", "", false, true},
		"but the message is answered":    {to("bob", "sms", "offer_gone", answers("x")), "+1555002", "", true, true},
		"no address":                     {to("nix", "sms", "req_claimed"), "", "", false, true},
		"no address, but answered":       {to("nix", "sms", "take_ok", answers("y")), "", "", true, true},
		"a word that nobody knows":       {to("bob", "sms", "no_such_text", answers("z")), "+1555002", "", true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutside()
			o.replies["from-elsewhere"] = "+1555099"
			n := o.notify(t, test.notice)
			if got := n == 1; got != test.posted {
				t.Fatalf("posted %d", n)
			}
			if !test.posted {
				return
			}
			p := o.posted[0]
			if p.Address != test.address || p.Channel != test.notice.To.Via || p.Notice.Key != test.notice.Key || !p.Now.Equal(noon) {
				t.Errorf("%+v", p)
			}
			if (p.Text == "") != test.wordless || !strings.Contains(p.Text, test.text) || strings.ContainsAny(p.Text, "{}") {
				t.Errorf("says %q", p.Text)
			}
			if !p.Notice.Expires.Equal(test.notice.Expires) {
				t.Errorf("expires %v, want %v", p.Notice.Expires, test.notice.Expires)
			}
		})
	}
}

// Only what asks somebody to act is sent again after an unknown outcome, and says
// so.
func TestNotifyAgain(t *testing.T) {
	t.Parallel()
	o := newOutside()
	o.notify(t, to("bob", "sms", "page", alert), to("ann", "sms", "req_claimed"))
	page, told := o.posted[0], o.posted[1]
	if page.Again == "" || page.Again == page.Text || told.Again != "" {
		t.Errorf("again: %q after %q, and %q", page.Again, page.Text, told.Again)
	}
}

// A text may speak of what else waits, and of the ticket's place.
func TestNotifySpeaksOfTheQueue(t *testing.T) {
	t.Parallel()
	o := newOutside()
	o.waiting = []ticket.Ticket{{Number: 140, Subject: "Mouse"}, {Number: 142, Subject: "Printer jams"}}
	o.notify(t, to("bob", "sms", "take_lost", answers("x")))
	if text := o.posted[0].Text; !strings.Contains(text, "140") || strings.Count(text, "142") > 1 {
		t.Errorf("says %q", text)
	}
}

// A failure is one that the engine tries again, and nothing is posted by halves.
func TestNotifyFails(t *testing.T) {
	t.Parallel()
	o := newOutside()
	o.err = errors.New("away")
	a := &activities.Notices{Addresses: o, Waiting: o, Outbox: o, Zone: time.UTC, Log: slog.New(slog.DiscardHandler)}
	_, err := a.Notify(t.Context(), activities.NotifyInput{Notices: []ticket.Notice{to("bob", "sms", "offer")}})
	if !errors.Is(err, o.err) || len(o.posted) > 0 {
		t.Errorf("%v, %d posts", err, len(o.posted))
	}
}

// Every text that the ticket's notices name can be worded on both channels from
// what Notify knows: a notice that cannot would be tried for ever.
func TestEveryNoticeCanBeWorded(t *testing.T) {
	t.Parallel()
	o := newOutside()
	for _, m := range []ticket.Message{"req_created", "offer", "reminder", "decline_ok", "take_ok", "offer_gone", "page_off", "help_off", "pass_done", "takeover_ok",
		"takeover_told", "assigned", "release_ok", "lease_over", "done_ok", "req_done", "req_withdrawn", "note_ok", "ask_ok", "req_question", "tell_ok",
		"req_told", "req_added", "answer_in", "req_cancelled", "withdraw_told", "take_withdrawn", "pass_ok", "pass_offer", "pass_refused", "snooze_ok",
		"req_planned", "snooze_wake", "stale", "stale_ok", "answer_none", "req_claimed", "req_handed", "req_released", "pass_gone", "up_nobody", "owned",
		"take_closed", "ask_unreachable", "req_reopened", "page", "page_help", "mgr_nobody", "req_escalated", "up_ok", "up_top", "undo_ok", "req_undone",
		"take_again", "take_lost", "release_not_yours", "done_already", "done_not_taken", "ask_not_taken", "req_too_late", "req_withdraw", "undo_none",
		"undo_moved", "manager_only", "req_agents_only", "req_not_yours", "takeover_urgent", "open_already"} {
		for _, via := range []string{"sms", "im"} {
			for _, id := range []string{"bob", "uli"} {
				n := to(id, via, m, answers("x"), alert)
				n.Key += id
				o.notify(t, n)
			}
		}
	}
	for _, p := range o.posted {
		if strings.ContainsAny(p.Text, "{}") {
			t.Errorf("%s by %s: %q", p.Notice.Message, p.Channel, p.Text)
		}
		if p.Text == "" && p.Address != "" && p.Notice.Message != "offer_gone" {
			t.Errorf("%s by %s says nothing", p.Notice.Message, p.Channel)
		}
	}
}
