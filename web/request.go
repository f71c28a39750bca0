package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/ticket"
)

// requestView is a ticket for whoever asked.
type requestView struct {
	Number, Version  int
	Subject, Link    string
	Standing, InLine string
	Steps            []step
	Story            []entry
	Answer           *button
	Verbs            []button
	Notices          []noticeView
	Files            filesView
	Ways             []choice // how whoever asked can be told
	Incidents        []incident
}

// step is one of the stations of a request.
type step struct {
	Words, Who string
	State      string // done, now, todo or late
	At         *moment
}

func (v viewer) request(s desk.Story, answer *button, verbs []button) requestView {
	t, now := s.Ticket, s.At
	out := requestView{Number: t.Number, Version: t.Version, Subject: t.Subject, Link: s.Link, Standing: standing(t, s.Place, s.Waiting), Steps: v.steps(s), Answer: answer, Verbs: verbs}
	if t.Status == ticket.New {
		out.InLine = inLine(s)
	}
	for _, e := range s.Events {
		if line, ok := v.entry(e, t, now, true); ok {
			out.Story = append(out.Story, line)
		}
	}
	for _, n := range slices.Backward(s.Notices) {
		if n.Person == t.Requester.ID && n.State != "cancelled" {
			out.Notices = append(out.Notices, v.notice(n, now))
		}
	}
	return out
}

// steps are the line Received, Taken, Solved, with a question or an end in it.
func (v viewer) steps(s desk.Story) []step {
	t := s.Ticket
	holder := cmp.Or(t.Assignee.Name, t.Assignee.ID)
	received := step{"Received", "", "done", v.at(t.CreatedAt, s.At)}
	taken := step{"Taken", holder, "done", v.at(t.ClaimedAt, s.At)}
	solved := step{"Solved", "", "todo", nil}
	if t.Merged != 0 {
		return []step{received, {"Goes on as #" + strconv.Itoa(t.Merged), "", "done", v.at(t.ClosedAt, s.At)}}
	}
	switch t.Status {
	case ticket.New:
		return []step{received, {"Taken", "", "now", nil}, solved}
	case ticket.Assigned:
		taken.State = "now"
		if solved.At = v.at(t.ExpectedAt(), s.At); solved.At != nil {
			if solved.Words = "Expected by"; t.Late() {
				solved.Words, solved.State = "Late, was expected by", "late"
			}
		}
		return []step{received, taken, solved}
	case ticket.Pending:
		pause := step{"Question", "waits for your answer", "now", v.at(t.PendingSince, s.At)}
		if t.WaitingFor() != "requester" {
			pause = step{"Put aside", "", "now", v.at(t.Until, s.At)}
			if pause.At != nil {
				pause.Words = "Put aside until"
			}
		}
		return []step{received, taken, pause, solved}
	case ticket.Cancelled:
		return []step{received, {"Withdrawn", "", "done", v.at(t.ClosedAt, s.At)}}
	}
	if t.ResolvedAt.IsZero() {
		return []step{received, {"Closed", "", "done", v.at(t.ClosedAt, s.At)}}
	}
	return []step{received, taken, {"Solved", holder, "done", v.at(t.ResolvedAt, s.At)}}
}

// inLine is what can be said of the wait. A number only ever gets worse, with the
// reason why.
func inLine(s desk.Story) string {
	e, waited := s.Estimate, s.At.Sub(s.Ticket.CreatedAt)
	switch p := s.Promise; {
	case len(e.Free) > 0 && s.Place <= len(e.Free):
		return "Someone is free now."
	case e.Present == 0:
		return "Nobody is at the desk right now; it is kept, and whoever comes next is asked."
	case p == nil || p.High == 0:
		if e.High == 0 {
			return ""
		}
		return "Usually taken " + between(e.Low, e.High) + "."
	case waited+e.High <= p.High+coarse && waited <= p.High:
		return "Usually taken " + between(max(p.Low-waited, 0), p.High-waited) + " from now."
	default:
		why := "it goes slower than usual today"
		if s.Place > p.Place {
			why = "more urgent requests came in"
		}
		if e.High == 0 {
			return "It takes longer than we first said: " + why + "."
		}
		return "It takes longer than we first said, because " + why + ": usually taken " + between(e.Low, e.High) + " from now."
	}
}

// request is the page of whoever asked: who has its link may read and answer.
func (p *pages) request(w http.ResponseWriter, r *http.Request, s desk.Story) {
	p.showRequest(w, r, s, http.StatusOK, nil)
}

func (p *pages) showRequest(w http.ResponseWriter, r *http.Request, s desk.Story, status int, refusal *desk.Explanation) {
	who, base := asker(s), "/t/"+s.Link
	var answer *button
	if own := p.buttons([]verb{writing}, base, s, who, nil); len(own) > 0 {
		answer = &own[0]
		if s.Ticket.WaitingFor() == "requester" && s.Ticket.Status == ticket.Pending {
			answer.Hint = "Your answer"
		}
	}
	person, err := p.desk.Person(r.Context(), who.ID)
	if err != nil && !errors.Is(err, desk.ErrNotFound) {
		p.fail(w, r, err)
		return
	}
	known, err := p.desk.Incidents(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	view := struct {
		Page  page
		T     requestView
		Wrong *desk.Explanation
	}{p.page(r, "Your request #"+strconv.Itoa(s.Ticket.Number), s.At), p.viewer.request(s, answer, p.buttons(requesterVerbs, base, s, who, nil)), refusal}
	view.T.Files, view.T.Ways = p.files(s, base), ways(person)
	view.T.Incidents = p.viewer.incidents(known, who.ID, base+"/affected/%d", s.At)
	view.Page.Live = true
	h := w.Header()
	h.Set("Referrer-Policy", "no-referrer") // the address is a secret
	h.Set("X-Robots-Tag", "noindex")
	p.write(w, status, "request page", view)
}

// asker is whoever asked, who acts here by the link alone.
func asker(s desk.Story) roster.Person {
	return roster.Person{ID: s.Ticket.Requester.ID, Name: s.Ticket.Requester.Name, Roles: roster.Roles{roster.Requester}}
}

func (p *pages) requestEvents(w http.ResponseWriter, r *http.Request, s desk.Story) {
	p.ticketEvents(w, r, s.Ticket.Number)
}

// answer has the requester's verb done.
func (p *pages) answer(w http.ResponseWriter, r *http.Request, s desk.Story) {
	v, ok := named(append(requesterVerbs[:len(requesterVerbs):len(requesterVerbs)], writing), r.PathValue("verb"))
	if !ok {
		p.fail(w, r, desk.ErrNotFound)
		return
	}
	p.answered(w, r, s, p.perform(w, r, s.Ticket.Number, v, asker(s)))
}

// answered shows what became of what a requester sent.
func (p *pages) answered(w http.ResponseWriter, r *http.Request, s desk.Story, err error) {
	switch status, refusal := wrong(err); {
	case err == nil:
		http.Redirect(w, r, "/t/"+s.Link, http.StatusSeeOther)
	case refusal != nil:
		p.showRequest(w, r, s, status, refusal)
	default:
		p.fail(w, r, err)
	}
}
