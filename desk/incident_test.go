package desk_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"deskbell/activities"
	"deskbell/desk"
	"deskbell/roster"
	"deskbell/ticket"
)

func TestIncident(t *testing.T) {
	w := open(t, "")
	must(t, w.store.Import(t.Context(), roster.File{People: []roster.Person{
		{ID: "max", Name: "Max", Roles: roster.Roles{roster.Requester}, Phone: "+15550202", Language: "de"},
		{ID: "ida", Name: "Ida", Roles: roster.Roles{roster.Requester}, JID: "ida@desk.localhost", Prefers: "im"},
		{ID: "zoe", Name: "Zoe", Roles: roster.Roles{roster.Requester}, Phone: "+15550203", Prefers: "none"},
	}}))
	as := func(id string) desk.Caller {
		p, err := w.store.Person(t.Context(), id)
		must(t, err)
		return desk.Caller{Person: p, Channel: "web"}
	}
	do := func(n int, who string, verb ticket.Verb, to string) {
		t.Helper()
		_, err := w.desk.Do(t.Context(), desk.Act{ID: fmt.Sprint(n, who, verb, w.clock.Now()), Person: as(who).Person, Channel: "web", Number: n, Verb: verb, To: to})
		must(t, err)
	}
	// heard are those whom a message reached, with how often.
	heard := func(message string) string {
		t.Helper()
		return strings.Join(w.rows("SELECT person || ' ' || channel || ' ' || count(*) FROM deliveries WHERE reason = $1 GROUP BY person, channel ORDER BY 1", message), ", ")
	}
	known := func() (list []string) {
		t.Helper()
		b, err := w.desk.Board(t.Context())
		must(t, err)
		for _, i := range b.Incidents {
			list = append(list, fmt.Sprint(i.Ticket, " ", i.Words, " ", i.Count()))
		}
		return list
	}

	n := w.submit("No mail since nine")
	for what, words := range map[string]string{"nothing": " ", "too much": strings.Repeat("ü", desk.MaxIncident+1), "no text": "a\x00b"} {
		if _, err := w.desk.Announce(t.Context(), as("bob"), n, words); err == nil {
			t.Errorf("announced %s", what)
		}
	}
	if _, err := w.desk.JoinIncident(t.Context(), as("max"), n); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("joined what is not announced: %v", err)
	}
	if _, err := w.desk.Announce(t.Context(), as("bob"), n+1, "x"); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("announced what is not there: %v", err)
	}
	i, err := w.desk.Announce(t.Context(), as("bob"), n, " Mail is\ndown ")
	must(t, err)
	if i.Words != "Mail is down" || i.By != "bob" || i.Count() != 1 || !i.Affects("ann") || i.Affects("max") || i.Affects("") {
		t.Errorf("%+v", i)
	}
	for _, id := range []string{"max", "ida", "zoe", "max", "ann"} { // Ann asked herself
		if i, err = w.desk.JoinIncident(t.Context(), as(id), n); err != nil || !i.Affects(id) {
			t.Errorf("%s: %+v %v", id, i, err)
		}
	}
	if _, err = w.desk.Announce(t.Context(), as("eve"), n, "Mail is down in Berlin"); err != nil {
		t.Error(err)
	}
	if got := known(); !slices.Equal(got, []string{fmt.Sprint(n, " Mail is down in Berlin 4")}) {
		t.Errorf("known: %q", got)
	}
	if r, err := w.desk.Record(t.Context(), "max"); err != nil || !slices.Equal(r.Affected, []int{n}) {
		t.Errorf("record: %v %v", r.Affected, err)
	}

	do(n, "bob", ticket.Take, "")
	do(n, "bob", ticket.Done, "")
	if got := heard("incident_solved"); got != "ida im 1, max sms 1" {
		t.Errorf("told: %s", got)
	}
	if text := strings.Join(w.rows("SELECT text FROM deliveries WHERE person = 'max' AND reason = 'incident_solved'"), "; "); text != fmt.Sprintf("Gelöst: Mail is down in Berlin (#%d). Du warst auch betroffen. Geht es nicht? Einfach hier schreiben.", n) {
		t.Error(text)
	}
	// A worker that was killed after it had written does it again.
	events, err := w.store.Timeline(t.Context(), n)
	must(t, err)
	must(t, w.desk.TicketActivities().Project(t.Context(), activities.Projection{Ticket: w.ticket(n), Events: events}))
	if got := heard("incident_solved"); got != "ida im 1, max sms 1" || len(known()) > 0 {
		t.Errorf("told again: %s; known: %q", got, known())
	}
	if _, err := w.desk.JoinIncident(t.Context(), as("ida"), n); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("joined what is solved: %v", err)
	}
	if _, err := w.desk.Announce(t.Context(), as("bob"), n, "x"); func() bool { _, refused := ticket.Refused(err); return !refused }() {
		t.Errorf("announced what is solved: %v", err)
	}

	// It was not: what is open again is known again, and solved once more.
	do(n, "ann", ticket.Reopen, "")
	if got := known(); !slices.Equal(got, []string{fmt.Sprint(n, " Mail is down in Berlin 4")}) {
		t.Errorf("known again: %q", got)
	}
	must(t, w.desk.WithdrawIncident(t.Context(), as("bob"), n))
	if err := w.desk.WithdrawIncident(t.Context(), as("bob"), n); !errors.Is(err, desk.ErrNotFound) || len(known()) > 0 {
		t.Errorf("withdrawn twice: %v; known: %q", err, known())
	}
	// A merged ticket's requester is affected too, and so is who joined there.
	m := w.submit("Mail again")
	_, err = w.desk.Announce(t.Context(), as("bob"), m, "More mail is down")
	must(t, err)
	_, err = w.desk.JoinIncident(t.Context(), as("bob"), m)
	must(t, err)
	must(t, w.store.Import(t.Context(), roster.File{People: []roster.Person{{ID: "meg", Name: "Meg", Roles: roster.Roles{roster.Manager}}}}))
	do(m, "meg", ticket.Merge, fmt.Sprint(n))
	w.clock.pass(1)
	do(n, "bob", ticket.Done, "")
	if got := heard("incident_solved"); got != "bob sms 1, ida im 2, max sms 2" {
		t.Errorf("told of the second time: %s", got)
	}
	last := w.submit("A third")
	_, err = w.desk.Announce(t.Context(), as("bob"), last, "It smells")
	must(t, err)
	_, err = w.desk.JoinIncident(t.Context(), as("ida"), last)
	must(t, err)
	do(last, "ann", ticket.Withdraw, "")
	if got := heard("incident_dropped"); got != "ida im 1" || len(known()) > 0 {
		t.Errorf("told of the end: %s; known: %q", got, known())
	}
	acts, _, err := w.desk.Audit(t.Context(), desk.AuditFilter{Act: "incident."})
	must(t, err)
	var did []string
	for _, a := range slices.Backward(acts) {
		did = append(did, fmt.Sprint(a.Actor, " ", strings.TrimPrefix(a.Act, "incident."), " ", strings.TrimPrefix(a.Subject, "ticket ")))
	}
	if got, want := strings.Join(did, ", "), "bob announced 100, max joined 100, ida joined 100, zoe joined 100, eve announced 100, bob withdrawn 100, bob announced 101, bob joined 101, bob announced 102, ida joined 102"; got != want {
		t.Errorf("audit: %s", got)
	}
}
