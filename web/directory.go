package web

import (
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
)

// directoryPage is the people that managers look after.
type directoryPage struct {
	Page     page
	Words    string
	Inactive bool // who is deactivated too
	People   []desk.Entry
	More     string
	Add      entryForm
}

// entryForm is somebody as a form has them.
type entryForm struct {
	desk.Entry
	Action, Wrong string
	New           bool
	Roles, Ways   []choice
}

func formOf(e desk.Entry, action string) entryForm {
	f := entryForm{Entry: e, Action: action, New: e.Version == 0}
	for _, r := range []roster.Role{roster.Requester, roster.Agent, roster.OnCallee, roster.Manager, roster.Admin} {
		f.Roles = append(f.Roles, choice{string(r), roleWords[r], slices.Contains(e.Person.Roles, r)})
	}
	for _, w := range []choice{{ID: "", Words: "by whatever there is"}, {ID: roster.ViaSMS, Words: "by text message"}, {ID: roster.ViaIM, Words: "in chat"}, {ID: "none", Words: "only on the page"}} {
		w.Chosen = w.ID == e.Prefers
		f.Ways = append(f.Ways, w)
	}
	return f
}

var roleWords = map[roster.Role]string{roster.Requester: "asks", roster.Agent: "agent", roster.OnCallee: "on call", roster.Manager: "manager", roster.Admin: "administrator"}

func (p *pages) directory(w http.ResponseWriter, r *http.Request) {
	p.showDirectory(w, r, http.StatusOK, formOf(desk.Entry{Person: roster.Person{Roles: roster.Roles{roster.Requester}}}, "/directory"))
}

func (p *pages) showDirectory(w http.ResponseWriter, r *http.Request, status int, add entryForm) {
	out := directoryPage{Page: p.page(r, "Directory", time.Time{}), Add: add}
	if r.Method == http.MethodGet {
		out.Words, out.Inactive = strings.TrimSpace(r.FormValue("q")), r.FormValue("all") != ""
	}
	var next string
	var err error
	out.People, next, err = p.desk.Directory(r.Context(), desk.DirectoryFilter{Words: out.Words, Inactive: out.Inactive, Cursor: r.URL.Query().Get("after")})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if next != "" {
		q := url.Values{"q": {out.Words}, "after": {next}}
		if out.Inactive {
			q.Set("all", "yes")
		}
		out.More = "/directory?" + q.Encode()
	}
	p.write(w, status, "directory page", out)
}

func (p *pages) entry(w http.ResponseWriter, r *http.Request) {
	e, err := p.desk.Entry(r.Context(), r.PathValue("id"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.showEntry(w, r, http.StatusOK, formOf(e, "/directory/"+e.ID))
}

func (p *pages) showEntry(w http.ResponseWriter, r *http.Request, status int, f entryForm) {
	p.write(w, status, "entry page", struct {
		Page page
		Form entryForm
	}{p.page(r, "Directory", time.Time{}), f})
}

// filled is what a form says of somebody.
func filled(r *http.Request) roster.Person {
	p := roster.Person{Inactive: r.FormValue("active") == ""}
	for name, to := range map[string]*string{"id": &p.ID, "name": &p.Name, "phone": &p.Phone, "jid": &p.JID, "language": &p.Language, "loc": &p.Loc, "group": &p.Group, "prefers": &p.Prefers, "pin": &p.PIN} {
		*to = strings.TrimSpace(r.FormValue(name))
	}
	for _, role := range r.Form["role"] {
		p.Roles = append(p.Roles, roster.Role(role))
	}
	return p
}

// add adds somebody at a manager's word.
func (p *pages) add(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	person := filled(r)
	person.Inactive = false
	e, err := p.desk.AddPerson(r.Context(), signin.Caller(r.Context()), person)
	if status, problem := notSaved(err); problem != "" {
		f := formOf(desk.Entry{Person: person}, "/directory")
		f.Wrong = problem
		p.showDirectory(w, r, status, f)
		return
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/directory/"+e.ID, http.StatusSeeOther)
}

// edit changes somebody at a manager's word, unless somebody else did since the form was
// shown.
func (p *pages) edit(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id, person := r.PathValue("id"), filled(r)
	person.ID = id
	version, err := strconv.Atoi(r.FormValue("version"))
	if err != nil || version < 1 {
		p.fail(w, r, desk.ErrNotFound)
		return
	}
	edit := desk.EntryEdit{Name: &person.Name, Phone: &person.Phone, JID: &person.JID, Language: &person.Language, Loc: &person.Loc, Group: &person.Group, Prefers: &person.Prefers,
		Roles: person.Roles, Active: new(!person.Inactive)}
	if edit.Roles == nil {
		edit.Roles = roster.Roles{} // none is wrong, and not the same as before
	}
	switch {
	case person.PIN != "":
		edit.PIN = &person.PIN
	case r.FormValue("no_pin") != "":
		edit.PIN = new("")
	}
	_, err = p.desk.EditPerson(r.Context(), signin.Caller(r.Context()), id, version, edit)
	if status, problem := notSaved(err); problem != "" {
		f := formOf(desk.Entry{Person: person, Version: version}, "/directory/"+id)
		f.Wrong = problem
		p.showEntry(w, r, status, f)
		return
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/directory", http.StatusSeeOther)
}

// notSaved is what a page says of an entry that was not saved; no problem is what is not
// the visitor's to mend.
func notSaved(err error) (status int, problem string) {
	switch invalid, ok := errors.AsType[*desk.InvalidError](err); {
	case ok:
		return http.StatusUnprocessableEntity, "Please look at it again: " + invalid.Problem + "."
	case errors.Is(err, desk.ErrChanged):
		return http.StatusConflict, "Somebody else changed this meanwhile. Open it again to see what."
	case errors.Is(err, desk.ErrNotAllowed):
		return http.StatusForbidden, "Only an administrator changes an administrator, or makes one."
	}
	return 0, ""
}
