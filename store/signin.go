package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"deskbell/store/internal/db"
)

// What a secret begins with lets a scanner for secrets recognise one.
const (
	tokenPrefix   = "dbl_"
	sessionPrefix = "dbs_"
	secretBytes   = 32
	// touchEvery is how exact a last use is; every request need not write.
	touchEvery = time.Minute
)

func newSecret(prefix string) string {
	random := make([]byte, secretBytes)
	rand.Read(random)
	return prefix + base64.RawURLEncoding.EncodeToString(random)
}

// hashSecret is all that is kept of a secret. It is long and random, so a fast
// hash is enough.
func hashSecret(secret string) []byte {
	hash := sha256.Sum256([]byte(secret))
	return hash[:]
}

// Token is an API token without its secret.
type Token struct {
	ID        int64     `json:"id"`
	Person    string    `json:"person"`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"` // empty: the command line
	Expires   time.Time `json:"expires,omitzero"`
	LastUsed  time.Time `json:"last_used,omitzero"` // to the minute
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	RevokedBy string    `json:"revoked_by,omitempty"`
}

func token(row db.Token) Token {
	return Token{ID: row.ID, Person: row.Person, Name: row.Name, Scopes: row.Scopes, CreatedAt: row.CreatedAt.UTC(), CreatedBy: row.CreatedBy,
		Expires: moment(row.Expires), LastUsed: moment(row.LastUsed), RevokedAt: moment(row.RevokedAt), RevokedBy: row.RevokedBy}
}

// CreateToken makes an API token for t.Person and returns its secret, of which
// only a hash is kept. A zero t.Expires means never. The audit names a as who did
// it.
func (s *Store) CreateToken(ctx context.Context, t Token, a Audit) (made Token, secret string, err error) {
	secret = newSecret(tokenPrefix)
	err = s.tx(ctx, "create token", func(q *db.Queries) error {
		row, err := q.CreateToken(ctx, db.CreateTokenParams{Hash: hashSecret(secret), Person: t.Person, Scopes: append([]string{}, t.Scopes...), Name: t.Name,
			CreatedAt: s.now(), Expires: optional(t.Expires), CreatedBy: a.Actor})
		if err != nil {
			return err
		}
		made = token(row)
		a.Act, a.Subject, a.Detail = "token.created", fmt.Sprintf("token %d", made.ID), "for "+made.Person
		return s.note(ctx, q, a)
	})
	if err != nil {
		return Token{}, "", err
	}
	return made, secret, nil
}

// Token returns whose token it is and what it may do; ErrNotFound when it is not
// known, revoked or has expired.
func (s *Store) Token(ctx context.Context, secret string) (person string, scopes []string, err error) {
	now := s.now()
	hash := hashSecret(secret)
	row, err := s.q.Token(ctx, db.TokenParams{Hash: hash, Now: &now})
	if err != nil {
		return "", nil, fail("token", err)
	}
	if now.Sub(moment(row.LastUsed)) >= touchEvery {
		if err := s.q.TouchToken(ctx, db.TouchTokenParams{Now: &now, Hash: hash}); err != nil {
			return "", nil, fail("token", err)
		}
	}
	return row.Person, row.Scopes, nil
}

// Tokens returns tokens, revoked ones too, the newest first: those of a person, or
// of everybody for an empty one. below is the last id of the page before, 0 for the
// first page.
func (s *Store) Tokens(ctx context.Context, person string, below int64, most int) ([]Token, error) {
	if below == 0 {
		below = math.MaxInt64
	}
	rows, err := s.q.Tokens(ctx, db.TokensParams{Below: below, Person: person, Max: most})
	if err != nil {
		return nil, fail("tokens", err)
	}
	list := make([]Token, len(rows))
	for i, row := range rows {
		list[i] = token(row)
	}
	return list, nil
}

// RevokeToken ends a token: a person's, or anybody's for an empty one. ErrNotFound
// when there is none that counts.
func (s *Store) RevokeToken(ctx context.Context, id int64, person string, a Audit) (t Token, err error) {
	err = s.tx(ctx, "revoke token", func(q *db.Queries) error {
		now := s.now()
		row, err := q.RevokeToken(ctx, db.RevokeTokenParams{Now: &now, RevokedBy: a.Actor, ID: id, Person: person})
		if err != nil {
			return err
		}
		t = token(row)
		a.Act, a.Subject, a.Detail = "token.revoked", fmt.Sprintf("token %d", id), "of "+t.Person
		return s.note(ctx, q, a)
	})
	return t, err
}

const (
	// sessionIdle is how long a browser stays signed in without a request: over a
	// weekend and a day off, not over a holiday.
	sessionIdle = 4 * 24 * time.Hour
	// sessionLife is how long a session lasts however often it is used.
	sessionLife = 30 * 24 * time.Hour
	// sessionRenew is how long one secret is good: a stolen cookie of yesterday is of
	// no use.
	sessionRenew = 24 * time.Hour
	// sessionGrace is how long a replaced secret still passes: the requests of one
	// page come at once.
	sessionGrace = time.Minute
)

// CreateSession signs a person in; via is how they showed who they are, link or
// oidc. Only a hash of the secret is kept.
func (s *Store) CreateSession(ctx context.Context, person, via string) (secret string, err error) {
	secret = newSecret(sessionPrefix)
	err = s.tx(ctx, "create session", func(q *db.Queries) error {
		now, hash := s.now(), hashSecret(secret)
		if err := q.ForgetSessions(ctx, now); err != nil {
			return err
		}
		err := q.CreateSession(ctx, db.CreateSessionParams{Hash: hash, Chain: hash, Person: person, Via: via, CreatedAt: now, Now: now, Expires: now.Add(sessionIdle)})
		if err != nil {
			return err
		}
		return s.note(ctx, q, Audit{Actor: person, Channel: "web", Act: "session.started", Subject: "person " + person, Detail: "by " + via})
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Session returns who is signed in with a secret; ErrNotFound when nobody is. A
// secret that has been good for a day is replaced: renewed is the new one, empty
// otherwise.
func (s *Store) Session(ctx context.Context, secret string) (person, renewed string, err error) {
	now, hash := s.now(), hashSecret(secret)
	row, err := s.q.Session(ctx, db.SessionParams{Hash: hash, Now: now})
	if err != nil {
		return "", "", fail("session", err)
	}
	expires := now.Add(sessionIdle)
	if end := row.CreatedAt.Add(sessionLife); expires.After(end) {
		expires = end
	}
	switch {
	case row.Replaced:
	case !now.Before(row.CreatedAt.Add(sessionLife)):
		return "", "", fail("session", ErrNotFound)
	case now.Sub(row.IssuedAt) >= sessionRenew:
		renewed, err = s.renewSession(ctx, row, now, expires)
	case now.Sub(row.UsedAt) >= touchEvery:
		err = s.q.TouchSession(ctx, db.TouchSessionParams{Now: now, Expires: expires, Hash: hash})
	}
	return row.Person, renewed, fail("session", err)
}

// renewSession replaces a session's secret, unless another request just did.
func (s *Store) renewSession(ctx context.Context, row db.SessionRow, now, expires time.Time) (secret string, err error) {
	err = s.tx(ctx, "renew session", func(q *db.Queries) error {
		secret = ""
		rows, err := q.ReplaceSession(ctx, db.ReplaceSessionParams{Expires: now.Add(sessionGrace), Hash: row.Hash})
		if err != nil || rows == 0 {
			return err
		}
		secret = newSecret(sessionPrefix)
		return q.CreateSession(ctx, db.CreateSessionParams{Hash: hashSecret(secret), Chain: row.Chain, Person: row.Person, Via: row.Via,
			CreatedAt: row.CreatedAt, Now: now, Expires: expires})
	})
	return secret, err
}

// EndSession signs a browser out. That nobody was signed in is no error.
func (s *Store) EndSession(ctx context.Context, secret string) error {
	err := s.tx(ctx, "end session", func(q *db.Queries) error {
		person, err := q.EndSession(ctx, hashSecret(secret))
		if err != nil {
			return err
		}
		return s.note(ctx, q, Audit{Actor: person, Channel: "web", Act: "session.ended", Subject: "person " + person})
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

const (
	// LinkLife is how long a link to sign in with is good: a text may be some minutes
	// on its way.
	LinkLife = 15 * time.Minute
	// A person is sent linksMost links within linksWithin: whoever asks for them need
	// not be that person.
	linksMost   = 3
	linksWithin = 15 * time.Minute
)

// CreateLink makes the secret of a link to sign in with; empty when the person had
// three within a quarter of an hour. next is where to go once signed in.
func (s *Store) CreateLink(ctx context.Context, person, next string) (secret string, err error) {
	err = s.tx(ctx, "create link", func(q *db.Queries) error {
		now := s.now()
		if err := q.LockPerson(ctx, person); err != nil {
			return err
		}
		if err := q.ForgetLinks(ctx, now.Add(-max(LinkLife, linksWithin))); err != nil {
			return err
		}
		secret = rand.Text() // short, for a text, and nothing that a phone takes for the end of a link
		rows, err := q.CreateLink(ctx, db.CreateLinkParams{Hash: hashSecret(secret), Person: person, Next: next, CreatedAt: now, Expires: now.Add(LinkLife),
			Since: now.Add(-linksWithin), Most: linksMost})
		if rows == 0 {
			secret = ""
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// UseLink returns whose link it is and where it leads, once; ErrNotFound for one that is
// not known, used or has expired.
func (s *Store) UseLink(ctx context.Context, secret string) (person, next string, err error) {
	now := s.now()
	row, err := s.q.UseLink(ctx, db.UseLinkParams{Now: &now, Hash: hashSecret(secret)})
	return row.Person, row.Next, fail("sign-in link", err)
}
