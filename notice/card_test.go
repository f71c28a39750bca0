package notice

import (
	"slices"
	"strings"
	"testing"
	"time"

	"deskbell/ticket"
)

var now = time.Date(2026, 3, 3, 10, 38, 0, 0, time.UTC)

func at(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }

func paged() ticket.Ticket {
	bob, dana := ticket.Party{ID: "bob", Name: "Bob", Via: "sms"}, ticket.Party{ID: "dana", Name: "Dana", Via: "sms"}
	return ticket.Ticket{
		Number: 142, Subject: "Printer *on* <b>fire</b>\n# [x](http://evil)", Priority: ticket.P1, Requester: ticket.Party{ID: "ann", Name: "Ann Lee"}, CreatedAt: at(-16),
		Position: ticket.Position{Status: ticket.New},
		Queue: ticket.Queue{
			Offers: []ticket.Offer{{To: bob, At: at(-16), Declined: true}},
			Pages:  []ticket.Page{{To: dana, At: at(-1), Step: 1}},
		},
		Alarms:    []ticket.Alarm{{Kind: ticket.StepAlarm, At: at(9)}, {Kind: ticket.RepeatAlarm, At: at(4)}},
		RespondBy: at(-1),
		Recent: []ticket.Line{
			{At: at(-16), Kind: ticket.Opened, Actor: ticket.Party{ID: "ann", Name: "Ann Lee"}},
			{At: at(-16), Kind: ticket.Offered, Actor: ticket.System, To: []ticket.Party{bob}},
			{At: at(-15), Kind: ticket.Declined, Actor: bob},
			{At: at(-1), Kind: ticket.Escalated, Actor: ticket.System, To: []ticket.Party{dana}},
		},
	}
}

func TestCardGolden(t *testing.T) {
	t.Parallel()
	held := paged()
	held.Status, held.Assignee, held.ClaimedAt = ticket.Assigned, ticket.Party{ID: "dana", Name: "Dana"}, at(-1)
	held.Alarms = []ticket.Alarm{{Kind: ticket.StaleAlarm, At: at(29)}}
	held.Promise = &ticket.Promise{By: at(29)}
	held.Pass = &ticket.Handover{To: ticket.Party{ID: "eve", Name: "Eve"}, Until: at(10)}
	over := held
	over.Status, over.Alarms, over.Pass = ticket.Closed, nil, nil
	over.Promise = nil
	compareGolden(t, "card.golden", Card(paged(), now)+"\n----\n"+Card(held, now)+"\n----\n"+Card(over, now))
}

func TestCardNamesTheNextAlarm(t *testing.T) {
	t.Parallel()
	for kind, what := range words("en").alarms {
		tk := paged()
		tk.Alarms = []ticket.Alarm{{Kind: ticket.CloseAlarm, At: at(60 * 30)}, {Kind: kind, At: at(7)}}
		if card := Card(tk, now); !strings.Contains(card, "Next: Tue 3 Mar 10:45: "+what) {
			t.Errorf("%s: %s", kind, card)
		}
		if timer := Timer(ticket.Alarm{Kind: kind, At: at(7)}); timer != "Tue 3 Mar 10:45 UTC: "+what {
			t.Errorf("%s: %s", kind, timer)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	if got := Summary(142, "Printer on fire", "Ann Lee", ticket.P2); got != "#142 Printer on fire - Ann Lee, P2" {
		t.Error(got)
	}
	got := Summary(142, strings.Repeat("プリンター", 50), strings.Repeat("ł", 100), ticket.P1)
	if len(got) > 200 || !strings.HasPrefix(got, "#142 プリンター") || !strings.HasSuffix(got, "..., P1") || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func TestActivity(t *testing.T) {
	t.Parallel()
	bob, eve, ann := ticket.Party{ID: "bob", Name: "Bob", Via: "sms"}, ticket.Party{ID: "eve", Name: "Eve", Via: "im"}, ticket.Party{ID: "ann", Name: "Ann Lee", Via: "sms"}
	got := Activity([]ticket.Notice{{To: bob, Message: "offer"}, {To: eve, Message: "offer"}, {To: ann, Message: "req_created"}})
	if got != "offer to Bob by sms, Eve by im; request received to Ann Lee by sms" {
		t.Error(got)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]ticket.Lookup{
		"find 3 people to ask":                                           {Wave: 3},
		"find whom to call, work out when the next step is due":          {Page: "oncall", Spans: []ticket.Span{{Name: "step"}}},
		"find 1 person to ask, find the manager to call":                 {Wave: 1, Page: "manager"},
		"look up what comes next":                                        {},
		"call the last person again, work out when the next step is due": {Page: "again", Spans: []ticket.Span{{}}},
	} {
		if got := Lookup(l); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for want, when := range map[string]time.Time{
		"11:45": at(7), "Wed 9:00": time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC), "Mon 9:00": time.Date(2026, 3, 9, 8, 0, 0, 0, time.UTC),
		"10 Mar 9:00": time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC), "Mon 23:30": time.Date(2026, 3, 2, 22, 30, 0, 0, time.UTC), "1 Jun 10:00": time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC),
	} {
		if got := At(when, now, berlin, "en-GB"); got != want {
			t.Errorf("%v is %q, want %q", when, got, want)
		}
	}
	if got := At(time.Date(2026, 3, 9, 8, 0, 0, 0, time.UTC), now, berlin, "de-DE"); got != "Mo 9:00" {
		t.Error(got)
	}
	for want, d := range map[string]time.Duration{
		"1m": 0, "12m": 12 * time.Minute, "2h": 2 * time.Hour, "2h05m": 125 * time.Minute, "23h59m": 24*time.Hour - time.Second, "3d": 72 * time.Hour, "3d4h": 76*time.Hour + time.Minute,
	} {
		if got := Age(d, ""); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for want, d := range map[string]time.Duration{"3 days": 72 * time.Hour, "1 day": 24 * time.Hour, "1h30m": 90 * time.Minute} {
		if got := Window(d, "en"); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	if got := Window(72*time.Hour, "de"); got != "3 Tage" {
		t.Error(got)
	}
}

// decided is the story of paged.
func decided() []Decision {
	bob, dana := ticket.Party{ID: "bob", Name: "Bob", Via: "sms"}, ticket.Party{ID: "dana", Name: "Dana", Via: "sms"}
	ann := ticket.Party{ID: "ann", Name: "Ann Lee"}
	return []Decision{
		{Event: ticket.Event{At: at(-16), Kind: ticket.Opened, Actor: ann, Text: "Printer on fire"}},
		{Event: ticket.Event{At: at(-16), Kind: ticket.Planned, Actor: ticket.System}},
		{Event: ticket.Event{At: at(-16), Kind: ticket.Offered, Actor: ticket.System, To: []ticket.Party{bob}, Seen: []ticket.Seen{
			{ID: "bob", Name: "Bob", Presence: "offline", Holding: 1}, {ID: "eve", Name: "Eve", Out: ticket.OutAway}, {ID: "dan", Name: "Dan", Out: ticket.OutOffDuty},
		}}, Fates: []Fate{{To: bob, State: "delivered"}}},
		{Event: ticket.Event{At: at(-15), Kind: ticket.Declined, Actor: bob}},
		{Event: ticket.Event{At: at(-1), Kind: ticket.Escalated, Actor: ticket.System, To: []ticket.Party{dana}, Text: "oncall"}, Fates: []Fate{{To: dana, State: "failed", Why: "absent subscriber"}}},
	}
}

func TestStory(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ channel, lang, want string }{
		{"im", "en", `#142 waiting, urgent: Printer on fire
10:22 Ann Lee asked
10:22 offered to Bob (sms, delivered); there: Bob on 1; not: Eve away, Dan off duty
10:23 Bob declined
10:37 called Dana (sms, failed: absent subscriber)
Next: 10:42: call the last person again.`},
		{"sms", "en", `#142 waiting: Printer on fire.
10:22 offered to Bob (sms, delivered)
10:23 Bob declined
10:37 called Dana (sms, failed: absent subscriber)
Next: 10:42: call the last person again.`},
		{"im", "de", `#142 wartend, dringend: Printer on fire
10:22 Ann Lee hat gefragt
10:22 Bob (sms, zugestellt) angeboten; da: Bob mit 1; nicht: Eve weg, Dan nicht im Dienst
10:23 Bob hat abgelehnt
10:37 Dana (sms, gescheitert: absent subscriber) gerufen
Als nächstes: 10:42: den zuletzt Gerufenen noch einmal rufen.`},
	} {
		text, err := Render(Message{ID: "why", Channel: tt.channel, Language: tt.lang, Values: map[string]string{
			"n": "142", "state": State(ticket.New, tt.lang), "prio": Prio(ticket.P1, tt.lang), "subj": "Printer on fire",
			"lines": Story(decided(), tt.channel, now, time.UTC, tt.lang), "next": Upcoming(paged(), now, time.UTC, tt.lang),
		}})
		if err != nil || text.Body != tt.want || text.Segments > 3 {
			t.Errorf("%s %s: %v, %d segments\n%s", tt.channel, tt.lang, err, text.Segments, text.Body)
		}
	}
}

// TestWordsAreComplete: what one language has a word for has one in every other.
func TestWordsAreComplete(t *testing.T) {
	t.Parallel()
	en, de := words("en"), words("de")
	for what, pair := range map[string][2][]string{
		"alarms": {sortedKeys(en.alarms), sortedKeys(de.alarms)}, "deeds": {sortedKeys(en.deeds), sortedKeys(de.deeds)}, "fates": {sortedKeys(en.fates), sortedKeys(de.fates)},
		"presences": {sortedKeys(en.presences), sortedKeys(de.presences)}, "outs": {sortedKeys(en.outs), sortedKeys(de.outs)}, "states": {sortedKeys(en.states), sortedKeys(de.states)},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %v, %v", what, pair[0], pair[1])
		}
	}
}

func sortedKeys[K ~string, V any](m map[K]V) (keys []string) {
	for k := range m {
		keys = append(keys, string(k))
	}
	slices.Sort(keys)
	return keys
}
