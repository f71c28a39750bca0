package web

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"time"

	"deskbell/desk"
	"deskbell/ticket"
)

func (p *pages) board(w http.ResponseWriter, r *http.Request) {
	b, err := p.desk.Board(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	view := struct {
		Page  page
		Board board
		Box   box
	}{p.page(r, "Board", b.At), p.viewer.view(b), p.box(r, desk.Submission{})}
	view.Page.Title, view.Page.Live = "Deskbell", true
	p.write(w, http.StatusOK, "board page", view)
}

func (p *pages) wall(w http.ResponseWriter, r *http.Request) {
	b, err := p.desk.Board(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	view := struct {
		Page  page
		Board board
	}{p.page(r, "Wall", b.At), p.viewer.view(b)}
	view.Page.Live, view.Page.Class, view.Page.Nav = true, "wall", nil
	p.write(w, http.StatusOK, "wall page", view)
}

// box is the form for a request.
type box struct {
	Person, SignIn string // who asks; nobody may, when it is empty
	Subject, Body  string
	Priorities     []choice
	Key            string // the same key is the same request, however often it is sent
	Wrong          string
	Files          bool // a file may be sent with it
}

type choice struct {
	ID, Words string
	Chosen    bool
}

func (p *pages) box(r *http.Request, s desk.Submission) box {
	b := box{Person: who(r).Name, SignIn: "/sign-in?next=" + url.QueryEscape(r.URL.RequestURI()), Subject: s.Subject, Body: s.Body, Key: s.Key, Priorities: priorities(s.Priority, ticket.P3), Files: p.desk.KeepsFiles()}
	if b.Key == "" {
		b.Key = rand.Text()
	}
	return b
}

func priorities(chosen, usual ticket.Priority) []choice {
	if chosen == "" {
		chosen = usual
	}
	var out []choice
	for _, p := range []ticket.Priority{ticket.P1, ticket.P2, ticket.P3, ticket.P4} {
		out = append(out, choice{string(p), priorityWords[p], p == chosen})
	}
	return out
}

func (p *pages) form(w http.ResponseWriter, r *http.Request) {
	p.showForm(w, r, http.StatusOK, p.box(r, desk.Submission{}))
}

func (p *pages) showForm(w http.ResponseWriter, r *http.Request, status int, b box) {
	known, err := p.desk.Incidents(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.write(w, status, "new page", struct {
		Page      page
		Incidents []incident
		Box       box
	}{p.page(r, "Ask for help", time.Time{}), p.viewer.incidents(known, who(r).ID, joinPath, p.now()), b})
}

// submit takes a request in and leads to its page.
func (p *pages) submit(w http.ResponseWriter, r *http.Request) {
	who := who(r)
	if who.ID == "" {
		p.signIn(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, desk.MaxFile+maxForm)
	if _, much := errors.AsType[*http.MaxBytesError](r.ParseMultipartForm(maxForm)); much {
		b := p.box(r, desk.Submission{})
		b.Wrong = "A file may have 10 MB. Please write it again with a smaller one."
		p.showForm(w, r, http.StatusRequestEntityTooLarge, b)
		return
	}
	s := desk.Submission{Subject: r.FormValue("subject"), Body: r.FormValue("body"), Priority: ticket.Priority(r.FormValue("priority")),
		Requester: who.ID, Channel: "web", Scope: "web/" + who.ID, Key: r.FormValue("key")}
	s.Hash = digest(s.Subject, s.Body, string(s.Priority))
	t, _, err := p.desk.Submit(r.Context(), s)
	if errors.Is(err, desk.ErrKeyReused) { // another request from a page that was kept
		s.Key = rand.Text()
		t, _, err = p.desk.Submit(r.Context(), s)
	}
	var to string
	if err == nil {
		to, err = p.desk.Link(r.Context(), t.Number)
	}
	if invalid, ok := errors.AsType[*desk.InvalidError](err); ok {
		b := p.box(r, s)
		b.Wrong = "Please " + invalid.Problem + "."
		p.showForm(w, r, http.StatusUnprocessableEntity, b)
		return
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	err = p.upload(r, t.Number, who)
	if status, refusal := wrong(err); refusal != nil { // the request is kept all the same
		r.SetPathValue("link", to)
		p.linked(func(w http.ResponseWriter, r *http.Request, s desk.Story) {
			p.showRequest(w, r, s, status, refusal)
		})(w, r)
		return
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/t/"+to, http.StatusSeeOther)
}
