// Package web is the pages: the board of the intranet and the same in big type for
// a wall, the form for a request and the page of whoever asked, tickets for those
// who work here, the people and the charts. They are rendered here, live by
// server-sent events, and can be read and answered without a script. The package
// knows the desk and HTML, nothing behind the desk.
package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"deskbell/clock"
	"deskbell/desk"
	"deskbell/roster"
	"deskbell/signin"
	"deskbell/ticket"
)

// Desk is what the pages need of the desk. Methods about one ticket return
// desk.ErrNotFound when there is none.
type Desk interface {
	Board(ctx context.Context) (desk.Board, error)
	Why(ctx context.Context, number int) (desk.WhyView, error)
	Story(ctx context.Context, number int) (desk.Story, error)
	// Linked returns the story of the ticket that a requester's link names.
	Linked(ctx context.Context, link string) (desk.Story, error)
	Link(ctx context.Context, number int) (string, error)
	Tickets(ctx context.Context, f desk.Filter) (list []ticket.Ticket, next string, err error)
	Roster(ctx context.Context) (desk.RosterView, error)
	Charts(ctx context.Context, f desk.ChartFilter) (desk.Charts, error)
	Versions(ctx context.Context, numbers []int) (map[int]int, error)
	Agents(ctx context.Context) ([]desk.AgentView, error)
	Person(ctx context.Context, id string) (roster.Person, error)
	Submit(ctx context.Context, s desk.Submission) (t ticket.Ticket, repeat bool, err error)
	Do(ctx context.Context, a desk.Act) (ticket.Ticket, error)
	// Rehearse plays through what would happen to a ticket that nobody takes.
	Rehearse(ctx context.Context, p ticket.Priority, group string, at time.Time) (desk.RehearsalView, error)
	// KeepsFiles tells whether there is a folder for files; Attach and Attachment return
	// desk.ErrNoFiles without one.
	KeepsFiles() bool
	Attach(ctx context.Context, by desk.Caller, number int, name string, content []byte) (desk.Attachment, error)
	Attachment(ctx context.Context, number int, id string) (a desk.Attachment, content []byte, err error)
	Directory(ctx context.Context, f desk.DirectoryFilter) (list []desk.Entry, next string, err error)
	Entry(ctx context.Context, id string) (desk.Entry, error)
	AddPerson(ctx context.Context, by desk.Caller, p roster.Person) (desk.Entry, error)
	EditPerson(ctx context.Context, by desk.Caller, id string, version int, e desk.EntryEdit) (desk.Entry, error)
	Incidents(ctx context.Context) ([]desk.Incident, error)
	Announce(ctx context.Context, by desk.Caller, number int, words string) (desk.Incident, error)
	// WithdrawIncident and JoinIncident return desk.ErrNotFound for what is not known.
	WithdrawIncident(ctx context.Context, by desk.Caller, number int) error
	JoinIncident(ctx context.Context, by desk.Caller, number int) (desk.Incident, error)
	RunningPolicy(ctx context.Context) (desk.PolicyView, error)
	// Watch reports changes until ctx ends, then closes the channel. It may join
	// several into one, but never loses the last.
	Watch(ctx context.Context) <-chan desk.Change
}

// Config is what New takes beside the desk. Its zero value shows the pages to
// whoever has signed in.
type Config struct {
	Log   *slog.Logger   // nothing is logged when nil
	Zone  *time.Location // of the times shown; UTC when nil
	Clock clock.Clock    // the machine's when nil
	UIURL string         // the Temporal UI that tickets link to; no links when empty
	Open  bool           // the board, the wall, the people and how tickets got where they are need no sign-in
	// Done ends the live streams: close it when the server is about to stop.
	Done <-chan struct{}
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"list": list, "plural": plural, "less": func(a, b int) int { return a - b },
	"priority": func(p ticket.Priority) string { return priorityWords[p] }, "planned": planned,
	"roles": func(roles roster.Roles) string {
		var words []string
		for _, r := range roles {
			words = append(words, roleWords[r])
		}
		return strings.Join(words, ", ")
	},
}).ParseFS(templateFiles, "templates/*.html"))

type pages struct {
	Config
	desk   Desk
	log    *slog.Logger
	now    func() time.Time
	viewer viewer
	done   <-chan struct{}
	hub    hub
}

// New returns the handler of the pages. It is safe for concurrent use; it watches the
// desk only while somebody looks. Requests that change something are refused when
// another site's page makes a browser send them.
func New(cfg Config, d Desk) http.Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	p := &pages{Config: cfg, desk: d, log: cfg.Log, now: cfg.Clock.Now, viewer: viewer{cfg.Zone, cfg.UIURL}, done: cfg.Done}
	p.hub = hub{watch: d.Watch, render: p.render}
	mux := http.NewServeMux()
	for pattern, route := range map[string]http.HandlerFunc{
		"GET /{$}":                            p.open(p.board),
		"GET /wall":                           p.open(p.wall),
		"GET /people":                         p.open(p.people),
		"GET /charts":                         p.workers(p.charts),
		"GET /charts/{name}":                  p.workers(p.csv),
		"GET /rehearsal":                      p.workers(p.rehearse),
		"GET /policy":                         p.workers(p.policy),
		"GET /directory":                      p.managers(p.directory),
		"POST /directory":                     p.managers(p.add),
		"GET /directory/{id}":                 p.managers(p.entry),
		"POST /directory/{id}":                p.managers(p.edit),
		"GET /events":                         p.open(p.events),
		"GET /new":                            p.open(p.form),
		"POST /new":                           p.submit,
		"GET /tickets":                        p.tickets,
		"GET /tickets/{n}":                    p.ticket,
		"GET /tickets/{n}/why":                p.why,
		"GET /tickets/{n}/events":             p.workers(p.numbered(p.ticketEvents)),
		"POST /tickets/{n}/{verb}":            p.workers(p.act),
		"POST /tickets/{n}/incident":          p.workers(p.numbered(p.announce)),
		"POST /tickets/{n}/incident/withdraw": p.workers(p.numbered(p.withdraw)),
		"GET /incidents/{n}":                  p.open(p.numbered(p.incident)),
		"POST /incidents/{n}/affected":        p.numbered(p.join),
		"POST /t/{link}/affected/{n}":         p.linked(p.requestJoin),
		"POST /tickets/{n}/files":             p.workers(p.numbered(p.attach)),
		"GET /tickets/{n}/files/{id}":         p.workers(p.numbered(p.download)),
		"GET /t/{link}":                       p.linked(p.request),
		"GET /t/{link}/events":                p.linked(p.requestEvents),
		"GET /t/{link}/files/{id}":            p.linked(p.requestDownload),
		"POST /t/{link}/files":                p.linked(p.requestAttach),
		"POST /t/{link}/told":                 p.linked(p.told),
		"POST /t/{link}/{verb}":               p.linked(p.answer),
	} {
		mux.HandleFunc(pattern, route)
	}
	mux.Handle("GET /static/", static())
	return headers(http.NewCrossOriginProtection().Handler(mux))
}

// headers allow nothing but our own files. Pico's drawings are data: images.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // a requester's link is a secret
		next.ServeHTTP(w, r)
	})
}

// maxForm is how many bytes a form may have: a body of 64 kB, encoded.
const maxForm = 256 << 10

// open keeps a page for those who have signed in, unless the operator has opened the
// board.
func (p *pages) open(next http.HandlerFunc) http.HandlerFunc { return p.guard(desk.AsRequester, next) }

// workers keeps a page for those who work here.
func (p *pages) workers(next http.HandlerFunc) http.HandlerFunc { return p.guard(desk.AsAgent, next) }

// managers keeps a page for managers and administrators.
func (p *pages) managers(next http.HandlerFunc) http.HandlerFunc {
	return p.guard(desk.AsManager, next)
}

// guard asks for an access and sends strangers to sign in.
func (p *pages) guard(need desk.Access, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch who := signin.Caller(r.Context()); {
		case who.May(need), p.Open && need == desk.AsRequester:
			next(w, r)
		case who.May(desk.AsAgent):
			p.say(w, r, http.StatusForbidden, "This page is for managers", "You are signed in, but you do not look after people.")
		case who.May(desk.AsRequester):
			p.say(w, r, http.StatusForbidden, "This page is for those who work here", "You are signed in, but you do not work on tickets.")
		default:
			p.signIn(w, r)
		}
	}
}

// signIn sends a stranger to sign in and back: from a form to its page, where one click
// does what was asked, for whoever comes back may not be who asked. A form goes to its
// page's own address or below, and pages with forms have at most two names in theirs.
func (p *pages) signIn(w http.ResponseWriter, r *http.Request) {
	back := r.URL.RequestURI()
	if r.Method != http.MethodGet {
		names := strings.SplitN(r.URL.EscapedPath(), "/", 4)
		back = strings.Join(names[:min(len(names), 3)], "/")
	}
	http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(back), http.StatusSeeOther)
}

// who is the person whose request it is.
func who(r *http.Request) roster.Person { return signin.Caller(r.Context()).Person }

// page is what every page has around it.
type page struct {
	Title, Class string
	Nav          []link
	Visitor      roster.Person
	SignIn       string // where to sign in
	At           *moment
	Live, Charts bool
	Again        bool // try again by itself
}

type link struct {
	Path, Words string
	Here        bool
}

// nav are the pages with who may see them: those of an open board are everybody's.
var nav = []struct {
	link
	need desk.Access
}{
	{link{Path: "/", Words: "Board"}, desk.Anybody}, {link{Path: "/new", Words: "Ask"}, desk.Anybody}, {link{Path: "/tickets"}, desk.AsRequester},
	{link{Path: "/people", Words: "People"}, desk.Anybody}, {link{Path: "/charts", Words: "Charts"}, desk.AsAgent}, {link{Path: "/rehearsal", Words: "Rehearsal"}, desk.AsAgent}, {link{Path: "/wall", Words: "Wall"}, desk.Anybody},
}

func (p *pages) page(r *http.Request, title string, at time.Time) page {
	out := page{Title: title + " - Deskbell", Visitor: who(r), SignIn: "/sign-in?next=" + url.QueryEscape(r.URL.RequestURI())}
	if !at.IsZero() {
		out.At = p.viewer.at(at, at)
	}
	caller := signin.Caller(r.Context())
	for _, l := range nav {
		if l.Here = l.Path == r.URL.Path; l.Path == "/tickets" {
			l.Words = ticketsWords(caller)
		}
		if caller.May(l.need) {
			out.Nav = append(out.Nav, l.link)
		}
	}
	return out
}

func (p *pages) say(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	view := struct {
		Page page
		Text string
	}{p.page(r, title, time.Time{}), text}
	view.Page.Title = title
	view.Page.Again = status == http.StatusServiceUnavailable && r.Method == http.MethodGet
	p.write(w, status, "message", view)
}

// fail says what went wrong, without its cause.
func (p *pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, desk.ErrNotFound):
		p.say(w, r, http.StatusNotFound, "There is nothing here", "The address is wrong, or it was never right.")
	case r.Context().Err() != nil: // the reader is gone
	case r.Method != http.MethodGet:
		p.log.WarnContext(r.Context(), "form not handled", slog.Any("error", err))
		p.say(w, r, http.StatusServiceUnavailable, "That did not work just now", "Go back and send it again: it will not count twice.")
	default:
		p.log.WarnContext(r.Context(), "page not read", slog.Any("error", err))
		p.say(w, r, http.StatusServiceUnavailable, "This cannot be read right now", "The page tries again every few seconds.")
	}
}

func (p *pages) write(w http.ResponseWriter, status int, name string, data any) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, data); err != nil {
		p.log.Error("page not rendered", slog.String("page", name), slog.Any("error", err))
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the reader is gone when this fails
}

// static serves the embedded files; browsers ask each time whether theirs is
// still the same.
func static() http.Handler {
	tags := map[string]string{}
	err := fs.WalkDir(staticFiles, "static", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := staticFiles.ReadFile(path)
		sum := sha256.Sum256(content)
		tags["/"+path] = `"` + hex.EncodeToString(sum[:8]) + `"`
		return err
	})
	if err != nil {
		panic(err) // the files are in the program
	}
	files := http.FileServerFS(staticFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tag, ok := tags[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
