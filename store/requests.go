package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"deskbell/store/internal/db"
)

// StoredResponse is the response that a request got.
type StoredResponse struct {
	Status int
	Body   []byte
}

// BeginRequest notes a request under its key. It returns the response when there
// is one; none means: go on, the request is new or has no response yet. Another
// request under the same key gives ErrKeyReused.
func (s *Store) BeginRequest(ctx context.Context, scope, key, hash string) (stored *StoredResponse, err error) {
	err = s.tx(ctx, "begin request", func(q *db.Queries) error {
		fresh, err := q.ClaimKey(ctx, db.ClaimKeyParams{Scope: scope, Key: key, Hash: hash, CreatedAt: s.now()})
		if err != nil || fresh > 0 {
			return err
		}
		row, err := q.Key(ctx, db.KeyParams{Scope: scope, Key: key})
		if err != nil {
			return err
		}
		if row.Hash != hash {
			return ErrKeyReused
		}
		if row.Status != nil {
			stored = &StoredResponse{Status: *row.Status, Body: row.Body}
		}
		return nil
	})
	return stored, err
}

// FinishRequest keeps the response of a request that was begun.
func (s *Store) FinishRequest(ctx context.Context, scope, key string, status int, body []byte) error {
	rows, err := s.q.SetKeyResponse(ctx, db.SetKeyResponseParams{Status: &status, Body: body, Scope: scope, Key: key})
	if err == nil && rows == 0 {
		err = ErrNotFound
	}
	return fail("finish request", err)
}

const (
	tokenPrefix = "dbl_" // lets a scanner for secrets recognise one
	tokenBytes  = 32
	// touchEvery is how exact a token's last use is; every request need not write.
	touchEvery = time.Minute
)

// CreateToken makes an API token for a person and returns its secret, of which
// only a hash is kept. A zero expires means never.
func (s *Store) CreateToken(ctx context.Context, person string, scopes []string, name string, expires time.Time) (secret string, err error) {
	random := make([]byte, tokenBytes)
	rand.Read(random)
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(random)
	if scopes == nil {
		scopes = []string{}
	}
	err = s.q.CreateToken(ctx, db.CreateTokenParams{Hash: hashToken(secret), Person: person, Scopes: scopes, Name: name,
		CreatedAt: s.now(), Expires: optional(expires)})
	if err != nil {
		return "", fail("create token", err)
	}
	return secret, nil
}

// Token returns whose token it is and what it may do; ErrNotFound when it is not
// known or has expired.
func (s *Store) Token(ctx context.Context, secret string) (person string, scopes []string, err error) {
	now := s.now()
	hash := hashToken(secret)
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

func hashToken(secret string) []byte {
	hash := sha256.Sum256([]byte(secret))
	return hash[:]
}
