// Package chat serves a browser chat for each person of the demonstration desk:
// converse.js, signed in to the private Prosody over its WebSocket, with the
// conversation with the desk open. It is for development on the loopback interface
// only: whoever opens a page is that person, and the page carries the password.
// It knows XMPP accounts and nothing else of Deskbell.
//
// The folder dist holds what the page needs of converse.js, unchanged from its npm
// package; VERSION names the version, LICENSE the licence (MPL-2.0).
package chat

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"slices"
)

// Person is somebody with an XMPP account.
type Person struct {
	ID       string // the last part of the page's path
	Name     string
	JID      string // bare
	Password string
}

// Config is what the pages connect to.
type Config struct {
	People       []Person
	DeskJID      string
	WebsocketURL string // such as ws://127.0.0.1:5280/xmpp-websocket
}

const base = "/chat/"

//go:embed dist page.js page.css
var assets embed.FS

//go:embed page.html
var pageHTML string

// policy is as strict as converse.js allows: it adds style elements and
// attributes of its own.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
	"font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self' "

// New returns the handler of /chat/: the pages /chat/{person} and their files. It
// is safe for concurrent use.
func New(c Config) http.Handler {
	page := template.Must(template.New("page").Parse(pageHTML))
	mux := http.NewServeMux()
	files := http.StripPrefix(base, http.FileServerFS(assets))
	mux.Handle("GET "+base+"dist/", files)
	mux.Handle("GET "+base+"page.js", files)
	mux.Handle("GET "+base+"page.css", files)
	mux.HandleFunc("GET "+base+"{person}", func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(c.People, func(p Person) bool { return p.ID == r.PathValue("person") })
		if i < 0 {
			http.NotFound(w, r)
			return
		}
		var body bytes.Buffer
		if err := page.Execute(&body, map[string]any{
			"Base": base, "Person": c.People[i], "Desk": c.DeskJID, "Websocket": c.WebsocketURL,
		}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Write(body.Bytes())
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy+c.WebsocketURL)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		mux.ServeHTTP(w, r)
	})
}
