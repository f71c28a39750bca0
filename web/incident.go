package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"deskbell/desk"
	"deskbell/signin"
)

// incident is what everybody may know of a ticket that is announced.
type incident struct {
	Number  int
	Words   string
	Since   moment
	Count   int
	Join    string // where somebody says that it affects them too; empty: nobody does here
	Counted bool   // the reader is among them
}

// incidents are those that are known, for somebody who joins at a path that the number
// goes into.
func (v viewer) incidents(list []desk.Incident, reader, path string, now time.Time) []incident {
	out := make([]incident, len(list))
	for i, known := range list {
		out[i] = incident{Number: known.Ticket, Words: known.Words, Since: v.when(known.Since, now), Count: known.Count(), Counted: known.Affects(reader)}
		if path != "" {
			out[i].Join = fmt.Sprintf(path, known.Ticket)
		}
	}
	return out
}

// incidentPath is the page of what is known, and joinPath where whoever has signed in
// joins.
const (
	incidentPath = "/incidents/%d"
	joinPath     = incidentPath + "/affected"
)

// announcing is what those who work here see of a ticket as an incident.
type announcing struct {
	Action string
	Most   int // characters
	Known  *incident
}

func (p *pages) announcing(s desk.Story, list []desk.Incident) *announcing {
	if !s.Ticket.Status.Open() {
		return nil
	}
	a := &announcing{Action: fmt.Sprintf("/tickets/%d/incident", s.Ticket.Number), Most: desk.MaxIncident}
	for _, i := range p.viewer.incidents(list, "", "", s.At) {
		if i.Number == s.Ticket.Number {
			a.Known = &i
		}
	}
	return a
}

// announce announces a ticket.
func (p *pages) announce(w http.ResponseWriter, r *http.Request, n int) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	_, err := p.desk.Announce(r.Context(), signin.Caller(r.Context()), n, r.FormValue("text"))
	p.acted(w, r, n, err)
}

func (p *pages) withdraw(w http.ResponseWriter, r *http.Request, n int) {
	p.acted(w, r, n, p.desk.WithdrawIncident(r.Context(), signin.Caller(r.Context()), n))
}

// join is "me too" of somebody who has signed in.
func (p *pages) join(w http.ResponseWriter, r *http.Request, n int) {
	if who(r).ID == "" {
		p.signIn(w, r)
		return
	}
	p.joined(w, r, signin.Caller(r.Context()), n, fmt.Sprintf(incidentPath, n))
}

// incident is one that is known, and whether it counts the reader.
func (p *pages) incident(w http.ResponseWriter, r *http.Request, n int) {
	known, err := p.desk.Incidents(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	i := slices.IndexFunc(known, func(i desk.Incident) bool { return i.Ticket == n })
	if i < 0 {
		p.unknown(w, r)
		return
	}
	view := struct {
		Page      page
		Incidents []incident
	}{p.page(r, "Known incident", time.Time{}), p.viewer.incidents(known[i:i+1], who(r).ID, joinPath, p.now())}
	p.write(w, http.StatusOK, "incident page", view)
}

// requestJoin is "me too" of whoever asked for something else, by its link.
func (p *pages) requestJoin(w http.ResponseWriter, r *http.Request, s desk.Story) {
	p.numbered(func(w http.ResponseWriter, r *http.Request, n int) {
		p.joined(w, r, desk.Caller{Person: asker(s), Channel: "web"}, n, "/t/"+s.Link)
	})(w, r)
}

func (p *pages) joined(w http.ResponseWriter, r *http.Request, by desk.Caller, n int, back string) {
	switch _, err := p.desk.JoinIncident(r.Context(), by, n); {
	case err == nil:
		http.Redirect(w, r, back, http.StatusSeeOther)
	case errors.Is(err, desk.ErrNotFound):
		p.unknown(w, r)
	default:
		p.fail(w, r, err)
	}
}

func (p *pages) unknown(w http.ResponseWriter, r *http.Request) {
	p.say(w, r, http.StatusNotFound, "This is no known incident any more", "It is solved or was withdrawn. If it still affects you, ask for help.")
}
