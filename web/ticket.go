package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/signin"
	"deskbell/ticket"
)

// ticketView is a ticket for those who work here.
type ticketView struct {
	Number, Version            int
	Now                        int64
	Subject, Link, WorkflowURL string
	Status                     ticket.Status
	Priority                   ticket.Priority
	StatusWords, PriorityWords string
	Standing                   string // where it stands, in a sentence
	Requester, Contact, Holder string
	Asked, Next                string
	Times                      []timed
	Timers                     []timer
	Verbs                      []button
	Story                      []entry
	Notices                    []noticeView
	Files                      filesView
	Announcing                 *announcing // nil for one that is over
}

type timed struct {
	What string
	At   *moment
}

// timer is something that will happen by itself.
type timer struct {
	What string
	At   *moment
	Left *countdown
}

// entry is a line of a ticket's story: what somebody said, or what happened.
type entry struct {
	At                  moment
	Who, Words, Channel string
	Text                string // what was said; empty when nothing was
	Side                string // mine, theirs or note: who said it, from the reader's side
}

type noticeView struct {
	Name, Channel, State, StateWords, Detail, Text string
	At                                             *moment
}

// alarmWords say what happens by itself; alarms that nobody waits for are missing.
var alarmWords = map[ticket.AlarmKind]string{
	ticket.WaveAlarm: "Ask the next", ticket.StepAlarm: "Call", ticket.RepeatAlarm: "Call again", ticket.PromiseAlarm: "Expected", ticket.StaleAlarm: "Ask for news",
	ticket.LapseAlarm: "Back in line", ticket.AnswerAlarm: "Remind", ticket.WakeAlarm: "Is back", ticket.PassAlarm: "Offer ends", ticket.CloseAlarm: "Closes",
}

func (v viewer) ticket(s desk.Story, requester roster.Person, verbs []button) ticketView {
	t, now := s.Ticket, s.At
	out := ticketView{Number: t.Number, Version: t.Version, Now: now.UnixMilli(), Subject: t.Subject, Link: s.Link, WorkflowURL: v.workflow(t.Number), Status: t.Status, Priority: t.Priority,
		StatusWords: statusWords[t.Status], PriorityWords: priorityWords[t.Priority], Requester: cmp.Or(t.Requester.Name, t.Requester.ID), Next: s.Next, Verbs: verbs}
	out.Contact = strings.Join(slices.DeleteFunc([]string{requester.Phone, requester.Loc}, func(s string) bool { return s == "" }), ", ")
	out.Standing = standing(t, s.Place, s.Waiting)
	if t.Status == ticket.Assigned || t.Status == ticket.Pending {
		out.Holder = cmp.Or(t.Assignee.Name, t.Assignee.ID)
	}
	expected := "Expected by"
	if t.Late() {
		expected = "Late, was expected by"
	}
	for _, at := range []struct {
		what string
		at   time.Time
	}{{"Came in", t.CreatedAt}, {"Taken", t.ClaimedAt}, {"Solved", t.ResolvedAt}, {expected, t.ExpectedAt()}, {"Take by", zeroIf(t.Status != ticket.New, t.RespondBy)}, {"Solve by", zeroIf(!t.Status.Open(), t.ResolveBy)}} {
		if m := v.at(at.at, now); m != nil {
			out.Times = append(out.Times, timed{at.what, m})
		}
	}
	for _, a := range t.Alarms {
		words := alarmWords[a.Kind]
		if a.Kind == ticket.StepAlarm && t.Step < len(t.Plan.Steps) {
			words = "Call " + stepWords(t.Plan.Steps[t.Step].To)
		}
		if words != "" {
			out.Timers = append(out.Timers, timer{words, v.at(a.At, now), v.countdown(a.At, now)})
		}
	}
	if t.Status == ticket.New {
		out.Asked = list(v.asking(t, now).Asked)
	}
	for _, e := range s.Events {
		if line, ok := v.entry(e, t, now, false); ok {
			out.Story = append(out.Story, line)
		}
	}
	for _, n := range slices.Backward(s.Notices) {
		out.Notices = append(out.Notices, v.notice(n, now))
	}
	return out
}

func zeroIf(yes bool, at time.Time) time.Time {
	if yes {
		return time.Time{}
	}
	return at
}

// standing is where a ticket stands, in words.
func standing(t ticket.Ticket, place, waiting int) string {
	holder := cmp.Or(t.Assignee.Name, t.Assignee.ID)
	if t.Merged != 0 {
		return "goes on as #" + strconv.Itoa(t.Merged)
	}
	switch t.Status {
	case ticket.New:
		if place > 0 && waiting > 1 {
			return ordinal(place) + " of " + strconv.Itoa(waiting) + " in line"
		}
		return "waits for somebody to take it"
	case ticket.Assigned:
		if t.Late() {
			return holder + " is on it, and it is late"
		}
		return holder + " is on it"
	case ticket.Pending:
		if t.WaitingFor() == "requester" {
			return holder + " asked a question and waits for the answer"
		}
		return holder + " put it aside for a while"
	case ticket.Resolved:
		return "solved by " + holder
	case ticket.Cancelled:
		return "withdrawn"
	}
	return "closed"
}

func ordinal(n int) string {
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			return strconv.Itoa(n) + "st"
		case 2:
			return strconv.Itoa(n) + "nd"
		case 3:
			return strconv.Itoa(n) + "rd"
		}
	}
	return strconv.Itoa(n) + "th"
}

// spoken are the events whose text somebody said, with what they did.
var spoken = map[ticket.Kind]string{
	ticket.Opened: "asked", ticket.Written: "added", ticket.Answered: "answered", ticket.Reopened: "reopened it",
	ticket.Asked: "asked", ticket.Told: "wrote", ticket.Solved: "solved it", ticket.Noted: "noted", ticket.Raised: "asked for help", ticket.PassOffered: "passed it on", ticket.Withdrawn: "withdrew it",
}

var channelNames = map[string]string{"sms": "by text", "im": "in chat", "web": "on this page", "rest": "by the API"}

// entry is a line of the story; ok is false for what the reader need not know.
func (v viewer) entry(e ticket.Event, t ticket.Ticket, now time.Time, requester bool) (line entry, ok bool) {
	if e.Kind == ticket.Planned || e.Kind == ticket.Kept || requester && !e.Kind.RequesterReads() {
		return entry{}, false
	}
	line = entry{At: v.when(e.At, now), Who: cmp.Or(e.Actor.Name, e.Actor.ID)}
	theirs := e.Actor.ID == t.Requester.ID
	text := e.Text
	if e.Kind == ticket.Opened {
		text = cmp.Or(t.Body, t.Subject)
	}
	if words := spoken[e.Kind]; words != "" && strings.TrimSpace(text) != "" {
		line.Words, line.Text, line.Channel, line.Side = words, text, channelNames[e.Channel], "theirs"
		if theirs == requester {
			line.Side = "mine"
		}
		if e.Kind == ticket.Noted || e.Kind == ticket.Raised || e.Kind == ticket.PassOffered {
			line.Side = "note"
		}
		return line, true
	}
	var to []string
	for _, p := range e.To {
		if !slices.Contains(to, p.Name) {
			to = append(to, p.Name)
		}
	}
	line.Words = decided(desk.DecisionView{Event: e.Kind, Name: line.Who, To: to})
	if (e.Kind == ticket.Taken || e.Kind == ticket.Passed || e.Kind == ticket.Promised) && !e.Until.IsZero() {
		line.Words += ": expected by " + v.when(e.Until, now).Text
	}
	if e.Kind == ticket.Reprioritised {
		line.Words += " to " + priorityWords[e.Priority]
	}
	if e.Kind == ticket.MergedInto {
		line.Words += " into #" + strconv.Itoa(e.Number)
	}
	return line, true
}

var fateWords = map[string]string{"due": "is to be sent", "sending": "is being sent", "sent": "sent, no receipt yet", "delivered": "delivered", "failed": "did not arrive",
	"expired": "was not sent in time", "cancelled": "not sent, no longer needed", "bundled": "sent in a bundle", "unknown": "sent, outcome unknown"}

func (v viewer) notice(n desk.NoticeView, now time.Time) noticeView {
	out := noticeView{Name: cmp.Or(n.Name, "The team's room"), Channel: channelWords(n.Channel), State: n.State, StateWords: fateWords[n.State], Detail: n.Detail, Text: n.Text, At: v.at(n.At, now)}
	if n.Channel == "im" && n.State == "sent" {
		out.StateWords = "sent" // a chat has no receipts that everybody sends
	}
	if n.State == "cancelled" {
		out.Detail = ""
	}
	return out
}

// numbered gives a route its ticket's number.
func (p *pages) numbered(next func(http.ResponseWriter, *http.Request, int)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil {
			p.fail(w, r, desk.ErrNotFound)
			return
		}
		next(w, r, n)
	}
}

// ticket is all about a ticket for those who work here, the requester's own page for
// whoever asked, and for others on an open board how it got where it is.
func (p *pages) ticket(w http.ResponseWriter, r *http.Request) {
	p.numbered(func(w http.ResponseWriter, r *http.Request, n int) {
		caller := signin.Caller(r.Context())
		if caller.May(desk.AsAgent) {
			p.showTicket(w, r, n, caller.Person, http.StatusOK, nil)
			return
		}
		switch s, err := p.desk.Story(r.Context(), n); {
		case err == nil && caller.Person.ID != "" && s.Ticket.Requester.ID == caller.Person.ID:
			http.Redirect(w, r, "/t/"+s.Link, http.StatusSeeOther)
		default:
			p.why(w, r)
		}
	})(w, r)
}

func (p *pages) showTicket(w http.ResponseWriter, r *http.Request, number int, who roster.Person, status int, refusal *desk.Explanation) {
	s, err := p.desk.Story(r.Context(), number)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	colleagues, err := p.desk.Agents(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	requester, err := p.desk.Person(r.Context(), s.Ticket.Requester.ID)
	if err != nil && !errors.Is(err, desk.ErrNotFound) {
		p.fail(w, r, err)
		return
	}
	known, err := p.desk.Incidents(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	base := "/tickets/" + strconv.Itoa(number)
	view := struct {
		Page  page
		T     ticketView
		Wrong *desk.Explanation
	}{p.page(r, "#"+strconv.Itoa(number)+" "+short(s.Ticket.Subject), s.At), p.viewer.ticket(s, requester, p.buttons(verbs, base, s, who, colleagues)), refusal}
	view.Page.Live, view.T.Files, view.T.Announcing = true, p.files(s, base), p.announcing(s, known)
	p.write(w, status, "ticket page", view)
}

// act has a verb done and shows the ticket as it then is.
func (p *pages) act(w http.ResponseWriter, r *http.Request) {
	p.numbered(func(w http.ResponseWriter, r *http.Request, n int) {
		v, ok := named(verbs, r.PathValue("verb"))
		if !ok {
			p.fail(w, r, desk.ErrNotFound)
			return
		}
		p.acted(w, r, n, p.perform(w, r, n, v, who(r)))
	})(w, r)
}

// acted shows what became of what somebody who works here did with a ticket.
func (p *pages) acted(w http.ResponseWriter, r *http.Request, n int, err error) {
	switch status, refusal := wrong(err); {
	case err == nil:
		http.Redirect(w, r, "/tickets/"+strconv.Itoa(n), http.StatusSeeOther)
	case refusal != nil:
		p.showTicket(w, r, n, who(r), status, refusal)
	default:
		p.fail(w, r, err)
	}
}

// why shows the decisions of a ticket to anybody who may see the board: it names
// nobody who asked for help, and repeats nobody's words.
func (p *pages) why(w http.ResponseWriter, r *http.Request) {
	show := p.numbered(func(w http.ResponseWriter, r *http.Request, n int) {
		view, err := p.desk.Why(r.Context(), n)
		if err != nil {
			p.fail(w, r, err)
			return
		}
		p.write(w, http.StatusOK, "why page", struct {
			Page page
			Why  why
		}{p.page(r, "#"+strconv.Itoa(n), time.Time{}), p.viewer.why(view)})
	})
	if !p.Open {
		show = p.workers(show)
	}
	show(w, r)
}

// ticketRow is a ticket in a list.
type ticketRow struct {
	Number                                      int
	Subject, StatusWords, PriorityWords, Holder string
	Status                                      ticket.Status
	Priority                                    ticket.Priority
	At                                          moment
}

// states are what the list can be of.
var states = []struct {
	id, words string
	of        []ticket.Status
}{
	{"open", "open", []ticket.Status{ticket.New, ticket.Assigned, ticket.Pending}},
	{"new", "waiting", []ticket.Status{ticket.New}},
	{"held", "in work", []ticket.Status{ticket.Assigned, ticket.Pending}},
	{"solved", "solved", []ticket.Status{ticket.Resolved}},
	{"over", "closed or withdrawn", []ticket.Status{ticket.Closed, ticket.Cancelled}},
	{"all", "all", nil},
}

// ticketsWords are what the list is to its reader.
func ticketsWords(reader desk.Caller) string {
	if reader.May(desk.AsAgent) {
		return "Tickets"
	}
	return "My requests"
}

// tickets lists all for those who work here, and their own for others.
func (p *pages) tickets(w http.ResponseWriter, r *http.Request) {
	caller := signin.Caller(r.Context())
	if !caller.May(desk.AsRequester) {
		p.signIn(w, r)
		return
	}
	agents, err := p.desk.Agents(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	now := p.now()
	view := struct {
		Page            page
		Heading         string
		States, Holders []choice
		Tickets         []ticketRow
		Words, Older    string
	}{Heading: ticketsWords(caller), Words: r.FormValue("q")}
	view.Page = p.page(r, view.Heading, now)
	chosen, f := cmp.Or(r.FormValue("status"), "open"), desk.Filter{Assignee: r.FormValue("assignee"), Cursor: r.FormValue("before"), Words: strings.TrimSpace(r.FormValue("q"))}
	for _, s := range states {
		view.States = append(view.States, choice{s.id, s.words, s.id == chosen})
		if s.id == chosen {
			f.Status = s.of
		}
	}
	for _, a := range agents {
		view.Holders = append(view.Holders, choice{a.ID, a.Name, a.ID == f.Assignee})
	}
	if !caller.May(desk.AsAgent) {
		f.Requester = caller.Person.ID
	}
	found, next, err := p.desk.Tickets(r.Context(), f)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	for _, t := range found {
		view.Tickets = append(view.Tickets, ticketRow{Number: t.Number, Subject: short(t.Subject), StatusWords: statusWords[t.Status], PriorityWords: priorityWords[t.Priority],
			Holder: cmp.Or(t.Assignee.Name, t.Assignee.ID), Status: t.Status, Priority: t.Priority, At: p.viewer.when(t.CreatedAt, now)})
	}
	if next != "" {
		view.Older = "/tickets?" + url.Values{"status": {chosen}, "assignee": {f.Assignee}, "q": {f.Words}, "before": {next}}.Encode()
	}
	p.write(w, http.StatusOK, "tickets page", view)
}
