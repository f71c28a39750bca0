package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/ticket"
)

// fileView is a file of a ticket.
type fileView struct {
	Path, Name, Size, By string
	At                   moment
}

// filesView are a ticket's files, and where to add one; there is no such place when Add
// is empty.
type filesView struct {
	Files []fileView
	Add   string
}

// files shows what is kept with a ticket whose page is at base.
func (p *pages) files(s desk.Story, base string) filesView {
	var out filesView
	for _, f := range s.Files {
		out.Files = append(out.Files, fileView{base + "/files/" + f.ID, f.Name, size(f.Size), f.AddedBy, p.viewer.when(f.AddedAt, s.At)})
	}
	if p.desk.KeepsFiles() && s.Ticket.Status != ticket.Cancelled {
		out.Add = base + "/files"
	}
	return out
}

func size(bytes int) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1000_000:
		return fmt.Sprintf("%d kB", bytes/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// upload keeps the file of a form with a ticket; a form without one is fine.
func (p *pages) upload(r *http.Request, number int, who roster.Person) error {
	file, header, err := r.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return nil
	}
	if _, much := errors.AsType[*http.MaxBytesError](err); much {
		return err
	}
	if err != nil {
		return &desk.InvalidError{Field: "file", Problem: "the file did not arrive whole; send it again"}
	}
	defer file.Close()
	if header.Filename == "" {
		return nil
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("read a file that was sent: %w", err)
	}
	_, err = p.desk.Attach(r.Context(), desk.Caller{Person: who, Channel: "web"}, number, header.Filename, content)
	return err
}

// download sends a file to be saved: a browser that showed it would run what is in it.
func (p *pages) download(w http.ResponseWriter, r *http.Request, number int) {
	a, content, err := p.desk.Attachment(r.Context(), number, r.PathValue("id"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.Type)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}))
	h.Set("Content-Length", strconv.Itoa(len(content)))
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(content) // the reader is gone when this fails
}

// attach keeps a file from the page of those who work here.
func (p *pages) attach(w http.ResponseWriter, r *http.Request, number int) {
	r.Body = http.MaxBytesReader(w, r.Body, desk.MaxFile+maxForm)
	p.acted(w, r, number, p.upload(r, number, who(r)))
}

// linked gives a route the story that a requester's link names.
func (p *pages) linked(next func(http.ResponseWriter, *http.Request, desk.Story)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := p.desk.Linked(r.Context(), r.PathValue("link"))
		if err != nil {
			p.fail(w, r, err)
			return
		}
		next(w, r, s)
	}
}

func (p *pages) requestDownload(w http.ResponseWriter, r *http.Request, s desk.Story) {
	p.download(w, r, s.Ticket.Number)
}

// requestAttach keeps a requester's file.
func (p *pages) requestAttach(w http.ResponseWriter, r *http.Request, s desk.Story) {
	r.Body = http.MaxBytesReader(w, r.Body, desk.MaxFile+maxForm)
	p.answered(w, r, s, p.upload(r, s.Ticket.Number, asker(s)))
}

// told changes how whoever asked is told.
func (p *pages) told(w http.ResponseWriter, r *http.Request, s desk.Story) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	_, err := p.desk.EditPerson(r.Context(), desk.Caller{Person: asker(s), Channel: "web"}, s.Ticket.Requester.ID, 0, desk.EntryEdit{Prefers: new(r.FormValue("by"))})
	p.answered(w, r, s, err)
}

// ways are how a person can be told, the one that counts chosen.
func ways(p roster.Person) []choice {
	by := p.Prefers
	var out []choice
	if p.Phone != "" {
		out = append(out, choice{roster.ViaSMS, "by text message", by == roster.ViaSMS || by == ""})
	}
	if p.JID != "" {
		out = append(out, choice{roster.ViaIM, "in chat", by == roster.ViaIM || by == "" && p.Phone == ""})
	}
	if len(out) == 0 {
		return nil
	}
	return append(out, choice{"none", "only on this page", by == "none"})
}
