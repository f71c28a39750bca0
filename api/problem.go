package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"deskbell/desk"
	"deskbell/ticket"
)

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Type   string `json:"type" doc:"What kind of problem this is; about:blank when the status says all." example:"urn:deskbell:problem:owned"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	*Conflict
	Errors    []FieldError `json:"errors,omitempty" doc:"What is wrong with the input."`
	RequestID string       `json:"request_id,omitempty" doc:"Names this request in the server's log."`

	headers http.Header
}

// Conflict is what a 409 says about the ticket.
type Conflict struct {
	Holder     *string    `json:"holder" required:"false" doc:"Who has the ticket, or had it last: a person's id. Null when nobody has it. Only in a 409."`
	HolderName string     `json:"holder_name,omitempty"`
	Since      *time.Time `json:"since,omitempty"`
}

// FieldError is one thing that is wrong with the input.
type FieldError struct {
	Field   string `json:"field" doc:"The name in the body; a parameter has its place in front." example:"subject"`
	Message string `json:"message"`
}

func (p *Problem) Error() string             { return p.Title + ": " + p.Detail }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) GetHeaders() http.Header   { return p.headers }
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problemNames are the problems that have a type of their own, beside the refusals of
// the tickets' rules. Clients branch on them: one that is there stays.
var problemNames = []string{"changed", "in_progress", "invalid", "key_reused", "no_files", "no_such_feed", "no_such_file", "no_such_incident", "no_such_override", "no_such_person",
	"no_such_rotation", "no_such_ticket", "no_such_token", "no_such_webhook", "not_allowed", "not_you", "not_your_feed", "too_many_requests", "unauthorized",
	"unavailable", "undecided"}

const plainProblem = "about:blank"

// problemTypes are all types of problems, in order.
func problemTypes() []any {
	names := slices.Clone(problemNames)
	for _, m := range desk.Refusals() {
		names = append(names, string(m))
	}
	slices.Sort(names)
	types := []any{plainProblem}
	for _, name := range slices.Compact(names) {
		types = append(types, problemType(name))
	}
	return types
}

func problemType(name string) string {
	return "urn:deskbell:problem:" + strings.ReplaceAll(name, "_", "-")
}

func newProblem(status int, detail string) *Problem {
	return &Problem{Type: plainProblem, Title: http.StatusText(status), Status: status, Detail: detail}
}

func named(name string, status int, title, detail string) *Problem {
	return &Problem{Type: problemType(name), Title: title, Status: status, Detail: detail}
}

// invalid is a 422 that names what is wrong.
func invalid(wrong ...FieldError) *Problem {
	p := named("invalid", http.StatusUnprocessableEntity, "The input is not valid", "")
	p.Errors = wrong
	if len(wrong) > 0 {
		p.Detail = wrong[0].Field + ": " + wrong[0].Message
	}
	return p
}

func retry(p *Problem, seconds string) *Problem {
	p.headers = http.Header{}
	p.headers.Set("Retry-After", seconds)
	return p
}

// problem turns an error of the desk into what the client may know of it. missing is
// what desk.ErrNotFound means: a ticket when it is absent.
func (s *server) problem(ctx context.Context, err error, missing ...*Problem) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if r, ok := ticket.Refused(err); ok {
		return refused(r)
	}
	if e, ok := errors.AsType[*desk.InvalidError](err); ok {
		return invalid(FieldError{e.Field, e.Problem})
	}
	switch {
	case errors.Is(err, desk.ErrNotFound) && len(missing) > 0:
		return missing[0]
	case errors.Is(err, desk.ErrNotFound):
		return named("no_such_ticket", http.StatusNotFound, "No such ticket", "There is no such ticket, or it is not yours.")
	case errors.Is(err, desk.ErrChanged):
		return named("changed", http.StatusPreconditionFailed, "It has changed", "This is not the version that If-Match names. Read it again.")
	case errors.Is(err, desk.ErrNotAllowed):
		return named("not_allowed", http.StatusForbidden, "You may not do this", "Your role, or the scope of your token, does not allow this.")
	case errors.Is(err, desk.ErrKeyReused):
		return named("key_reused", http.StatusUnprocessableEntity, "The Idempotency-Key is used already", "This Idempotency-Key came with another request before. Use a new key for a new request.")
	case errors.Is(err, desk.ErrUnknownToken):
		return unauthorized("This token is not known, or no longer valid.")
	case errors.Is(err, desk.ErrNoFiles):
		return named("no_files", http.StatusNotImplemented, "This helpdesk keeps no files", "Whoever runs it has named no folder for them.")
	case errors.Is(err, desk.ErrBusy):
		return retry(named("in_progress", http.StatusConflict, "The same request is under way", "Wait, then repeat it with the same Idempotency-Key to learn its outcome."), "1")
	case errors.Is(err, desk.ErrUnavailable):
		s.log.WarnContext(ctx, "database away", slog.String("request_id", requestID(ctx)), slog.Any("error", err))
		return retry(named("unavailable", http.StatusServiceUnavailable, "The helpdesk cannot be reached", "Nothing was kept. Try again in a moment."), "2")
	case errors.Is(err, desk.ErrUndecided), errors.Is(err, context.DeadlineExceeded):
		return retry(named("undecided", http.StatusGatewayTimeout, "The ticket has not answered yet",
			"The request may still take effect. Repeat it with the same Idempotency-Key to learn its outcome; it will not act twice."), "1")
	case ctx.Err() != nil:
		return newProblem(statusClientGone, "The client went away.")
	}
	s.log.ErrorContext(ctx, "request failed", slog.String("request_id", requestID(ctx)), slog.Any("error", err))
	return internal()
}

// statusClientGone is what nginx logs for a client that did not wait.
const statusClientGone = 499

func internal() *Problem {
	return newProblem(http.StatusInternalServerError, "Something went wrong on our side. The request_id finds it in the log.")
}

func unauthorized(detail string) *Problem {
	p := named("unauthorized", http.StatusUnauthorized, "A valid token is needed", detail)
	p.headers = http.Header{}
	p.headers.Set("WWW-Authenticate", `Bearer realm="deskbell"`)
	return p
}

func refused(r *ticket.Refusal) *Problem {
	words := desk.Explain(r)
	status := http.StatusConflict
	switch {
	case r.Forbidden():
		status = http.StatusForbidden
	case r.Message == ticket.Changed:
		status = http.StatusPreconditionFailed
	}
	p := named(string(r.Message), status, words.Title, words.Detail)
	if status != http.StatusConflict {
		return p
	}
	p.Conflict = &Conflict{}
	if words.Held && r.Who.ID != "" && r.Who.ID != ticket.System.ID {
		p.Holder, p.HolderName = &r.Who.ID, r.Who.Name
		if !r.At.IsZero() {
			p.Since = new(r.At.UTC())
		}
	}
	return p
}

// problems puts every error that huma writes into our shape: no echo of what the
// client sent, no words of an internal error, and the request's id.
func (s *server) problems(ctx huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *Problem:
		p := *e
		p.RequestID = requestID(ctx.Context())
		return &p, nil
	case *huma.ErrorModel:
		p := s.translate(ctx.Context(), e)
		p.RequestID = requestID(ctx.Context())
		return p, nil
	}
	return v, nil
}

func (s *server) translate(ctx context.Context, e *huma.ErrorModel) *Problem {
	if e.Status >= http.StatusInternalServerError {
		s.log.ErrorContext(ctx, "request failed", slog.String("request_id", requestID(ctx)), slog.String("error", e.Detail))
		p := internal()
		p.Status, p.Title = e.Status, http.StatusText(e.Status)
		return p
	}
	var wrong []FieldError
	for _, d := range e.Errors {
		wrong = append(wrong, fieldError(d))
	}
	switch e.Status {
	case http.StatusUnprocessableEntity:
		return invalid(wrong...)
	case http.StatusUnsupportedMediaType:
		return newProblem(e.Status, "Send JSON, with Content-Type: application/json.")
	case http.StatusRequestEntityTooLarge:
		return newProblem(e.Status, "The request is too large.")
	}
	p := newProblem(e.Status, e.Detail)
	if len(wrong) > 0 {
		p.Errors, p.Detail = wrong, wrong[0].Field+": "+wrong[0].Message
	}
	return p
}

// fieldError names a missing field by its own name, and every other one without
// the "body." in front.
func fieldError(d *huma.ErrorDetail) FieldError {
	if name, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		if name, ok = strings.CutSuffix(name, " to be present"); ok {
			return FieldError{name, "is missing"}
		}
	}
	return FieldError{strings.TrimPrefix(d.Location, "body."), d.Message}
}

// fail answers outside of huma, and ends the request.
func fail(c *gin.Context, p *Problem) {
	p.RequestID = requestID(c.Request.Context())
	for name, values := range p.headers {
		c.Writer.Header()[name] = values
	}
	write(c.Writer, p)
	c.Abort()
}

func write(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone when this fails
}

func denyCrossOrigin(w http.ResponseWriter, _ *http.Request) {
	write(w, newProblem(http.StatusForbidden, "A page of another site may not do this."))
}
