// Package web is the pages: the board of the intranet and the same in big type
// for a wall. They are rendered here, live by server-sent events, and readable
// without a script. The package knows the desk and HTML, nothing behind the desk.
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
	"strconv"
	"time"

	"deskbell/desk"
	"deskbell/signin"
)

// Desk is what the pages need of the desk.
type Desk interface {
	Board(ctx context.Context) (desk.Board, error)
	// Why returns desk.ErrNotFound for a ticket that does not exist.
	Why(ctx context.Context, number int) (desk.WhyView, error)
	// Watch reports changes until ctx ends, then closes the channel. It may join
	// several into one, but never loses the last.
	Watch(ctx context.Context) <-chan desk.Change
}

// Config is what New takes beside the desk. Its zero value shows the pages to
// whoever has signed in and works here.
type Config struct {
	Log   *slog.Logger   // nothing is logged when nil
	Zone  *time.Location // of the times shown; UTC when nil
	UIURL string         // the Temporal UI that tickets link to; no links when empty
	Open  bool           // the pages need no sign-in; else whoever has signed in sees the board, and whoever works here the tickets
	// Done ends the live streams: close it when the server is about to stop.
	Done <-chan struct{}
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"list": list, "plural": plural}).ParseFS(templateFiles, "templates/*.html"))

type pages struct {
	desk   Desk
	log    *slog.Logger
	viewer viewer
	done   <-chan struct{}
	hub    hub
}

// New returns the handler of "/", "/wall", "/tickets/{n}", "/events" and "/static/". It is safe
// for concurrent use; it watches the desk only while somebody looks.
func New(cfg Config, d Desk) http.Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	p := &pages{desk: d, log: cfg.Log, viewer: viewer{cfg.Zone, cfg.UIURL}, done: cfg.Done}
	p.hub = hub{watch: d.Watch, render: p.frame}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.guard(cfg.Open, desk.AsRequester, p.show(false)))
	mux.HandleFunc("GET /wall", p.guard(cfg.Open, desk.AsRequester, p.show(true)))
	mux.HandleFunc("GET /tickets/{n}", p.guard(cfg.Open, desk.AsAgent, p.why))
	mux.HandleFunc("GET /events", p.guard(cfg.Open, desk.AsRequester, p.events))
	mux.Handle("GET /static/", static())
	return policy(mux)
}

// policy allows nothing but our own files. Pico's drawings are data: images.
func policy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// guard asks for an access, unless the pages are open, and sends strangers to sign in.
func (p *pages) guard(open bool, need desk.Access, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who := signin.Caller(r.Context())
		if open || who.May(need) {
			next(w, r)
			return
		}
		if who.May(desk.AsRequester) {
			p.write(w, http.StatusForbidden, "message", message{Title: "This page is for those who work here", Text: "You are signed in, but you do not work on tickets."})
			return
		}
		http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	}
}

type message struct {
	Title, Text string
	Again       bool // try again by itself
}

func (p *pages) show(wall bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, err := p.desk.Board(r.Context())
		if err != nil {
			p.log.WarnContext(r.Context(), "board not read", slog.Any("error", err))
			p.write(w, http.StatusServiceUnavailable, "message", message{"The board cannot be read right now", "This page tries again every few seconds.", true})
			return
		}
		p.write(w, http.StatusOK, "page", struct {
			Wall  bool
			Board board
		}{wall, p.viewer.view(b)})
	}
}

// why shows the decisions of a ticket.
func (p *pages) why(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		err = desk.ErrNotFound
	}
	var view desk.WhyView
	if err == nil {
		view, err = p.desk.Why(r.Context(), n)
	}
	switch {
	case errors.Is(err, desk.ErrNotFound):
		p.write(w, http.StatusNotFound, "message", message{Title: "There is no such ticket", Text: "The board shows those that wait and those in work."})
	case err != nil:
		p.log.WarnContext(r.Context(), "ticket not read", slog.Any("error", err))
		p.write(w, http.StatusServiceUnavailable, "message", message{"The ticket cannot be read right now", "This page tries again every few seconds.", true})
	default:
		p.write(w, http.StatusOK, "why", p.viewer.why(view))
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
