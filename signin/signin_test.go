package signin_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/signin"
)

// directory is a desk that knows ann, whose links and sessions are counted.
type directory struct {
	mu       sync.Mutex
	asked    []string
	next     string          // of the last who asked
	links    map[string]bool // good ones
	sessions map[string]bool
	renew    bool // the next session seen gets a new secret
	busy     bool
	fail     error
	now      time.Time
}

func newDirectory() *directory {
	return &directory{links: map[string]bool{"L1": true}, sessions: map[string]bool{}, now: time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)}
}

var ann = roster.Person{ID: "ann", Name: "Ann <b>", Roles: roster.Roles{roster.Requester}}

func (d *directory) Now() time.Time { return d.now }

func (d *directory) Authenticate(_ context.Context, token string) (desk.Caller, error) {
	if d.fail != nil {
		return desk.Caller{}, d.fail
	}
	if token != "dbl_ann" {
		return desk.Caller{}, desk.ErrUnknownToken
	}
	return desk.Caller{Person: ann, Channel: "rest"}, nil
}

func (d *directory) Session(_ context.Context, secret string) (c desk.Caller, renewed string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.fail != nil:
		return c, "", d.fail
	case !d.sessions[secret]:
		return c, "", desk.ErrSignedOut
	case d.renew:
		d.renew, renewed = false, d.begin()
	}
	return desk.Caller{Person: ann, Channel: "web"}, renewed, nil
}

func (d *directory) begin() string {
	secret := fmt.Sprintf("S%d", len(d.sessions)+1)
	d.sessions[secret] = true
	return secret
}

func (d *directory) StartSession(_ context.Context, person string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if person != "ann" && person != "test-user2" {
		return "", desk.ErrNotFound
	}
	return d.begin(), nil
}

func (d *directory) EndSession(_ context.Context, secret string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions[secret] = false
	return nil
}

func (d *directory) AskLink(who, next string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy {
		return desk.ErrBusy
	}
	d.asked, d.next = append(d.asked, who), next
	return nil
}

func (d *directory) UseLink(_ context.Context, secret string) (session, next string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return "", "", d.fail
	}
	if !d.links[secret] {
		return "", "", desk.ErrSignedOut
	}
	d.links[secret] = false
	return d.begin(), d.next, nil
}

// browser is a client with cookies at a server whose pages say who asks.
type browser struct {
	t *testing.T
	*http.Client
	url string
	*directory
}

func open(t *testing.T, change func(*signin.Config)) *browser {
	t.Helper()
	d := newDirectory()
	server := httptest.NewUnstartedServer(nil)
	config := signin.Config{Clock: d, URL: "http://" + server.Listener.Addr().String()}
	if change != nil {
		change(&config)
	}
	door := signin.New(config, d)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, err := door.Admit(w, r)
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusUnauthorized)
		case door.Serves(r.URL.Path):
			door.ServeHTTP(w, r)
		default:
			fmt.Fprintf(w, "%s is %q by %s", r.URL.Path, signin.Caller(r.Context()).Person.ID, signin.Caller(r.Context()).Channel)
		}
	})
	server.Start()
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar}, server.URL, d}
}

func (b *browser) do(method, path string, form url.Values, header ...string) (*http.Response, string) {
	b.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.url + path
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, string(body)
}

// sees fetches a page and expects an answer with words in it.
func (b *browser) sees(status int, words, method, path string, form url.Values, header ...string) string {
	b.t.Helper()
	res, body := b.do(method, path, form, header...)
	if res.StatusCode != status || !strings.Contains(body, words) {
		b.t.Fatalf("%s %s: %d, want %d with %q: %s", method, path, res.StatusCode, status, words, body)
	}
	return body
}

func TestLink(t *testing.T) {
	t.Parallel()
	b := open(t, nil)
	b.sees(200, `"" by`, "GET", "/", nil)
	known := b.sees(200, "on its way", "POST", "/sign-in", url.Values{"who": {" ann "}})
	if stranger := b.sees(200, "on its way", "POST", "/sign-in", url.Values{"who": {"stranger"}}); stranger != known {
		t.Error("a stranger sees something else")
	}
	if !slices.Equal(b.asked, []string{"ann", "stranger"}) {
		t.Errorf("asked for %q", b.asked)
	}
	b.sees(422, "number", "POST", "/sign-in", url.Values{"who": {" "}})
	b.sees(422, "number", "POST", "/sign-in", url.Values{"who": {strings.Repeat("a", 201)}})

	// Looking at the link, as a preview does, does not use it up.
	b.sees(200, "<button>Sign in on this device</button>", "GET", "/sign-in/L1", nil)
	b.sees(200, `/ is "ann" by web`, "POST", "/sign-in/L1", url.Values{})
	b.sees(403, "not good any more", "POST", "/sign-in/L1", url.Values{})
	b.sees(403, "not good any more", "POST", "/sign-in/L2", url.Values{})
	b.sees(200, "Ann &lt;b&gt;", "GET", "/sign-in", nil)

	b.sees(200, "Send me a link", "POST", "/sign-out", url.Values{})
	b.sees(200, `"" by`, "GET", "/", nil)
	if b.sessions["S1"] {
		t.Error("the session goes on")
	}
}

// A link leads to where it was asked for, on whichever device it is opened, and nowhere
// else.
func TestLinkLeadsBack(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{"/incidents/142": "/incidents/142", "/tickets?q=a+b": "/tickets", "": "/", "//evil.example": "/", "https://evil.example/": "/"} {
		b := open(t, nil)
		form := b.sees(200, "Send me a link", "GET", "/sign-in?next="+url.QueryEscape(next), nil)
		field := regexp.MustCompile(`name="next" value="([^"]+)"`).FindStringSubmatch(form)
		if field == nil {
			t.Fatalf("%q: %s", next, form)
		}
		b.sees(200, "on its way", "POST", "/sign-in", url.Values{"who": {"ann"}, "next": {html.UnescapeString(field[1])}})
		b.sees(200, want+` is "ann"`, "POST", "/sign-in/L1", url.Values{})
		b.links["L1"], b.next = true, next // whatever was kept
		b.sees(200, want+` is "ann"`, "POST", "/sign-in/L1", url.Values{})
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, want string }{
		{"http://desk.localhost", "deskbell=S1; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
		{"https://desk.example.org", "__Host-deskbell=S1; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"},
	} {
		b := open(t, func(config *signin.Config) { config.URL = c.url })
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		res, _ := b.do("POST", "/sign-in/L1", url.Values{})
		if got := res.Header.Get("Set-Cookie"); got != c.want || res.Header.Get("Location") != "/" {
			t.Errorf("%s: %s, then %s", c.url, got, res.Header.Get("Location"))
		}
	}
}

func TestRenewedSecret(t *testing.T) {
	t.Parallel()
	b := open(t, nil)
	b.do("POST", "/sign-in/L1", url.Values{})
	b.renew = true
	b.sees(200, `"ann"`, "GET", "/", nil)
	b.sessions["S1"] = false
	b.sees(200, `"ann"`, "GET", "/", nil)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b := open(t, nil)
	b.sees(200, `"ann" by rest`, "GET", "/", nil, "Authorization", "bearer dbl_ann")
	for _, header := range []string{"Bearer", "Bearer ", "Basic YW5uOg==", "dbl_ann", "Bearer dbl_bob"} {
		b.sees(401, "unknown token", "GET", "/", nil, "Authorization", header)
	}
	// A wrong token does not fall back to a session.
	b.do("POST", "/sign-in/L1", url.Values{})
	b.sees(401, "unknown token", "GET", "/", nil, "Authorization", "Bearer dbl_bob")
	b.fail = desk.ErrUnavailable
	b.sees(401, "cannot be reached", "GET", "/", nil)
}

func TestAbsences(t *testing.T) {
	t.Parallel()
	b := open(t, nil)
	b.busy = true
	b.sees(503, "Nothing was sent", "POST", "/sign-in", url.Values{"who": {"ann"}})
	b.fail = fmt.Errorf("dial 10.0.0.7: %w", desk.ErrUnavailable)
	if body := b.sees(503, "Nobody was signed in", "POST", "/sign-in/L1", url.Values{}); strings.Contains(body, "10.0.0.7") {
		t.Error("tells what is behind it")
	}
}

func TestTriesAreLimited(t *testing.T) {
	t.Parallel()
	b := open(t, func(c *signin.Config) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	try := func(from string) int {
		res, _ := b.do("POST", "/sign-in/guess", url.Values{}, "X-Forwarded-For", from)
		return res.StatusCode
	}
	for range 20 {
		if got := try("192.0.2.1, 10.0.0.9"); got != 403 {
			t.Fatal(got)
		}
	}
	// What a client writes in front of what our proxies write changes nothing.
	for from, want := range map[string]int{"192.0.2.1": 429, "198.51.100.7, 192.0.2.1, 10.1.1.1": 429, "192.0.2.2": 403, "2001:db8::1": 403, "nonsense": 403} {
		if got := try(from); got != want {
			t.Errorf("from %s: %d, want %d", from, got, want)
		}
	}
	for range 20 {
		try("2001:db8::1")
	}
	if got := try("2001:db8::2"); got != 429 {
		t.Errorf("the next address of a network: %d", got)
	}
	b.now = b.now.Add(time.Minute)
	if got := try("192.0.2.1"); got != 403 {
		t.Errorf("a minute later: %d", got)
	}
}

func TestAddressesAreNotBelievedWithoutAProxy(t *testing.T) {
	t.Parallel()
	b := open(t, nil)
	for i := range 20 {
		b.do("POST", "/sign-in/guess", url.Values{}, "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
	}
	b.sees(429, "Wait", "POST", "/sign-in/guess", url.Values{}, "X-Forwarded-For", "192.0.2.99")
}

func TestLimiterForgets(t *testing.T) {
	t.Parallel()
	d := newDirectory()
	l := signin.NewLimiter(rate.Every(time.Hour), 1, d)
	if l.Wait("a") != 0 || l.Wait("a") != time.Hour || l.Wait("b") != 0 {
		t.Error("not one each")
	}
	d.now = d.now.Add(11 * time.Minute)
	if l.Wait("a") == 0 {
		t.Error("a, who came again, is forgotten")
	}
	d.now = d.now.Add(11 * time.Minute)
	if l.Wait("b") != 0 {
		t.Error("b, who did not come for 22 minutes, is remembered")
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	b := open(t, nil)
	res, _ := b.do("GET", "/sign-in/L1", nil)
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'"} {
		if got := res.Header.Get(name); !strings.Contains(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	res, _ = b.do("POST", "/sign-in", url.Values{"who": {strings.Repeat("a", 8<<10)}})
	if res.StatusCode == 200 || len(b.asked) > 0 {
		t.Errorf("%d for a form of 8 kB", res.StatusCode)
	}
}
