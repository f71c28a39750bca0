package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"deskbell/desk"
)

// OIDC is an OpenID Connect provider; without an Issuer there is none. What people
// may do is the directory's to say, whatever the provider claims.
type OIDC struct {
	Issuer       string // URL, as the provider writes it
	ClientID     string
	ClientSecret string // empty for a public client
	// Claim is the one that holds a person's id; preferred_username when empty. An
	// email counts only when the provider has verified it.
	Claim string
}

func (o OIDC) name() string {
	u, err := url.Parse(o.Issuer)
	if err != nil {
		return o.Issuer
	}
	return u.Host
}

// provider is asked for its endpoints and keys when they are first needed: the desk
// starts without it.
type provider struct {
	config   OIDC
	callback string

	mu    sync.Mutex
	known *oidc.Provider
}

// providerTimeout bounds what a request waits for the provider.
const providerTimeout = 10 * time.Second

func (p *provider) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		// Its keys are fetched with this context's client later too.
		known, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), &http.Client{Timeout: providerTimeout}), p.config.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("ask %s for its endpoints: %w", p.config.Issuer, err)
		}
		p.known = known
	}
	return p.known, &oauth2.Config{ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: p.known.Endpoint(),
		RedirectURL: p.callback, Scopes: []string{oidc.ScopeOpenID, "profile", "email"}}, nil
}

// flow is what a browser that is at the provider brings back, in a cookie.
type flow struct {
	State, Nonce, Verifier, Next string
}

const (
	flowCookie = "deskbell-oidc"
	flowLife   = 10 * time.Minute
)

func (d *Door) setFlow(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: flowCookie, Value: value, Path: "/sign-in/oidc", MaxAge: age, Secure: d.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// toProvider sends a browser to the provider.
func (d *Door) toProvider(w http.ResponseWriter, r *http.Request) {
	if !d.mayTry(w, r) {
		return
	}
	_, config, err := d.oidc.discover(r.Context())
	if err != nil {
		d.providerFailed(w, r, err)
		return
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: local(r.FormValue("next"))}
	data, err := json.Marshal(f)
	if err != nil {
		panic(err) // four texts always marshal
	}
	d.setFlow(w, base64.RawURLEncoding.EncodeToString(data), int(flowLife.Seconds()))
	http.Redirect(w, r, config.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), http.StatusSeeOther)
}

// fromProvider signs in whoever the provider vouches for.
func (d *Door) fromProvider(w http.ResponseWriter, r *http.Request) {
	if !d.mayTry(w, r) {
		return
	}
	var f flow
	if cookie, err := r.Cookie(flowCookie); err == nil {
		if data, err := base64.RawURLEncoding.DecodeString(cookie.Value); err == nil {
			_ = json.Unmarshal(data, &f) // what is none has no state
		}
	}
	d.setFlow(w, "", -1)
	if f.State == "" || subtle.ConstantTimeCompare([]byte(f.State), []byte(r.FormValue("state"))) != 1 {
		d.show(w, http.StatusBadRequest, page{Title: "This sign-in was not begun here", Text: "It may have taken too long. Begin again.", Ask: true})
		return
	}
	if r.FormValue("error") != "" {
		d.show(w, http.StatusForbidden, page{Title: "You were not signed in", Text: "The provider refused.", Ask: true})
		return
	}
	person, err := d.oidc.person(r.Context(), r.FormValue("code"), f)
	if err != nil {
		d.providerFailed(w, r, err)
		return
	}
	session, err := d.desk.StartSession(r.Context(), person)
	if errors.Is(err, desk.ErrNotFound) {
		d.show(w, http.StatusForbidden, page{Title: "You are not in the helpdesk's directory", Text: "The provider knows you, the helpdesk does not. Ask whoever runs it to add you."})
		return
	}
	if err != nil {
		d.failed(w, r, err)
		return
	}
	d.setCookie(w, session)
	http.Redirect(w, r, local(f.Next), http.StatusSeeOther)
}

// person changes a code for the id of whom the provider vouches for.
func (p *provider) person(ctx context.Context, code string, f flow) (string, error) {
	known, config, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	answer, err := config.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return "", fmt.Errorf("change the code: %w", err)
	}
	raw, _ := answer.Extra("id_token").(string)
	id, err := known.Verifier(&oidc.Config{ClientID: p.config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("check the token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return "", errors.New("check the token: it is another sign-in's")
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	name := p.config.Claim
	if name == "" {
		name = "preferred_username"
	}
	if _, there := claims[name]; !there { // many providers keep the profile out of the token
		info, err := known.UserInfo(ctx, oauth2.StaticTokenSource(answer))
		if err != nil {
			return "", fmt.Errorf("ask for the profile: %w", err)
		}
		if info.Subject != id.Subject {
			return "", errors.New("ask for the profile: it is another person's")
		}
		if err := info.Claims(&claims); err != nil {
			return "", fmt.Errorf("read the profile: %w", err)
		}
	}
	if name == "email" && claims["email_verified"] != true {
		return "", errors.New("the provider has not verified the email")
	}
	value, _ := claims[name].(string)
	if value == "" {
		return "", fmt.Errorf("the provider tells no %s", name)
	}
	return strings.ToLower(value), nil
}

func (d *Door) providerFailed(w http.ResponseWriter, r *http.Request, err error) {
	d.log.WarnContext(r.Context(), "sign-in by the provider failed", slog.Any("error", err))
	d.show(w, http.StatusBadGateway, page{Title: "The provider could not sign you in", Text: "Nobody was signed in. Try again, or use a link.", Ask: true})
}
