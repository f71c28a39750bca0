package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/ticket"
)

// verb is one route that changes a ticket. Needs are the fields without which it
// means nothing; to, until and priority are refused where they mean nothing.
type verb struct {
	Name    string
	Verb    ticket.Verb
	Needs   []string
	Summary string
}

var verbs = []verb{
	{"claim", ticket.Take, nil, "Take the ticket"},
	{"release", ticket.Drop, nil, "Give it back, or decline an offer"},
	{"resolve", ticket.Done, nil, "It is solved; text says how"},
	{"close", ticket.Close, nil, "Close it"},
	{"reopen", ticket.Reopen, nil, "It is not solved"},
	{"note", ticket.Note, []string{"text"}, "Keep a note that the requester does not see"},
	{"ask", ticket.Ask, []string{"text"}, "Ask the requester and wait for the answer"},
	{"tell", ticket.Tell, []string{"text"}, "Tell the requester"},
	{"write", ticket.Write, []string{"text"}, "The requester adds something"},
	{"withdraw", ticket.Withdraw, nil, "The requester no longer needs help"},
	{"up", ticket.Up, nil, "Call the next person of the chain now"},
	{"pass", ticket.Pass, []string{"to"}, "Offer it to a colleague"},
	{"takeover", ticket.Takeover, nil, "Take it from whoever has it"},
	{"snooze", ticket.Snooze, []string{"until"}, "Rest until a time"},
	{"keep", ticket.Keep, nil, "Still working on it"},
	{"undo", ticket.TakeBack, nil, "Take back your last command"},
	{"assign", ticket.Assign, []string{"to"}, "Give it to somebody"},
	{"reprioritise", ticket.Reprioritise, []string{"priority"}, "Change its priority"},
	{"replan", ticket.Replan, nil, "Bring its times to the policy of its group and priority as it is now"},
	{"merge", ticket.Merge, []string{"to"}, "Close it in favour of another ticket, whose number is to"},
	{"cancel-escalation", ticket.Hush, nil, "Stop calling people"},
}

// Verbs returns the names of the verbs, as routes spell them.
func Verbs() []string {
	var names []string
	for _, v := range verbs {
		names = append(names, v.Name)
	}
	return names
}

type actInput struct {
	Number  int    `path:"n" minimum:"1" maximum:"2147483647" doc:"The ticket's number." example:"142"`
	Key     string `header:"Idempotency-Key" maxLength:"200" doc:"The same key with the same content is the same request, however often it is sent; its answer is kept."`
	Match   string `header:"If-Match" maxLength:"100" doc:"The ETag of the ticket that the client saw: 412 when it has changed since."`
	Body    *actBody
	RawBody []byte
}

type actBody struct {
	As       string          `json:"as,omitempty" maxLength:"100" doc:"Act as this person; for tokens with the scope admin."`
	Text     string          `json:"text,omitempty" doc:"Up to 64 kB."`
	To       string          `json:"to,omitempty" maxLength:"100" doc:"A person's id; for merge a ticket's number."`
	Until    time.Time       `json:"until,omitzero" doc:"For snooze; in the future."`
	Priority ticket.Priority `json:"priority,omitempty" enum:"P1,P2,P3,P4"`
	By       string          `json:"by,omitempty" maxLength:"40" doc:"For claim: when the requester can expect news or the end, as a time (RFC 3339) or a duration from now. Whoever has the ticket moves it by claiming again." example:"20m"`
}

func (s *server) verbRoutes() {
	for _, v := range verbs {
		o := op(v.Name, http.MethodPost, "/v1/tickets/{n}/"+v.Name, v.Summary, http.StatusOK, 403, 404, 409, 412, 413, 415, 503, 504)
		route(s, o, func(ctx context.Context, in *actInput) (*ticketOutput, error) { return s.act(ctx, v, in) })
		operation(s.api.OpenAPI(), o.Method, o.Path).RequestBody.Required = false
	}
}

func (s *server) act(ctx context.Context, v verb, in *actInput) (*ticketOutput, error) {
	var b actBody
	if in.Body != nil {
		b = *in.Body
	}
	by, notTime := v.by(b.By, s.clock.Now())
	if wrong := append(v.check(b, in.RawBody, s.clock.Now()), notTime...); len(wrong) > 0 {
		return nil, invalid(wrong...)
	}
	version, ok := versionOf(in.Match)
	if !ok {
		return nil, refused(&ticket.Refusal{Message: ticket.Changed})
	}
	person, err := s.actor(ctx, b.As, in.Number)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	path := fmt.Sprintf("/v1/tickets/%d/%s", in.Number, v.Name)
	sent := content(b) // a duration is the same whenever it is sent again
	if b.By != "" {
		b.Until = by
	}
	a := desk.Act{ID: uuid.NewString(), Person: person, Channel: caller(ctx).Channel, Number: in.Number, Verb: v.Verb, Text: b.Text, To: b.To, Until: b.Until.UTC(), Priority: b.Priority, Version: version}
	if b.As != "" {
		a.By = caller(ctx).Person.ID
	}
	if in.Key == "" {
		return answer(s.do(ctx, a))
	}
	a.ID = digest(caller(ctx).Person.ID, http.MethodPost, path, in.Key)
	return answer(s.once(ctx, in.Key, digest(http.MethodPost, path, sent, in.Match), func() (Ticket, *Problem) { return s.do(ctx, a) }))
}

// check finds what v lacks and what it cannot use.
func (v verb) check(b actBody, raw []byte, now time.Time) []FieldError {
	wrong := verbatim("text", b.Text, raw)
	for _, f := range []struct {
		name  string
		given bool
	}{{"text", strings.TrimSpace(b.Text) != ""}, {"to", b.To != ""}, {"until", !b.Until.IsZero()}, {"priority", b.Priority != ""}} {
		switch needed := slices.Contains(v.Needs, f.name); {
		case needed && !f.given:
			wrong = append(wrong, FieldError{f.name, v.Name + " needs it"})
		case !needed && f.given && f.name != "text":
			wrong = append(wrong, FieldError{f.name, v.Name + " does not take it"})
		}
	}
	if !b.Until.IsZero() && !b.Until.After(now) {
		wrong = append(wrong, FieldError{"until", "must be in the future"})
	}
	return wrong
}

// by reads the time that a claim promises.
func (v verb) by(text string, now time.Time) (at time.Time, wrong []FieldError) {
	if text == "" {
		return at, nil
	}
	if v.Verb != ticket.Take {
		return at, []FieldError{{"by", v.Name + " does not take it"}}
	}
	at, err := time.Parse(time.RFC3339, text)
	if span, notSpan := time.ParseDuration(text); notSpan == nil {
		at, err = now.Add(span), nil
	}
	switch {
	case err != nil:
		return at, []FieldError{{"by", "write a time such as 2026-03-03T15:00:00Z, or a duration such as 20m"}}
	case !at.After(now):
		return at, []FieldError{{"by", "must be in the future"}}
	}
	return at, nil
}

// actor is who acts: the caller, or the person the caller may speak for. Whoever
// does not work here acts on own tickets only; others are missing.
func (s *server) actor(ctx context.Context, as string, number int) (roster.Person, error) {
	who := caller(ctx)
	person := who.Person
	if as != "" {
		if !who.ForOthers() {
			return person, named("not_you", http.StatusForbidden, "Not in another's name", "This token may not act for others.")
		}
		var err error
		if person, err = s.desk.Person(ctx, as); errors.Is(err, desk.ErrNotFound) {
			return person, invalid(FieldError{"as", "no such person"})
		} else if err != nil {
			return person, err
		}
	}
	if (desk.Caller{Person: person}).May(desk.AsAgent) {
		return person, nil
	}
	t, err := s.desk.Ticket(ctx, number)
	if err == nil && t.Requester.ID != person.ID {
		err = desk.ErrNotFound
	}
	return person, err
}

// do carries the command out. That the ticket already is as wished is no
// conflict.
func (s *server) do(ctx context.Context, a desk.Act) (Ticket, *Problem) {
	t, err := s.desk.Do(ctx, a)
	if r, ok := ticket.Refused(err); ok && r.Harmless() {
		t, err = s.desk.Ticket(ctx, a.Number)
	}
	if err != nil {
		return Ticket{}, s.problem(ctx, err)
	}
	return shape(t), nil
}

// once gives the stored answer to a request that came before, or carries it out
// and stores its answer if it is final.
func (s *server) once(ctx context.Context, key, hash string, do func() (Ticket, *Problem)) (Ticket, *Problem) {
	scope := caller(ctx).Person.ID
	status, body, stored, err := s.desk.BeginRequest(ctx, scope, key, hash)
	if err != nil {
		return Ticket{}, s.problem(ctx, err)
	}
	if stored {
		t, p, err := replay(status, body)
		if err != nil {
			return Ticket{}, s.problem(ctx, err)
		}
		return t, p
	}
	t, p := do()
	status, body = http.StatusOK, []byte(content(t))
	if p != nil {
		status, body = p.Status, []byte(content(p))
	}
	if status == http.StatusOK || status == http.StatusForbidden || status == http.StatusConflict {
		if err := s.desk.FinishRequest(context.WithoutCancel(ctx), scope, key, status, body); err != nil {
			s.log.WarnContext(ctx, "answer not stored", slog.String("request_id", requestID(ctx)), slog.Any("error", err))
		}
	}
	return t, p
}

func replay(status int, body []byte) (Ticket, *Problem, error) {
	if status == http.StatusOK {
		var t Ticket
		if err := json.Unmarshal(body, &t); err != nil {
			return Ticket{}, nil, fmt.Errorf("stored answer: %w", err)
		}
		return t, nil, nil
	}
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil {
		return Ticket{}, nil, fmt.Errorf("stored answer: %w", err)
	}
	return Ticket{}, p, nil
}

func answer(t Ticket, p *Problem) (*ticketOutput, error) {
	if p != nil {
		return nil, p
	}
	return output(t), nil
}

// versionOf is the version that an If-Match names, 0 for any; ok is false for what is
// no ticket's entity tag, which therefore matches none.
func versionOf(match string) (version int, ok bool) {
	if match == "" || match == "*" {
		return 0, true
	}
	text, quoted := strings.CutPrefix(match, `"`)
	text, ended := strings.CutSuffix(text, `"`)
	version, err := strconv.Atoi(text)
	return version, quoted && ended && err == nil && version > 0
}

// content is a value's one spelling. The values are ours and always marshal.
func content(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// digest names what its parts say together.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(content(parts)))
	return hex.EncodeToString(sum[:])
}
