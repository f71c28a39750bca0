package desk_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deskbell/desk"
	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// Every message gets exactly one answer, or none where none is due.
func TestOneAnswerEach(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams", "bob")
	w.clock.pass(time.Minute)
	for _, step := range []struct{ who, text, want string }{
		{"bob", "3", "show: "},
		{"bob", fmt.Sprint(n), "take_ok: "},
		{"bob", fmt.Sprint(n), "take_again: "},
		{"eve", fmt.Sprintf("take %d", n), "take_lost: "},
		{"eve", "frobnicate", "err_word: "},
		{"eve", "9999", "err_number: "},
		{"ann", "status", "req_status_claimed: "},
		{"ann", "status 9999", "req_not_yours: "},
		{"bob", "list", "list_none: "},
		{"bob", fmt.Sprintf("pass %d nobody", n), "pass_nobody: "},
		{"bob", fmt.Sprintf("ask %d which tray?", n), "ask_ok: "},
		{"ann", "2", "req_added: "},
		{"bob", "undo", "undo_moved: "},
		{"bob", fmt.Sprintf("C%d", n), "done_ok: "},
		{"ann", "thanks", ""},
		{"ann", "No, it jams again", "req_reopened: "},
		{"bob", "Loved “#100 closed”", ""},
		{"bob", "help", "help_agent: "},
		{"bob", "who", "who: "},
		{"bob", "", "err_picture: "},
	} {
		if got := w.say(step.who, step.text); !strings.HasPrefix(got, step.want) || step.want == "" && got != "" {
			t.Errorf("%s %q: %q, want %q", step.who, step.text, got, step.want)
		}
	}
}

// The second message is read when the first is answered, and its answer comes after.
func TestOrderOfOneSender(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	keys := w.keep(w.text("bob", fmt.Sprint(n)), w.text("bob", fmt.Sprintf("note %d tray 2", n)), w.text("bob", fmt.Sprintf("C%d", n)), w.text("bob", "undo"))
	w.answer(keys[3])
	want := []string{"take_ok", "note_ok", "done_ok", "undo_ok"}
	got := w.rows("SELECT reason FROM deliveries WHERE answers <> '' ORDER BY id")
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("answers %q, want %q", got, want)
	}
}

// What follows a message that the engine did not take waits with it.
func TestOrderAfterAFailure(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	w.engine.set(func(e *engine) { e.fails = 1 })
	keys := w.keep(w.text("bob", fmt.Sprint(n)), w.text("bob", fmt.Sprintf("C%d", n)))
	w.until("the engine does not take it", func() bool {
		w.engine.mu.Lock()
		defer w.engine.mu.Unlock()
		return w.engine.fails == 0
	})
	w.say("eve", "help") // the inbox is read meanwhile
	w.until("it is driven again", func() bool {
		w.clock.pass(time.Second)
		w.desk.Kick(gateway.SMS)
		return w.state(keys[1]) == store.Finished
	})
	if got := w.rows("SELECT reason FROM deliveries WHERE answers = $1 OR answers = $2 ORDER BY id", keys[0], keys[1]); fmt.Sprint(got) != fmt.Sprint([]string{"take_ok", "done_ok"}) {
		t.Errorf("answers %q", got)
	}
}

// The same when the process ends meanwhile, and another has the channel.
func TestOrderAfterACrash(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	w.engine.set(func(e *engine) { e.fails = 1 << 20 })
	keys := w.keep(w.text("bob", fmt.Sprint(n)), w.text("bob", fmt.Sprintf("C%d", n)))
	w.until("it is certain what was meant", func() bool { return w.state(keys[0]) == store.HandedOver })
	w.stop()
	w.engine.set(func(e *engine) { e.fails = 0 })
	w.clock.pass(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	successor := w.another()
	wg.Go(func() { _ = successor.Serve(ctx, gateway.SMS) })
	defer wg.Wait()
	defer cancel()
	w.until("both are answered", func() bool { return w.state(keys[1]) == store.Finished })
	if got := w.rows("SELECT reason FROM deliveries WHERE answers = $1 OR answers = $2 ORDER BY id", keys[0], keys[1]); fmt.Sprint(got) != fmt.Sprint([]string{"take_ok", "done_ok"}) {
		t.Errorf("answers %q", got)
	}
}

// A message that a ticket has is not finished before the answer's row is there.
func TestAnswerFinishes(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	w.engine.set(func(e *engine) { e.mute = true })
	key := w.keep(w.text("bob", fmt.Sprint(n)))[0]
	w.until("the ticket has it", func() bool { return w.state(key) == store.HandedOver })
	if got := w.answers(key); len(got) > 0 {
		t.Errorf("answered %q by a ticket that did nothing", got)
	}
	w.engine.set(func(e *engine) { e.mute = false })
	w.clock.pass(6 * time.Second)
	w.desk.Kick(gateway.SMS)
	if got := w.answer(key); !strings.HasPrefix(got, "take_ok: ") {
		t.Errorf("answered %q", got)
	}
}

// What a ticket has and does not answer is handed over again, with pauses that
// double: 5 s, then 10 s.
func TestPatience(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	w.engine.set(func(e *engine) { e.mute = true })
	key := w.keep(w.text("bob", fmt.Sprint(n)))[0]
	w.until("the ticket has it", func() bool { return w.state(key) == store.HandedOver })
	for second := 1; second <= 17; second++ {
		w.clock.pass(time.Second)
		want := 1
		for _, again := range []int{5, 15} {
			if second >= again {
				want++
			}
		}
		// An answer is waited for before the sender is served again.
		w.until(fmt.Sprintf("%d times after %d s", want, second), func() bool {
			w.desk.Kick(gateway.SMS)
			return w.engine.count(ticket.Take) >= want
		})
		if got := w.engine.count(ticket.Take); got != want {
			t.Fatalf("handed over %d times after %d s, want %d", got, second, want)
		}
	}
}

// A sender whose message waits for the engine hears so once, and then the answer.
func TestBusyOnce(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	w.engine.set(func(e *engine) { e.away = true })
	key := w.keep(w.text("bob", fmt.Sprint(n)))[0]
	told := func() int { return len(w.rows("SELECT key FROM deliveries WHERE reason = 'err_busy'")) }
	w.until("the engine is missed", func() bool { return len(w.rows("SELECT key FROM inbox WHERE decided IS NOT NULL")) == 1 })
	if told() != 0 {
		t.Error("told at once")
	}
	for range 5 {
		w.clock.pass(11 * time.Second)
		w.desk.Kick(gateway.SMS)
		w.until("the sender is told", func() bool { return told() > 0 })
	}
	w.engine.set(func(e *engine) { e.away = false })
	w.until("an answer", func() bool {
		w.clock.pass(time.Second) // the last attempt that failed may have been the latest
		w.desk.Kick(gateway.SMS)
		return w.state(key) == store.Finished
	})
	if got := w.answers(key); told() != 1 || len(got) != 1 || !strings.HasPrefix(got[0], "take_ok: ") {
		t.Errorf("told %d times, answered %q", told(), got)
	}
}

// A YES that waits for the engine means what it meant when it came, however often
// it is driven: its question is over, and an offer is there.
func TestReadOnce(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	if got := w.say("bob", fmt.Sprintf("C%d", n)); !strings.HasPrefix(got, "done_not_taken: ") {
		t.Fatalf("answered %q", got)
	}
	other := w.submit("VPN drops", "bob")
	w.clock.pass(time.Minute)
	w.engine.set(func(e *engine) { e.away = true })
	key := w.keep(w.text("bob", "yes"))[0]
	w.until("it was read", func() bool {
		return len(w.rows("SELECT key FROM inbox WHERE decided IS NOT NULL AND key = $1", key)) == 1
	})
	w.clock.pass(time.Minute)
	w.engine.set(func(e *engine) { e.away = false })
	w.until("it is driven again", func() bool {
		w.clock.pass(time.Second)
		w.desk.Kick(gateway.SMS)
		return w.state(key) == store.Finished
	})
	if got := w.answer(key); !strings.HasPrefix(got, "done_ok: ") {
		t.Errorf("answered %q", got)
	}
	if got, offered := w.ticket(n), w.ticket(other); got.Status != ticket.Resolved || offered.Status != ticket.New {
		t.Errorf("#%d is %s, #%d is %s", n, got.Status, other, offered.Status)
	}
}

func TestStrangerOnceADay(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	const number = "+15559999"
	if got := w.say(number, fmt.Sprint(n)); !strings.HasPrefix(got, "unknown: ") {
		t.Errorf("answered %q", got)
	}
	for _, text := range []string{fmt.Sprintf("take %d", n), "list", "STOP"} {
		if got := w.say(number, text); got != "" {
			t.Errorf("%q answered %q", text, got)
		}
	}
	w.clock.pass(24 * time.Hour)
	if got := w.say(number, "hello"); !strings.HasPrefix(got, "unknown: ") {
		t.Errorf("a day later: %q", got)
	}
	if got := w.say("4711", "take"); got != "" {
		t.Errorf("a short code was answered %q", got)
	}
	if got := w.ticket(n); got.Status != ticket.New {
		t.Errorf("a stranger made it %s", got.Status)
	}
}

// What comes from our own number is no person's, even when a people file names it.
func TestOwnNumber(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	for _, known := range []bool{false, true} {
		if known {
			must(t, w.store.Import(t.Context(), roster.File{People: []roster.Person{{ID: "desk", Name: "Desk", Roles: roster.Roles{roster.Agent}, Phone: "+15550000"}}}))
		}
		for _, text := range []string{"hello", fmt.Sprintf("take %d", n), "help"} {
			if got := w.say("+15550000", text); got != "" {
				t.Errorf("%q was answered %q", text, got)
			}
		}
	}
	if got := w.ticket(n); got.Status != ticket.New {
		t.Errorf("it is %s", got.Status)
	}
}

// An automatic reply to an offer is nobody's answer: whoever sent it is not there.
func TestUnreachableDeclines(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams", "bob", "eve")
	if got := w.say("bob", "I'm driving with Do Not Disturb While Driving turned on."); got != "" {
		t.Errorf("answered %q", got)
	}
	w.until("it is declined", func() bool { return w.engine.count(ticket.Decline) == 1 })
	for _, o := range w.ticket(n).Offers {
		if want := o.To.ID == "bob"; o.Declined != want {
			t.Errorf("%s declined: %t", o.To.ID, o.Declined)
		}
	}
}

// An offer that a network refuses is nobody's answer either: somebody else is asked.
func TestAnOfferThatFailsIsReplaced(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams", "bob", "eve")
	list, err := w.store.Take(t.Context(), gateway.SMS, 10)
	must(t, err)
	for _, d := range list {
		outcome := gateway.Outcome{State: gateway.Sent, WireIDs: []string{fmt.Sprint(d.ID)}}
		if d.To == phones["bob"] {
			outcome = gateway.Outcome{State: gateway.Failed, Reason: "ESME_RINVDSTADR"}
		}
		must(t, w.store.Settle(t.Context(), d.ID, outcome))
	}
	w.until("the ticket knows", func() bool { return w.engine.count(ticket.LostOffer) > 0 })
	for _, o := range w.ticket(n).Offers {
		if want := o.To.ID == "bob"; o.Declined != want {
			t.Errorf("%s is passed over: %t", o.To.ID, o.Declined)
		}
	}
}

func TestManyTickets(t *testing.T) {
	w := open(t, "")
	first, second, third := w.submit("One"), w.submit("Two"), w.submit("Three")
	w.say("eve", fmt.Sprint(second))
	got := w.say("bob", fmt.Sprintf("take %d %d %d", first, second, third))
	if want := fmt.Sprintf("take_some: Yours now: #%d, #%d. Not: #%d.", first, third, second); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for n, holder := range map[int]string{first: "bob", second: "eve", third: "bob"} {
		if got := w.ticket(n).Assignee.ID; got != holder {
			t.Errorf("#%d is with %q, not with %s", n, got, holder)
		}
	}
}

// WHY tells what was decided, on which facts, and what became of the texts: the
// facts are those of then.
func TestWhy(t *testing.T) {
	w := open(t, "")
	must(t, w.store.SetAway(t.Context(), "eve", morning.Add(time.Hour), "dentist"))
	n := w.submit("Printer jams", "bob")
	list, err := w.store.Take(t.Context(), gateway.SMS, 10)
	must(t, err)
	for _, d := range list {
		must(t, w.store.Settle(t.Context(), d.ID, gateway.Outcome{State: gateway.Sent, WireIDs: []string{fmt.Sprint(d.ID)}}))
	}
	must(t, w.store.SetAway(t.Context(), "eve", time.Time{}, ""))
	w.say("bob", fmt.Sprint(n))
	want := fmt.Sprintf("why: #%d claimed: Printer jams.\n10:38 Ann Lee asked\n10:38 offered to bob (sms, sent)\n10:38 Bob took it\nNext: 12:38: ask the holder for news.", n)
	if got := w.say("eve", fmt.Sprintf("why %d", n)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	why, err := w.desk.Why(t.Context(), n)
	must(t, err)
	if why.NextAt == nil || !why.NextAt.Equal(morning.Add(2*time.Hour)) {
		t.Errorf("next at %v", why.NextAt)
	}
	for _, d := range why.Decisions {
		if d.Event != ticket.Offered {
			continue
		}
		seen := []desk.SeenView{{Person: "bob", Name: "Bob", Presence: "unknown"}, {Person: "eve", Name: "Eve", Presence: "unknown", Out: ticket.OutAway}}
		fates := []desk.FateView{{Person: "bob", Name: "bob", Channel: "sms", State: "sent"}}
		if !slices.Equal(d.Seen, seen) || !slices.Equal(d.Delivered, fates) {
			t.Errorf("seen %+v, delivered %+v", d.Seen, d.Delivered)
		}
		return
	}
	t.Errorf("no offer in %+v", why.Decisions)
}

// Two at once, NEXT and several numbers: nobody gets more than the limit.
func TestLimit(t *testing.T) {
	w := open(t, "held: 2")
	a, b, c := w.submit("One"), w.submit("Two"), w.submit("Three")
	if got := w.say("bob", "next"); !strings.HasPrefix(got, fmt.Sprintf("take_ok: #%d ", a)) {
		t.Errorf("next: %q", got)
	}
	if got, want := w.say("bob", fmt.Sprintf("take %d %d", b, c)), fmt.Sprintf("take_some: Yours now: #%d. Not: #%d.", b, c); got != want {
		t.Errorf("several: %q, want %q", got, want)
	}
	for _, text := range []string{"next", fmt.Sprint(c)} {
		if got := w.say("bob", text); !strings.HasPrefix(got, "take_limit: You hold 2") {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// Two people claim 50 tickets each at once, by SMS, by chat and, in another process,
// by REST: nobody ever holds more than the limit, nobody is denied what there is
// room for, and every claim has one answer.
func TestLimitAcrossChannelsAndProcesses(t *testing.T) {
	const limit, tickets = 5, 50
	w := open(t, fmt.Sprintf("held: %d", limit))
	rest := w.another()
	var numbers []int
	for range tickets {
		numbers = append(numbers, w.submit("Printer jams"))
	}
	claim := func(who string, n int) error {
		p, err := w.store.Person(t.Context(), who)
		must(t, err)
		_, err = rest.Do(t.Context(), desk.Act{ID: fmt.Sprintf("rest/%s/%d", who, n), Person: p, Channel: "rest", Number: n, Verb: ticket.Take})
		return err
	}
	chat := func(who string, n int) gateway.Message {
		m := w.text(who, fmt.Sprint(n))
		m.Channel, m.From, m.ReplyTo = gateway.IM, who+"@desk.localhost", who+"@desk.localhost/phone"
		return m
	}
	var texts []gateway.Message
	var claims sync.WaitGroup
	for i, n := range numbers {
		for j, who := range []string{"bob", "eve"} {
			switch (i + j) % 3 {
			case 0:
				texts = append(texts, w.text(who, fmt.Sprint(n)))
			case 1:
				texts = append(texts, chat(who, n))
			default:
				claims.Go(func() {
					if _, refused := ticket.Refused(claim(who, n)); refused == w.ticket(n).Holder(who) {
						t.Errorf("#%d by %s: refused %t", n, who, refused)
					}
				})
			}
		}
	}
	keys := w.keep(texts...)
	w.desk.Kick(gateway.IM)
	claims.Wait()
	for _, key := range keys {
		if got := w.answer(key); got == "" {
			t.Errorf("no answer to %s", key)
		}
	}
	for _, who := range []string{"bob", "eve"} {
		free := func() (n int) {
			for _, n := range numbers {
				if w.ticket(n).Status == ticket.New {
					return n
				}
			}
			t.Fatal("nothing is left")
			return 0
		}
		for len(w.rows("SELECT person FROM holds WHERE person = $1 AND state = 'held'", who)) < limit {
			must(t, claim(who, free()))
		}
		n := free()
		if r, ok := ticket.Refused(claim(who, n)); !ok || r.Message != "take_limit" {
			t.Errorf("one too many by REST: %v", r)
		}
		for _, m := range []gateway.Message{w.text(who, fmt.Sprint(n)), w.text(who, fmt.Sprintf("takeover %d", n)), chat(who, n)} {
			if got := w.answer(w.keep(m)[0]); !strings.HasPrefix(got, fmt.Sprintf("take_limit: You hold %d,", limit)) {
				t.Errorf("one too many by %s: %q", m.Channel, got)
			}
		}
		if w.engine.most[who] != limit {
			t.Errorf("%s held %d at once", who, w.engine.most[who])
		}
	}
}

// What nobody understands gets five answers an hour, the same one not twice in five
// minutes, and after twenty in ten minutes a word about it; commands still count.
func TestNoise(t *testing.T) {
	w := open(t, "")
	answered := 0
	for i := range 25 {
		if got := w.say("bob", fmt.Sprintf("gibberish%d", i)); got != "" {
			answered++
			if many := strings.HasPrefix(got, "err_many: "); many != (i == 19) {
				t.Errorf("message %d: %q", i, got)
			}
		}
	}
	if answered != 6 {
		t.Errorf("answered %d times", answered)
	}
	if got := w.say("bob", "mine"); !strings.HasPrefix(got, "mine_none: ") {
		t.Errorf("mine: %q", got)
	}
	if first, second := w.say("eve", "9999"), w.say("eve", "9999"); first == "" || second != "" {
		t.Errorf("twice the same: %q, %q", first, second)
	}
	w.clock.pass(6 * time.Minute)
	if got := w.say("eve", "9999"); got == "" {
		t.Error("six minutes later: no answer")
	}
}

func TestPIN(t *testing.T) {
	w := open(t, "")
	w.givePIN("2468")
	n := w.submit("All is down")
	w.engine.set(func(e *engine) { urgent := e.tickets[n]; urgent.Priority = ticket.P1; e.tickets[n] = urgent })
	w.say("eve", fmt.Sprint(n))
	for _, step := range []struct{ text, want string }{
		{"takeover %d", "takeover_urgent: "}, {"takeover %d 1111", "err_pin: "}, {"takeover %d 2468", "takeover_ok: "},
	} {
		if got := w.say("bob", fmt.Sprintf(step.text, n)); !strings.HasPrefix(got, step.want) {
			t.Errorf("%s: %q", step.text, got)
		}
	}
}

// A correction of what was done is refused; of what was not understood it is a new
// message.
func TestCorrection(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	chat := func(text string, corrects bool) string {
		m := w.text("bob", text)
		m.Channel, m.From, m.ReplyTo, m.Corrects = gateway.IM, "bob@desk.localhost", "bob@desk.localhost/phone", corrects
		return w.answer(w.keep(m)[0])
	}
	chat("tkae this", false)
	if got := chat(fmt.Sprintf("take %d", n), true); !strings.HasPrefix(got, "take_ok: ") {
		t.Errorf("after a riddle: %q", got)
	}
	if got := chat(fmt.Sprintf("C%d", n), true); !strings.HasPrefix(got, "err_edit: ") {
		t.Errorf("after a deed: %q", got)
	}
	if got := w.ticket(n); got.Status != ticket.Assigned {
		t.Errorf("it is %s", got.Status)
	}
}

// A concatenated message whose other parts never come is read as far as that is safe.
func TestIncomplete(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	w.say("bob", fmt.Sprint(n))
	for i, c := range []struct {
		text   string
		number int
		want   string
	}{
		{fmt.Sprintf("note %d it is the", n), 1, "note_ok: "},
		{fmt.Sprintf("C%d it was the", n), 1, "part_confirm: "},
		{"second half", 2, "err_part: "},
	} {
		m := w.text("bob", "")
		m.Part = &gateway.Part{Group: fmt.Sprint("group", i), Number: c.number, Total: 2, Data: []byte(c.text)}
		key := w.keep(m)[0]
		if got := w.say("bob", "mine"); !strings.HasPrefix(got, "mine: ") {
			t.Errorf("it blocks its sender: %q", got)
		}
		w.clock.pass(3*time.Minute + time.Second)
		w.desk.Kick(gateway.SMS)
		if got := w.answer(key); !strings.HasPrefix(got, c.want) {
			t.Errorf("part %d of %q: %q", c.number, c.text, got)
		}
	}
	if got := w.ticket(n); got.Status != ticket.Assigned {
		t.Errorf("half a message made it %s", got.Status)
	}
}

// MINE tells what was promised, and from then on what is late.
func TestMineTellsWhatIsLate(t *testing.T) {
	w := open(t, "")
	n := w.submit("Printer jams")
	w.say("bob", fmt.Sprintf("%d 20m", n))
	for _, want := range []string{"until 10:58", "late since 10:58"} {
		if got := w.say("bob", "mine"); got != fmt.Sprintf("mine: You hold 1: #%d %s Printer jams.", n, want) {
			t.Errorf("mine: %q, want %s", got, want)
		}
		w.clock.pass(20 * time.Minute)
		w.engine.set(func(e *engine) {
			c := ticket.Tick()
			c.ID = "tick"
			_, err := e.apply(t.Context(), n, c)
			must(t, err)
		})
	}
}

// Who said for how long comes back by themselves, and hears of it once.
func TestBackByThemselves(t *testing.T) {
	w := open(t, "")
	w.submit("Printer jams")
	if got := w.say("bob", "away 30m lunch"); !strings.HasPrefix(got, "away_ok: You are away until 11:08 ") {
		t.Errorf("away: %q", got)
	}
	back := func() int { return len(w.rows("SELECT key FROM deliveries WHERE reason = 'back_ok'")) }
	w.clock.pass(29 * time.Minute)
	w.say("bob", "mine")
	if back() != 0 {
		t.Error("back too early")
	}
	w.clock.pass(2 * time.Minute)
	w.until("bob is back", func() bool { return len(w.rows("SELECT id FROM people WHERE away_until IS NOT NULL")) == 0 })
	if back() != 1 {
		t.Errorf("told %d times", back())
	}
}

// Offers within a minute come as one message.
func TestBundle(t *testing.T) {
	w := open(t, "")
	w.submit("Printer jams", "bob")
	w.clock.pass(20 * time.Second)
	second := w.submit("VPN drops", "bob")
	w.clock.pass(20 * time.Second)
	third := w.submit("Beamer dark", "bob")
	take := func() (texts []string) {
		list, err := w.store.Take(t.Context(), gateway.SMS, 10)
		must(t, err)
		for _, d := range list {
			must(t, w.store.Settle(t.Context(), d.ID, gateway.Outcome{State: gateway.Sent, WireIDs: []string{fmt.Sprint(d.ID)}}))
			if d.To == phones["bob"] {
				texts = append(texts, d.Text)
			}
		}
		return texts
	}
	if got := take(); len(got) != 1 || !strings.Contains(got[0], "Printer jams") {
		t.Errorf("at first %q", got)
	}
	w.clock.pass(21 * time.Second)
	want := fmt.Sprintf("2 waiting: #%d VPN drops, #%d Beamer dark. Reply a number to take it, NEXT for the first, LIST for all.", second, third)
	if got := take(); len(got) != 1 || got[0] != want {
		t.Errorf("after a minute %q", got)
	}
	if got := w.say("eve", fmt.Sprintf("why %d", third)); !strings.Contains(got, "sms, sent in a bundle)") {
		t.Errorf("why: %q", got)
	}
}
