package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// people are those of the dialogues: Sam and Max have one wire only.
const people = `{"people": [
  {"id": "bob", "name": "Bob", "role": "agent", "phone": "+447700900101", "jid": "bob@desk.localhost"},
  {"id": "eve", "name": "Eve", "role": "agent", "phone": "+447700900102", "jid": "eve@desk.localhost"},
  {"id": "dan", "name": "Dan", "role": "agent", "phone": "+447700900103", "jid": "dan@desk.localhost"},
  {"id": "dana", "name": "Dana", "role": "oncall", "phone": "+447700900110", "jid": "dana@desk.localhost"},
  {"id": "sam", "name": "Sam", "role": "oncall", "phone": "+447700900111"},
  {"id": "meg", "name": "Meg", "role": "manager", "phone": "+447700900120", "jid": "meg@desk.localhost"},
  {"id": "ann", "name": "Ann Lee", "role": "requester", "phone": "+447700900201", "jid": "ann@desk.localhost", "loc": "room 312"},
  {"id": "joe", "name": "Joe", "role": "requester", "phone": "+447700900203"},
  {"id": "sue", "name": "Sue", "role": "requester", "phone": "+447700900204", "loc": "room 7"},
  {"id": "pat", "name": "Pat", "role": "requester", "phone": "+447700900205"},
  {"id": "mal", "name": "Mallory", "role": "requester", "jid": "mal@desk.localhost"},
  {"id": "max", "name": "Max", "role": "requester", "jid": "max@desk.localhost"}
]}`

// patient is the dialogues' policy: nothing happens by itself within minutes.
const patient = `
priorities:
  P1: {hours: always, wave: {size: 3, every: 5m}, steps: [{after: 15m, to: oncall}, {after: 25m, to: next}, {after: 40m, to: manager}], repeat: 5m, lease: 2h}
  P3: {hours: always, wave: {size: 3, every: 15m}, steps: [{after: 12h, to: oncall}], repeat: 12h, lease: 2h}
auto_close: 72h
requester_silence: 48h
`

func TestStories(t *testing.T) {
	desk := Start(t, Options{People: people, Policy: patient, Clock: true})
	// What the pages show within a second is measured before the other desks start.
	t.Run("the pages", func(t *testing.T) { pages(t, desk.Story(t)) })
	t.Parallel()
	desk.presence(desk.Person("bob"), "offline") // his browser is gone
	for _, s := range []struct {
		name string
		tell func(*testing.T, *Desk)
	}{
		{"a day by the book", dayByTheBook},
		{"the wrong ticket closed", wrongTicketClosed},
		{"not fixed after all", notFixed},
		{"nobody claims", nobodyClaims},
		{"who is on call meanwhile", onDuty},
		{"the SMSC repeats itself", repeatedDelivery},
		{"two claim at once", race},
		{"what an agent can say", agentWords},
		{"who is there", presence},
		{"the team's room", teamRoom},
		{"an agent in a terminal", terminal},
		{"what managers see", managers},
		{"the command line", commandLine},
		{"people from LDAP", fromLDAP},
		{"strangers", strangers},
		{"tickets as people write them", unharmed},
		{"idempotent submission", idempotency},
	} {
		t.Run(s.name, func(t *testing.T) { s.tell(t, desk.Story(t)) })
	}
}

// Dialogue d01.
func dayByTheBook(t *testing.T, desk *Desk) {
	ann, bob := desk.Person("ann"), desk.Person("bob")
	desk.Free("bob")
	n := ann.Submit("Printer on 3rd floor jams", "P3")
	id := fmt.Sprintf("#%d", n)
	ann.Phone().Expect(id, "we have your request", "Printer on 3rd floor jams")
	bob.Phone().Expect(id, "Printer", fmt.Sprintf("Reply %d to take", n)).Reply(fmt.Sprint(n)).Expect(id+" is yours", "Ann Lee")
	ann.Phone().Expect("Bob", id)
	desk.Advance(5 * time.Minute)
	ann.Phone().Reply("status").Expect(id, "Bob is on it")
	desk.Advance(35 * time.Minute)
	bob.Chat().Reply(fmt.Sprintf("done %d took a torn page out of tray 2", n)).Expect(id + " closed")
	ann.Phone().Expect(id, "solved", "torn page")
	desk.Await(n, "resolved", "bob")
}

// Dialogue d13.
func wrongTicketClosed(t *testing.T, desk *Desk) {
	ann, max, bob := desk.Person("ann"), desk.Person("max"), desk.Person("bob")
	max.Chat()
	right, wrong := ann.Submit("Printer on 3rd floor jams", "P3"), max.Submit("VPN drops", "P3")
	for _, n := range []int{right, wrong} {
		desk.Act(bob, "claim", n, nil)
		desk.Await(n, "assigned", "bob")
	}
	aside(desk, "Reply", "we have your request", "is on your request")
	max.Chat().Expect("We have your request", number(wrong)).Expect("Bob is on", number(wrong))

	bob.Phone().Reply(fmt.Sprintf("C %d", wrong)).Expect(number(wrong)+" closed", "UNDO")
	max.Chat().Expect(number(wrong) + " is solved")
	desk.Advance(2 * time.Minute)
	bob.Phone().Reply("oops").Expect("Undone: " + number(wrong))
	max.Chat().Expect(number(wrong) + " is not finished after all; Bob is still on it")
	desk.Await(wrong, "assigned", "bob")
	desk.Await(right, "assigned", "bob")
}

func number(n int) string { return fmt.Sprintf("#%d", n) }

// aside allows texts of the setup on every phone.
func aside(desk *Desk, texts ...string) {
	for _, p := range desk.persons {
		if p.phone == nil {
			continue
		}
		for _, text := range texts {
			p.phone.Allow(text)
		}
	}
}

// Dialogue d22.
func notFixed(t *testing.T, desk *Desk) {
	joe, bob := desk.Person("joe"), desk.Person("bob")
	n := joe.Submit("Printer on 3rd floor jams", "P3")
	aside(desk, "Reply "+fmt.Sprint(n)+" to take", "we have your request", "is on your request")
	desk.Act(bob, "claim", n, nil)
	desk.Act(bob, "resolve", n, map[string]any{"text": "new toner"})
	joe.Phone().Expect(number(n)+" is solved", "new toner", "Reply NO within")
	desk.Advance(2 * time.Hour)
	joe.Phone().Reply("No it jams again!!").Expect(number(n) + " is open again and Bob has been told")
	bob.Phone().Expect("Joe on "+number(n), "it jams again!!")
	desk.Await(n, "assigned", "bob")
}

// Dialogue d17.
func nobodyClaims(t *testing.T, desk *Desk) {
	ann, dana, sam := desk.Person("ann"), desk.Person("dana"), desk.Person("sam")
	desk.Free()
	n := ann.Submit("Whole sales floor has no network", "P1")
	ann.Phone().Expect(number(n))
	desk.Settle()
	desk.Advance(15 * time.Minute)
	dana.Phone().Expect("ON CALL "+number(n), fmt.Sprintf("Reply %d to take", n))
	ann.Phone().Expect("Nobody was free for " + number(n))
	desk.Settle()
	desk.Advance(5 * time.Minute)
	dana.Phone().Expect("ON CALL " + number(n))
	desk.Settle()
	if got := dana.Phone().Count("ON CALL"); got != 2 {
		t.Errorf("Dana was called %d times within 20 minutes", got)
	}
	if got := sam.Phone().Count("ON CALL"); got != 0 {
		t.Errorf("Sam was called %d times within 20 minutes", got)
	}
	desk.Advance(5 * time.Minute)
	sam.Phone().Expect("ON CALL " + number(n))
	desk.Settle()
	whyNobody(desk, n)
	desk.Advance(time.Minute)
	sam.Phone().Reply(fmt.Sprint(n)).Expect(number(n) + " is yours")
	dana.Phone().Expect(number(n) + " was taken by Sam. You can stand down.")
	ann.Phone().Expect("Sam is on your request " + number(n))
	if got := desk.Await(n, "assigned", "sam"); got.Escalation != 2 {
		t.Errorf("escalation %d, want 2", got.Escalation)
	}
	desk.Advance(time.Hour) // nobody is called any more
}

// whyNobody asks by text, by REST and on the page why Sam is being called: nobody was
// on duty, and Dana's call was delivered.
func whyNobody(desk *Desk, n int) {
	desk.t.Helper()
	desk.Person("eve").Phone().Reply(fmt.Sprintf("why %d", n)).Expect(number(n)+" waiting", "called Dana (sms, delivered)", "called Sam (sms, delivered)", "Next: ")
	var why struct {
		Decisions []struct {
			Event     string
			Seen      []struct{ Person, Out string }
			Delivered []struct{ Person, Channel, State string }
		}
		Next string
	}
	desk.get(fmt.Sprintf("/v1/tickets/%d/why", n), &why)
	away, called := 0, 0
	for _, d := range why.Decisions {
		for _, s := range d.Seen {
			if d.Event == "offered" && s.Out == "away" {
				away++
			}
		}
		for _, f := range d.Delivered {
			if d.Event == "escalated" && f.State == "delivered" {
				called++
			}
		}
	}
	if away < 3 || called != 2 || why.Next == "" {
		desk.t.Errorf("%d away, %d called: %+v", away, called, why)
	}
	if status, page := desk.call("GET", fmt.Sprintf("/tickets/%d/why", n), nil, ""); status != 200 || !strings.Contains(string(page), "Dana by SMS: delivered") {
		desk.t.Errorf("the page: %d %s", status, page)
	}
}

// Dialogue d03: the SMSC does not hear our response, and delivers again.
func repeatedDelivery(t *testing.T, desk *Desk) {
	ann, bob := desk.Person("ann"), desk.Person("bob")
	n := ann.Submit("Printer on 3rd floor jams", "P3")
	aside(desk, "to take", "we have your request")
	desk.Settle()
	desk.Faults(map[string]any{"lose_responses": 2})
	bob.Phone().Reply(fmt.Sprint(n)).ExpectWithin(15*time.Second, number(n)+" is yours")
	ann.Phone().Expect("Bob is on your request " + number(n))
	var row LedgerRow
	if !eventually(15*time.Second, func() bool {
		for _, r := range desk.Ledger() {
			if r.Direction == "in" && r.Text == fmt.Sprint(n) {
				row = r
			}
		}
		return row.State == "taken"
	}) || row.Attempts < 3 {
		t.Fatalf("the SMSC delivered %d times, last %s", row.Attempts, row.State)
	}
	desk.Settle()
	if got := bob.Phone().Count(number(n)+" is", "yours"); got != 1 {
		t.Errorf("Bob was answered %d times", got)
	}
	if got := ann.Phone().Count("is on your request " + number(n)); got != 1 {
		t.Errorf("Ann was told %d times", got)
	}
	if got := strings.Count(desk.Events(n), "taken"); got != 1 {
		t.Errorf("events %q", desk.Events(n))
	}
}
