package chat

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func TestPage(t *testing.T) {
	t.Parallel()
	h := New(Config{
		People:       []Person{{ID: "dana", Name: `Dana "D" <Fox>`, JID: "dana@desk.localhost", Password: `p"&<w`}},
		DeskJID:      "desk@desk.localhost",
		WebsocketURL: "ws://127.0.0.1:5280/xmpp-websocket",
	})
	w := get(t, h, "/chat/dana")
	page := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("page: %d %v", w.Code, w.Header())
	}
	for _, want := range []string{
		"<title>Dana &#34;D&#34; &lt;Fox&gt; – chat</title>",
		"<h1>Dana &#34;D&#34; &lt;Fox&gt;</h1>",
		`data-jid="dana@desk.localhost"`,
		`data-password="p&#34;&amp;&lt;w"`,
		`data-desk="desk@desk.localhost"`,
		`data-websocket="ws://127.0.0.1:5280/xmpp-websocket"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("page lacks %s:\n%s", want, page)
		}
	}
	csp := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "connect-src 'self' ws://127.0.0.1:5280/xmpp-websocket") || strings.Contains(csp, "unsafe-eval") {
		t.Errorf("policy: %s", csp)
	}
	for _, link := range regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		if got := get(t, h, link[1]); got.Code != http.StatusOK || got.Body.Len() == 0 {
			t.Errorf("%s: %d", link[1], got.Code)
		}
	}
	if got := get(t, h, "/chat/page.js").Header().Get("Content-Type"); !strings.Contains(got, "javascript") {
		t.Errorf("a module must be served as JavaScript, is %s", got)
	}
	for _, path := range []string{"/chat/nobody", "/chat/", "/chat/page.html", "/"} {
		if got := get(t, h, path); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}

func TestFilesAreComplete(t *testing.T) {
	t.Parallel()
	css, err := fs.ReadFile(assets, "dist/converse.min.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, font := range regexp.MustCompile(`url\("(webfonts/[^"]+)"\)`).FindAllSubmatch(css, -1) {
		if _, err := fs.Stat(assets, "dist/"+string(font[1])); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"LICENSE", "COPYRIGHT", "VERSION", "emoji.json"} {
		if _, err := fs.Stat(assets, "dist/"+name); err != nil {
			t.Error(err)
		}
	}
}
