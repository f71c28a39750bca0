package desk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
)

// Access is how much somebody may do; each includes those before it.
type Access int

// The accesses. A token's scopes have their names.
const (
	Anybody Access = iota
	AsRequester
	AsAgent
	AsManager
	AsAdmin
)

var accessNames = []string{"anybody", "requester", "agent", "manager", "admin"}

func (a Access) String() string { return accessNames[a] }

// Scopes are the words for what a token may do.
func Scopes() []string { return accessNames[AsRequester:] }

// Caller is who makes a request. The zero value is nobody.
type Caller struct {
	// Person has the roles that count for this request: those of the directory, as
	// far as the token's scopes let.
	Person  roster.Person
	Scopes  []string // of the token; none: whatever the person may do
	Channel string   // rest by token, web by session
}

// Access is how much the caller may do.
func (c Caller) Access() Access {
	switch {
	case c.Person.ID == "":
		return Anybody
	case c.ForOthers():
		return AsAdmin
	}
	return access(c.Person)
}

// May tells whether the caller has an access.
func (c Caller) May(a Access) bool { return c.Access() >= a }

// ForOthers tells whether the caller may act as somebody else: only a token that
// says so may.
func (c Caller) ForOthers() bool { return slices.Contains(c.Scopes, AsAdmin.String()) }

func access(p roster.Person) Access {
	switch {
	case p.Is(roster.Admin):
		return AsAdmin
	case p.Is(roster.Manager):
		return AsManager
	case p.Works():
		return AsAgent
	}
	return AsRequester
}

// within is a person with no more roles than scopes let. Whoever may more than the
// scopes is what the scopes say.
func within(p roster.Person, scopes []string) roster.Person {
	limit := Anybody
	for _, s := range scopes {
		limit = max(limit, Access(slices.Index(accessNames, s)))
	}
	if limit == Anybody || access(p) <= limit {
		return p
	}
	p.Roles = roster.Roles{map[Access]roster.Role{AsRequester: roster.Requester, AsAgent: roster.Agent, AsManager: roster.Manager}[limit]}
	return p
}

// Authenticate returns who speaks with a token; ErrUnknownToken otherwise.
func (d *Desk) Authenticate(ctx context.Context, secret string) (Caller, error) {
	id, scopes, err := d.Store.Token(ctx, secret)
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, ErrUnknownToken
	}
	if err != nil {
		return Caller{}, outside(err)
	}
	person, err := d.Store.Person(ctx, id)
	return Caller{Person: within(person, scopes), Scopes: scopes, Channel: "rest"}, outside(err)
}

// TokenLife is how long a token is good for which nobody asked for another time;
// MostTokenLife is the longest that may be asked for.
const (
	TokenLife     = 90 * 24 * time.Hour
	MostTokenLife = 366 * 24 * time.Hour
)

// CreateToken makes a token for t.Person, at by's word, and returns its secret, which
// is kept nowhere. Nobody gives away more than they have: an *InvalidError names what
// is too much.
func (d *Desk) CreateToken(ctx context.Context, by Caller, t Token) (made Token, secret string, err error) {
	now := d.Clock.Now()
	if t.Person == "" {
		t.Person = by.Person.ID
	}
	if t.Person != by.Person.ID && !by.May(AsAdmin) {
		return Token{}, "", &InvalidError{"person", "only an administrator makes tokens for others"}
	}
	if len(t.Scopes) == 0 { // a token says what it may do, and does not grow with its person
		t.Scopes = []string{min(by.Access(), AsManager).String()}
	}
	for _, s := range t.Scopes {
		if i := slices.Index(accessNames, s); i < int(AsRequester) || Access(i) > by.Access() {
			return Token{}, "", &InvalidError{"scopes", "you may not give " + strconv.Quote(s)}
		}
	}
	if t.Expires.IsZero() {
		t.Expires = now.Add(TokenLife)
	}
	if !t.Expires.After(now) || t.Expires.After(now.Add(MostTokenLife)) {
		return Token{}, "", &InvalidError{"expires", "want a time in the future, at most a year ahead"}
	}
	if _, err := d.Person(ctx, t.Person); errors.Is(err, ErrNotFound) {
		return Token{}, "", &InvalidError{"person", "no such person"}
	} else if err != nil {
		return Token{}, "", err
	}
	made, secret, err = d.Store.CreateToken(ctx, t, Audit{Actor: by.Person.ID, Channel: by.Channel})
	return made, secret, outside(err)
}

// tokensPage is how many tokens a page has.
const tokensPage = 100

// Tokens returns by's tokens, the newest first; all of everybody's, or a person's, to
// an administrator. below is the last id of the page before, more that there is a page
// after.
func (d *Desk) Tokens(ctx context.Context, by Caller, person string, below int64) (list []Token, more bool, err error) {
	if !by.May(AsAdmin) {
		if person != "" && person != by.Person.ID {
			return nil, false, nil
		}
		person = by.Person.ID
	}
	list, err = d.Store.Tokens(ctx, person, below, tokensPage+1)
	if more = len(list) > tokensPage; more {
		list = list[:tokensPage]
	}
	return list, more, outside(err)
}

// RevokeToken ends a token: by's own, or anybody's for an administrator; ErrNotFound
// when there is none that counts.
func (d *Desk) RevokeToken(ctx context.Context, by Caller, id int64) (Token, error) {
	person := by.Person.ID
	if by.May(AsAdmin) {
		person = ""
	}
	t, err := d.Store.RevokeToken(ctx, id, person, Audit{Actor: by.Person.ID, Channel: by.Channel})
	return t, outside(err)
}

// Audit returns who did what, the newest first, and the next page's cursor.
func (d *Desk) Audit(ctx context.Context, f AuditFilter) (list []Audit, next string, err error) {
	list, next, err = d.Store.Audit(ctx, f)
	return list, next, outside(err)
}

// Session returns who is signed in with a session's secret, and the secret that
// replaces it, empty while it stays; ErrSignedOut when nobody is.
func (d *Desk) Session(ctx context.Context, secret string) (c Caller, renewed string, err error) {
	id, renewed, err := d.Store.Session(ctx, secret)
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, "", ErrSignedOut
	}
	if err != nil {
		return Caller{}, "", outside(err)
	}
	person, err := d.Store.Person(ctx, id)
	return Caller{Person: person, Channel: "web"}, renewed, outside(err)
}

// StartSession signs in whoever an identity provider vouches for; ErrNotFound when
// the directory has nobody active with this id.
func (d *Desk) StartSession(ctx context.Context, person string) (secret string, err error) {
	if p, err := d.Person(ctx, person); err != nil {
		return "", err
	} else if p.Inactive {
		return "", ErrNotFound
	}
	secret, err = d.Store.CreateSession(ctx, person, "oidc")
	return secret, outside(err)
}

// EndSession signs a browser out. That nobody was signed in is no error.
func (d *Desk) EndSession(ctx context.Context, secret string) error {
	return outside(d.Store.EndSession(ctx, secret))
}

// linkRequest is who wants a link to sign in with, and where it leads.
type linkRequest struct{ who, next string }

// AskLink has a link to sign in with sent to whom an id, a number or a JID names,
// where notices reach them; it leads to next, which is a page and does nothing by being
// looked at: whoever asks need not be whom it is sent to. It answers at once and alike,
// whether there is anybody or not; ErrBusy when too many ask at once.
func (d *Desk) AskLink(who, next string) error {
	select {
	case d.asked <- linkRequest{who, next}:
		return nil
	default:
		return ErrBusy
	}
}

// UseLink signs in whoever the link was sent to, once, and returns where it leads;
// ErrSignedOut for one that is not known, used or expired.
func (d *Desk) UseLink(ctx context.Context, secret string) (session, next string, err error) {
	person, next, err := d.Store.UseLink(ctx, secret)
	if errors.Is(err, store.ErrNotFound) {
		return "", "", ErrSignedOut
	}
	if err != nil {
		return "", "", outside(err)
	}
	session, err = d.Store.CreateSession(ctx, person, "link")
	return session, next, outside(err)
}

func (d *Desk) sendLinks(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-d.asked:
			// Who it was is nobody's business, in a log least of all.
			if err := d.sendLink(ctx, r); err != nil && ctx.Err() == nil {
				d.Log.WarnContext(ctx, "no link to sign in with was sent", slog.Any("error", err))
			}
		}
	}
}

// sendLink sends a link, or nothing to whom nobody knows, nothing reaches, or enough
// were sent.
func (d *Desk) sendLink(ctx context.Context, r linkRequest) error {
	p, err := d.named(ctx, r.who)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m, err := d.Store.Member(ctx, p.ID)
	if err != nil {
		return err
	}
	if m.Prefers == "none" {
		m.Prefers = "" // of notices; this was asked for
	}
	via, ok := roster.Reach(m)
	if !ok {
		return nil
	}
	secret, err := d.Store.CreateLink(ctx, m.ID, r.next)
	if err != nil || secret == "" {
		return err
	}
	until := d.Clock.Now().Add(store.LinkLife)
	text, err := notice.Render(notice.Message{ID: "sign_in", Channel: via, Language: m.Language, Values: map[string]string{
		"url": d.URL + "/sign-in/" + secret, "time": notice.At(until, d.Clock.Now(), d.Zone, m.Language)}})
	if err != nil {
		return fmt.Errorf("word a link: %w", err)
	}
	address := m.Phone
	if via == roster.ViaIM {
		address = m.JID
	}
	sum := sha256.Sum256([]byte(secret))
	_, err = d.Store.Write(ctx, store.Write{Outgoing: []store.Outgoing{{Key: "sign-in/" + hex.EncodeToString(sum[:8]), Channel: gateway.Channel(via),
		Person: m.ID, Address: address, Reason: "sign_in", Text: text.Body, Expires: until}}})
	return err
}

// named is whom somebody means on the sign-in page: an id, a number as people write
// it with the country's code, or a JID.
func (d *Desk) named(ctx context.Context, who string) (roster.Person, error) {
	who = strings.ToLower(strings.TrimSpace(who))
	if strings.Contains(who, "@") {
		return d.Store.PersonAt(ctx, gateway.IM, who)
	}
	if strings.HasPrefix(who, "+") || strings.HasPrefix(who, "00") {
		digits := strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, who)
		return d.Store.PersonAt(ctx, gateway.SMS, "+"+strings.TrimPrefix(digits, "00"))
	}
	return d.Store.Person(ctx, who)
}
