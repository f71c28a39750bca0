package signin_test

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"deskbell/signin"
)

// provider is zitadel's OpenID provider, which is certified, with its login page and
// its user test-user2. It knows the client id, which no other test uses. It keeps its
// clients for the whole process and without a lock: its tests run one by one.
func provider(t *testing.T, id, callback string) (issuer string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	issuer = "http://" + server.Listener.Addr().String() + "/"
	storage.RegisterClients(storage.WebClient(id, "secret", callback))
	server.Config.Handler = exampleop.SetupServer(issuer, storage.NewStorage(storage.NewUserStore(issuer)), nil, true)
	server.Start()
	t.Cleanup(server.Close)
	return issuer
}

func withProvider(t *testing.T, change func(*signin.OIDC)) *browser {
	t.Helper()
	return open(t, func(c *signin.Config) {
		id := "deskbell-" + strings.ToLower(t.Name())
		c.OIDC = signin.OIDC{Issuer: provider(t, id, c.URL+"/sign-in/oidc/callback"), ClientID: id, ClientSecret: "secret"}
		if change != nil {
			change(&c.OIDC)
		}
	})
}

var requestField = regexp.MustCompile(`name="id" value="([^"]+)"`)

// login goes to the provider and gives a name and a password there.
func (b *browser) login(user string) (status int, path, body string) {
	b.t.Helper()
	res, page := b.do("GET", "/sign-in/oidc?next=/tickets/142", nil)
	field := requestField.FindStringSubmatch(page)
	if field == nil {
		b.t.Fatalf("%s is no login page: %s", res.Request.URL, page)
	}
	res, body = b.do("POST", res.Request.URL.Scheme+"://"+res.Request.URL.Host+"/login/username", url.Values{"id": {field[1]}, "username": {user}, "password": {"verysecure"}})
	return res.StatusCode, res.Request.URL.Path, body
}

func TestOIDC(t *testing.T) {
	b := withProvider(t, nil)
	b.sees(200, "/sign-in/oidc?next=%2fwall", "GET", "/sign-in?next=/wall", nil)
	if status, path, body := b.login("test-user2"); status != 200 || path != "/tickets/142" || !strings.Contains(body, `"ann" by web`) {
		t.Errorf("%d at %s: %s", status, path, body)
	}
	b.sees(200, `"ann" by web`, "GET", "/", nil)
}

func TestOIDCKnowsNoStranger(t *testing.T) {
	b := withProvider(t, nil)
	if status, _, body := b.login("test-user@127.0.0.1"); status != 403 || !strings.Contains(body, "not in the helpdesk&#39;s directory") {
		t.Errorf("%d: %s", status, body)
	}
	b.sees(200, `"" by`, "GET", "/", nil)
}

func TestOIDCByEmail(t *testing.T) {
	b := withProvider(t, func(o *signin.OIDC) { o.Claim = "email" })
	if status, _, body := b.login("test-user2"); status != 403 || !strings.Contains(body, "directory") { // nobody has this address as id
		t.Errorf("%d: %s", status, body)
	}
}

// A callback that this browser did not begin, or began for another sign-in, signs
// nobody in.
func TestOIDCForgedCallback(t *testing.T) {
	b := withProvider(t, nil)
	b.sees(400, "not begun here", "GET", "/sign-in/oidc/callback?code=x&state=y", nil)
	b.sees(400, "not begun here", "GET", "/sign-in/oidc/callback?code=x&state=", nil, "Cookie", "deskbell-oidc=e30")
	b.sees(400, "not begun here", "GET", "/sign-in/oidc/callback", nil, "Cookie", "deskbell-oidc=!!")
	res, _ := b.do("GET", "/sign-in/oidc", nil)
	asked := res.Request.Response.Request.URL.Query() // at the provider
	if asked.Get("state") == "" {
		asked = res.Request.Response.Request.Response.Request.URL.Query()
	}
	for name, min := range map[string]int{"state": 26, "nonce": 26, "code_challenge": 43} {
		if len(asked.Get(name)) < min {
			t.Errorf("%s is %q", name, asked.Get(name))
		}
	}
	if asked.Get("code_challenge_method") != "S256" || asked.Get("response_type") != "code" {
		t.Errorf("asked for %v", asked)
	}
	// The right state with somebody's code.
	b.sees(502, "could not sign you in", "GET", "/sign-in/oidc/callback?code=stolen&state="+asked.Get("state"), nil)
	// A flow ends with its first answer.
	b.sees(400, "not begun here", "GET", "/sign-in/oidc/callback?code=stolen&state="+asked.Get("state"), nil)
	b.sees(200, `"" by`, "GET", "/", nil)
}

func TestOIDCProviderAway(t *testing.T) {
	b := open(t, func(c *signin.Config) { c.OIDC = signin.OIDC{Issuer: "http://127.0.0.1:1/", ClientID: "x"} })
	b.sees(502, "could not sign you in", "GET", "/sign-in/oidc", nil)
	b.sees(200, "Sign in with 127.0.0.1:1", "GET", "/sign-in", nil)
}

func TestNext(t *testing.T) {
	b := withProvider(t, nil)
	for next, want := range map[string]string{"/wall?x=1": "%2fwall%3fx%3d1", "//evil.example": "%2f", "https://evil.example/": "%2f", `/\evil.example`: "%2f", "evil": "%2f", "": "%2f"} {
		b.sees(200, `/sign-in/oidc?next=`+want+`"`, "GET", "/sign-in?next="+url.QueryEscape(next), nil)
	}
}
