package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"deskbell/desk"
)

// Token is an API token as its owner sees it.
type Token struct {
	ID        int64      `json:"id"`
	Person    string     `json:"person" doc:"Whom it speaks for: a person's id."`
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes" doc:"What it may do, of what its person may; none for all of that."`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by" doc:"A person's id; empty for the command line."`
	Expires   *time.Time `json:"expires"`
	LastUsed  *time.Time `json:"last_used" doc:"To the minute."`
	RevokedAt *time.Time `json:"revoked_at"`
	RevokedBy string     `json:"revoked_by,omitempty"`
}

func shapeToken(t desk.Token) Token {
	return Token{ID: t.ID, Person: t.Person, Name: t.Name, Scopes: append([]string{}, t.Scopes...), CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy,
		Expires: moment(t.Expires), LastUsed: moment(t.LastUsed), RevokedAt: moment(t.RevokedAt), RevokedBy: t.RevokedBy}
}

type tokensInput struct {
	Person string `query:"person" maxLength:"100" doc:"Whose; for administrators."`
	Cursor string `query:"cursor" maxLength:"20" doc:"next of the page before."`
}

type tokensOutput struct {
	Body struct {
		Tokens []Token `json:"tokens" doc:"The newest first; revoked ones too."`
		Next   *string `json:"next" doc:"The cursor of the next page; null on the last."`
	}
}

type createTokenInput struct {
	Body struct {
		Name    string    `json:"name" minLength:"1" maxLength:"100" doc:"What it is for." example:"status screen"`
		Scopes  []string  `json:"scopes,omitempty" maxItems:"4" enum:"requester,agent,manager,admin" doc:"No more than you may yourself, which it is when absent; admin only when named. admin also acts for others."`
		Expires time.Time `json:"expires,omitzero" doc:"At most a year ahead; in 90 days when absent."`
		Person  string    `json:"person,omitempty" maxLength:"100" doc:"Whom it speaks for; you when absent. Others are for administrators."`
	}
}

type createTokenOutput struct {
	Location string `header:"Location"`
	Body     struct {
		Token
		Secret string `json:"secret,omitempty" doc:"The token itself, told this once: it is kept nowhere, and not in the answer to a repeated request."`
	}
}

type tokenInput struct {
	ID int64 `path:"id" minimum:"1" doc:"The token's id." example:"3"`
}

type tokenOutput struct{ Body Token }

type auditInput struct {
	Actor   string    `query:"actor" maxLength:"100" doc:"A person's id; deskbell for the desk itself."`
	Act     string    `query:"act" maxLength:"50" pattern:"^[a-z.-]*$" doc:"What was done, or what that begins with." example:"token."`
	Subject string    `query:"subject" maxLength:"120" doc:"To what." example:"ticket 142"`
	Since   time.Time `query:"since"`
	Cursor  string    `query:"cursor" maxLength:"100" doc:"next of the page before."`
	Limit   int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type auditOutput struct {
	Body struct {
		Acts []desk.Audit `json:"acts" doc:"The newest first."`
		Next *string      `json:"next" doc:"The cursor of the next page; null on the last."`
	}
}

func (s *server) tokenRoutes() {
	route(s, op("tokens", http.MethodGet, "/v1/tokens", "Your API tokens; everybody's for administrators", http.StatusOK, 503), s.tokens)
	route(s, op("create-token", http.MethodPost, "/v1/tokens", "Make an API token", http.StatusCreated, 413, 415, 503), s.createToken)
	route(s, op("revoke-token", http.MethodDelete, "/v1/tokens/{id}", "End an API token", http.StatusOK, 404, 503), s.revokeToken)
	route(s, op("audit", http.MethodGet, "/v1/audit", "Who did what to what, by which channel: tickets and everything else", http.StatusOK, 503), s.audit)
}

func (s *server) tokens(ctx context.Context, in *tokensInput) (*tokensOutput, error) {
	below, wrong := place(in.Cursor)
	if wrong != nil {
		return nil, wrong
	}
	list, more, err := s.desk.Tokens(ctx, caller(ctx), in.Person, below)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &tokensOutput{}
	out.Body.Tokens = []Token{}
	for _, t := range list {
		out.Body.Tokens = append(out.Body.Tokens, shapeToken(t))
	}
	if more {
		out.Body.Next = new(strconv.FormatInt(list[len(list)-1].ID, 10))
	}
	return out, nil
}

func (s *server) createToken(ctx context.Context, in *createTokenInput) (*createTokenOutput, error) {
	b := in.Body
	made, secret, err := s.desk.CreateToken(ctx, caller(ctx), desk.Token{Person: b.Person, Name: b.Name, Scopes: b.Scopes, Expires: b.Expires})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &createTokenOutput{Location: fmt.Sprintf("/v1/tokens/%d", made.ID)}
	out.Body.Token, out.Body.Secret = shapeToken(made), secret
	return out, nil
}

func (s *server) revokeToken(ctx context.Context, in *tokenInput) (*tokenOutput, error) {
	t, err := s.desk.RevokeToken(ctx, caller(ctx), in.ID)
	if err != nil {
		return nil, s.problem(ctx, err, noToken())
	}
	return &tokenOutput{shapeToken(t)}, nil
}

func (s *server) audit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	list, next, err := s.desk.Audit(ctx, desk.AuditFilter{Actor: in.Actor, Act: in.Act, Subject: in.Subject, Since: in.Since, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &auditOutput{}
	out.Body.Acts = append([]desk.Audit{}, list...)
	if next != "" {
		out.Body.Next = &next
	}
	return out, nil
}

func noToken() *Problem {
	return named("no_such_token", http.StatusNotFound, "No such token", "There is no such token of yours, or it was revoked already.")
}
