// Package signin tells who makes a request: by an API token, or by the session of a
// browser that signed in with a link from a text or a chat, or at an OpenID Connect
// provider. It serves the pages for that under /sign-in. It knows HTTP and the desk.
//
// Whoever serves a request asks Caller; Admit is called once, before.
package signin

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"deskbell/clock"
	"deskbell/desk"
)

// Desk is what signing in needs of the desk.
type Desk interface {
	// Authenticate returns desk.ErrUnknownToken for a token that does not count.
	Authenticate(ctx context.Context, token string) (desk.Caller, error)
	// Session returns desk.ErrSignedOut for a session that does not count. renewed
	// replaces the secret when it is not empty.
	Session(ctx context.Context, secret string) (c desk.Caller, renewed string, err error)
	// StartSession returns desk.ErrNotFound for an unknown person.
	StartSession(ctx context.Context, person string) (secret string, err error)
	EndSession(ctx context.Context, secret string) error
	// AskLink answers alike for whom it knows and for whom it does not.
	AskLink(who, next string) error
	// UseLink returns desk.ErrSignedOut for a link that does not count, else where it leads.
	UseLink(ctx context.Context, secret string) (session, next string, err error)
}

// Config is what New takes beside the desk. Its zero value has no OpenID Connect and
// cookies that also go over plain HTTP.
type Config struct {
	Log     *slog.Logger   // nothing is logged when nil
	Clock   clock.Clock    // the machine's when nil
	URL     string         // how people reach the pages; with https cookies are Secure
	Proxies []netip.Prefix // whose X-Forwarded-For is believed
	OIDC    OIDC
}

// Door tells who comes in. It is safe for concurrent use.
type Door struct {
	desk    Desk
	log     *slog.Logger
	mux     *http.ServeMux
	secure  bool
	proxies []netip.Prefix
	tries   *Limiter // by address
	oidc    *provider
}

// How often one address may ask for a link, open one or come from a provider: often
// enough for an office behind one address, and too seldom to guess or to annoy.
const (
	triesEvery = 6 * time.Second
	triesBurst = 20
)

// New returns a door.
func New(cfg Config, d Desk) *Door {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	door := &Door{desk: d, log: cfg.Log, mux: http.NewServeMux(), secure: strings.HasPrefix(cfg.URL, "https://"), proxies: cfg.Proxies,
		tries: NewLimiter(rate.Every(triesEvery), triesBurst, cfg.Clock)}
	door.mux.HandleFunc("GET /sign-in", door.form)
	door.mux.HandleFunc("POST /sign-in", door.askLink)
	door.mux.HandleFunc("GET /sign-in/{secret}", door.confirm)
	door.mux.HandleFunc("POST /sign-in/{secret}", door.useLink)
	door.mux.HandleFunc("POST /sign-out", door.signOut)
	if cfg.OIDC.Issuer != "" {
		door.oidc = &provider{config: cfg.OIDC, callback: cfg.URL + "/sign-in/oidc/callback"}
		door.mux.HandleFunc("GET /sign-in/oidc", door.toProvider)
		door.mux.HandleFunc("GET /sign-in/oidc/callback", door.fromProvider)
	}
	return door
}

type contextKey struct{}

// Caller is who makes the request whose context this is; the zero value is nobody.
func Caller(ctx context.Context) desk.Caller {
	c, _ := ctx.Value(contextKey{}).(desk.Caller)
	return c
}

// As is a context of a request that c makes.
func As(ctx context.Context, c desk.Caller) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// Admit finds out who makes a request and returns it with Caller set: the holder of
// the bearer token that it carries, else whoever is signed in, else nobody. A token
// that does not count is desk.ErrUnknownToken; a session that does not is nobody's.
// It may set a cookie on w.
func (d *Door) Admit(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		secret = strings.TrimSpace(secret)
		if !strings.EqualFold(scheme, "Bearer") || secret == "" {
			return r, desk.ErrUnknownToken
		}
		c, err := d.desk.Authenticate(r.Context(), secret)
		if err != nil {
			return r, err
		}
		return r.WithContext(As(r.Context(), c)), nil
	}
	cookie, err := r.Cookie(d.cookieName())
	if err != nil {
		return r, nil
	}
	c, renewed, err := d.desk.Session(r.Context(), cookie.Value)
	switch {
	case errors.Is(err, desk.ErrSignedOut):
		return r, nil
	case err != nil:
		return r, err
	case renewed != "":
		d.setCookie(w, renewed)
	}
	return r.WithContext(As(r.Context(), c)), nil
}

// cookieName has the prefix that keeps other hosts of a domain from setting it, where
// browsers take it.
func (d *Door) cookieName() string {
	if d.secure {
		return "__Host-deskbell"
	}
	return "deskbell"
}

// cookieAge is as long as any session; the desk decides when it ends.
const cookieAge = 30 * 24 * time.Hour

func (d *Door) setCookie(w http.ResponseWriter, secret string) {
	http.SetCookie(w, &http.Cookie{Name: d.cookieName(), Value: secret, Path: "/", MaxAge: int(cookieAge.Seconds()), Secure: d.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// Serves tells whether ServeHTTP has something at a path.
func (d *Door) Serves(path string) bool {
	return path == "/sign-in" || path == "/sign-out" || strings.HasPrefix(path, "/sign-in/")
}

// ServeHTTP serves the pages of signing in and out.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // a link's secret is in its address
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	d.mux.ServeHTTP(w, r)
}

// maxForm is the most that a form of ours sends.
const maxForm = 4 << 10

//go:embed templates/*.html
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

// page is what the one template shows: a form to ask for a link, a button, or words.
type page struct {
	Title, Text string
	Ask         bool   // the form that asks for a link
	OIDC        string // the name of the provider, which show gives; empty without one
	Confirm     bool   // the button that uses a link
	SignedIn    string // the name of who is signed in already
	Next        string // where to go then
}

func (d *Door) show(w http.ResponseWriter, status int, p page) {
	if p.Ask && d.oidc != nil {
		p.OIDC = d.oidc.config.name()
	}
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, "sign-in.html", p); err != nil {
		d.log.Error("page not rendered", slog.String("page", "sign-in"), slog.Any("error", err))
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the reader is gone when this fails
}

// form asks who is there.
func (d *Door) form(w http.ResponseWriter, r *http.Request) {
	d.show(w, http.StatusOK, page{Title: "Sign in", Ask: true, Next: local(r.FormValue("next")), SignedIn: Caller(r.Context()).Person.Name})
}

// askLink answers alike whoever was named, and as fast.
func (d *Door) askLink(w http.ResponseWriter, r *http.Request) {
	who, next := strings.TrimSpace(r.PostFormValue("who")), local(r.PostFormValue("next"))
	switch {
	case !d.mayTry(w, r):
	case who == "" || len(who) > maxWho:
		d.show(w, http.StatusUnprocessableEntity, page{Title: "Sign in", Ask: true, Text: "Give your login, your number with the country's code (+49 ...), or your chat address.", Next: next})
	case d.desk.AskLink(who, next) != nil:
		w.Header().Set("Retry-After", "5")
		d.show(w, http.StatusServiceUnavailable, page{Title: "Too many at once", Text: "Nothing was sent. Try again in a moment."})
	default:
		d.show(w, http.StatusOK, page{Title: "Look at your phone or your chat",
			Text: "If the helpdesk knows you, a link is on its way to you. It is good for 15 minutes, once. You can close this page."})
	}
}

// maxWho is longer than a number, and than most addresses.
const maxWho = 200

// confirm asks for a click: what only looks at links, such as a preview in a chat,
// must not use them up.
func (d *Door) confirm(w http.ResponseWriter, r *http.Request) {
	d.show(w, http.StatusOK, page{Title: "Sign in", Confirm: true})
}

func (d *Door) useLink(w http.ResponseWriter, r *http.Request) {
	if !d.mayTry(w, r) {
		return
	}
	session, next, err := d.desk.UseLink(r.Context(), r.PathValue("secret"))
	if err != nil {
		d.failed(w, r, err)
		return
	}
	d.setCookie(w, session)
	http.Redirect(w, r, local(next), http.StatusSeeOther)
}

func (d *Door) signOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(d.cookieName()); err == nil {
		if err := d.desk.EndSession(r.Context(), cookie.Value); err != nil {
			d.failed(w, r, err)
			return
		}
	}
	http.SetCookie(w, &http.Cookie{Name: d.cookieName(), Path: "/", MaxAge: -1, Secure: d.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

func (d *Door) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, desk.ErrSignedOut):
		d.show(w, http.StatusForbidden, page{Title: "This link is not good any more", Text: "A link is good for 15 minutes, once. Ask for another.", Ask: true})
	case errors.Is(err, desk.ErrUnavailable):
		w.Header().Set("Retry-After", "2")
		d.show(w, http.StatusServiceUnavailable, page{Title: "The helpdesk cannot be reached", Text: "Nobody was signed in. Try again in a moment."})
	default:
		d.log.ErrorContext(r.Context(), "sign-in failed", slog.Any("error", err))
		d.show(w, http.StatusInternalServerError, page{Title: "Something went wrong on our side", Text: "Nobody was signed in."})
	}
}

// mayTry tells whether an address may try once more, and answers if it may not.
func (d *Door) mayTry(w http.ResponseWriter, r *http.Request) bool {
	wait := d.tries.Wait(d.address(r))
	if wait == 0 {
		return true
	}
	w.Header().Set("Retry-After", Seconds(wait))
	d.show(w, http.StatusTooManyRequests, page{Title: "Too many tries", Text: "Wait a minute, then try again."})
	return false
}

// address is where a request comes from: the last one that no proxy of ours has.
func (d *Door) address(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	from := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && d.ours(from); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		from = hop.Unmap()
	}
	if from.Is6() { // whoever has one address of a network has all of them
		if network, err := from.Prefix(64); err == nil {
			return network.String()
		}
	}
	return from.String()
}

func (d *Door) ours(a netip.Addr) bool {
	for _, p := range d.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// local is where to go after signing in: a page of ours, / for anything else.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
