package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"deskbell/desk"
	"deskbell/ticket"
)

// Ticket is a ticket as clients see it.
type Ticket struct {
	Number     int             `json:"number"`
	Status     ticket.Status   `json:"status" enum:"new,assigned,pending,resolved,closed,cancelled"`
	Priority   ticket.Priority `json:"priority" enum:"P1,P2,P3,P4"`
	Subject    string          `json:"subject"`
	Body       string          `json:"body"`
	Requester  string          `json:"requester" doc:"A person's id."`
	Assignee   *string         `json:"assignee" doc:"The id of who has it, or had it last; null when nobody."`
	Group      string          `json:"group"`
	CreatedAt  time.Time       `json:"created_at"`
	ClaimedAt  *time.Time      `json:"claimed_at"`
	ResolvedAt *time.Time      `json:"resolved_at"`
	DueAt      *time.Time      `json:"due_at" doc:"The target that counts now: to be taken, then to be solved. Null when none does."`
	ExpectedAt *time.Time      `json:"expected_at" doc:"When the holder promised news or the end. Null without a promise."`
	Late       bool            `json:"late" doc:"expected_at passed without either."`
	Escalation int             `json:"escalation" doc:"The step reached; 0 for none."`
	WaitingFor string          `json:"waiting_for" enum:"agent,holder,requester,time," doc:"Who must move; empty when nobody must."`
	Version    int             `json:"version" doc:"Grows with every change."`
}

func shape(t ticket.Ticket) Ticket {
	out := Ticket{
		Number: t.Number, Status: t.Status, Priority: t.Priority, Subject: t.Subject, Body: t.Body,
		Requester: t.Requester.ID, Group: t.Group,
		CreatedAt: t.CreatedAt.UTC(), ClaimedAt: moment(t.ClaimedAt), ResolvedAt: moment(t.ResolvedAt), DueAt: moment(t.DueAt()), ExpectedAt: moment(t.ExpectedAt()), Late: t.Late(),
		Escalation: t.Reached, WaitingFor: t.WaitingFor(), Version: t.Version,
	}
	if t.Assignee.ID != "" {
		out.Assignee = &t.Assignee.ID
	}
	return out
}

func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return new(at.UTC())
}

// Sizes of what people write.
const (
	maxText    = 64 << 10  // bytes of a body or a text
	maxRequest = 512 << 10 // bytes; JSON may write one byte of text as six
)

type submitInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"The same key with the same content is the same request, however often it is sent."`
	Body struct {
		Subject   string          `json:"subject" minLength:"1" maxLength:"300" doc:"What it is about." example:"Printer on floor 3 is jammed"`
		Body      string          `json:"body,omitempty" doc:"All of it; up to 64 kB, kept as it is."`
		Priority  ticket.Priority `json:"priority,omitempty" enum:"P1,P2,P3,P4" default:"P3" doc:"P1 is urgent, P4 is low."`
		Requester string          `json:"requester,omitempty" maxLength:"100" doc:"The id of who needs help; whoever sends the request when absent."`
	}
	RawBody []byte
}

type ticketOutput struct {
	ETag string `header:"ETag" doc:"The ticket's version, for If-Match and If-None-Match."`
	Body Ticket
}

func output(t Ticket) *ticketOutput { return &ticketOutput{etag(t.Version), t} }

func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

type showInput struct {
	Number    int    `path:"n" minimum:"1" maximum:"2147483647" doc:"The ticket's number." example:"142"`
	NoneMatch string `header:"If-None-Match" maxLength:"1000" doc:"The ETag of what the client has: 304 when the ticket is still the same."`
}

type showOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The ticket's version, for If-Match and If-None-Match."`
	Body   *Ticket
}

type submitOutput struct {
	Location string `header:"Location"`
	Body     Ticket
}

type numberInput struct {
	Number int `path:"n" minimum:"1" maximum:"2147483647" doc:"The ticket's number." example:"142"`
}

type listInput struct {
	Status    []ticket.Status   `query:"status" enum:"new,assigned,pending,resolved,closed,cancelled" doc:"One or several, separated by commas."`
	Priority  []ticket.Priority `query:"priority" enum:"P1,P2,P3,P4" doc:"One or several, separated by commas."`
	Group     string            `query:"group" maxLength:"100"`
	Words     string            `query:"q" maxLength:"200" doc:"Words of the subject or body, as one types them into a search engine: printer jam, \"floor 3\", printer or scanner, -toner." example:"printer -toner"`
	Since     time.Time         `query:"since" doc:"Submitted then or later."`
	Before    time.Time         `query:"before" doc:"Submitted before."`
	Assignee  string            `query:"assignee" maxLength:"100" doc:"A person's id."`
	Requester string            `query:"requester" maxLength:"100" doc:"A person's id."`
	Cursor    string            `query:"cursor" maxLength:"200" doc:"next of the page before."`
	Limit     int               `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listOutput struct {
	Body struct {
		Tickets []Ticket `json:"tickets" doc:"The newest first."`
		Next    *string  `json:"next" doc:"The cursor of the next page; null on the last."`
	}
}

type whyOutput struct{ Body desk.WhyView }

type timelineOutput struct {
	Body []desk.Line `nullable:"false"`
}

func (s *server) ticketRoutes() {
	route(s, op("submit", http.MethodPost, "/v1/tickets", "Submit a ticket", http.StatusCreated, 403, 413, 415, 503), s.submit)
	route(s, op("list", http.MethodGet, "/v1/tickets", "List tickets", http.StatusOK, 422, 503), s.list)
	route(s, op("show", http.MethodGet, "/v1/tickets/{n}", "Show a ticket", http.StatusOK, 304, 404, 503), s.show)
	route(s, op("timeline", http.MethodGet, "/v1/tickets/{n}/timeline", "What happened to a ticket", http.StatusOK, 404, 503), s.timeline)
	route(s, op("why", http.MethodGet, "/v1/tickets/{n}/why", "Why it is where it is: the decisions with the facts used then, and what happens next", http.StatusOK, 403, 404, 503), s.why)
}

func (s *server) submit(ctx context.Context, in *submitInput) (*submitOutput, error) {
	who, b := caller(ctx), in.Body
	if b.Requester == "" {
		b.Requester = who.Person.ID
	}
	if b.Requester != who.Person.ID && !seesAll(who) {
		return nil, named("not_you", http.StatusForbidden, "Not in another's name", "You can only submit tickets of your own.")
	}
	wrong := append(verbatim("subject", b.Subject, in.RawBody), verbatim("body", b.Body, in.RawBody)...)
	if strings.TrimSpace(b.Subject) == "" {
		wrong = append(wrong, FieldError{"subject", "say in a few words what it is about"})
	}
	if len(wrong) > 0 {
		return nil, invalid(wrong...)
	}
	sub := desk.Submission{Subject: b.Subject, Body: b.Body, Priority: b.Priority, Requester: b.Requester, Channel: who.Channel}
	if in.Key != "" {
		sub.Scope, sub.Key, sub.Hash = who.Person.ID, in.Key, digest(http.MethodPost, "/v1/tickets", content(b))
	}
	t, _, err := s.desk.Submit(ctx, sub)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &submitOutput{Location: fmt.Sprintf("/v1/tickets/%d", t.Number), Body: shape(asSubmitted(t, b.Priority))}, nil
}

// asSubmitted is the ticket as it was when it came in, so that a repeated request
// gets the answer that the first one got.
func asSubmitted(t ticket.Ticket, p ticket.Priority) ticket.Ticket {
	return ticket.Ticket{Number: t.Number, Subject: t.Subject, Body: t.Body, Requester: t.Requester, Group: t.Group,
		CreatedAt: t.CreatedAt, Priority: p, Position: ticket.Position{Status: ticket.New}}
}

// verbatim finds what cannot be kept as it was sent. raw is the request: a
// replacement character that it does not hold stands for bytes or a surrogate
// that are no text.
func verbatim(field, text string, raw []byte) []FieldError {
	switch {
	case len(text) > maxText:
		return []FieldError{{field, "longer than 64 kB"}}
	case strings.ContainsRune(text, 0):
		return []FieldError{{field, "contains a NUL character"}}
	case strings.ContainsRune(text, utf8.RuneError) && !mentionsReplacement(raw):
		return []FieldError{{field, "is not valid Unicode"}}
	}
	return nil
}

func mentionsReplacement(raw []byte) bool {
	return strings.ContainsRune(string(raw), utf8.RuneError) && utf8.Valid(raw) || strings.Contains(strings.ToLower(string(raw)), `\ufffd`)
}

func (s *server) list(ctx context.Context, in *listInput) (*listOutput, error) {
	who := caller(ctx)
	out := &listOutput{}
	out.Body.Tickets = []Ticket{}
	if !seesAll(who) {
		if in.Requester != "" && in.Requester != who.Person.ID {
			return out, nil
		}
		in.Requester = who.Person.ID
	}
	list, next, err := s.desk.Tickets(ctx, desk.Filter{Status: in.Status, Assignee: in.Assignee, Requester: in.Requester, Cursor: in.Cursor, Limit: in.Limit,
		Priority: in.Priority, Group: in.Group, Words: in.Words, Since: in.Since, Before: in.Before})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	for _, t := range list {
		out.Body.Tickets = append(out.Body.Tickets, shape(t))
	}
	if next != "" {
		out.Body.Next = &next
	}
	return out, nil
}

func (s *server) show(ctx context.Context, in *showInput) (*showOutput, error) {
	t, err := s.visible(ctx, in.Number)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &showOutput{Status: http.StatusOK, ETag: etag(t.Version), Body: new(shape(t))}
	if matches(in.NoneMatch, t.Version) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

// matches tells whether a version is among the entity tags of a header.
func matches(header string, version int) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag(version) {
			return true
		}
	}
	return false
}

func (s *server) timeline(ctx context.Context, in *numberInput) (*timelineOutput, error) {
	if _, err := s.visible(ctx, in.Number); err != nil {
		return nil, s.problem(ctx, err)
	}
	lines, err := s.desk.Timeline(ctx, in.Number)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	all := seesAll(caller(ctx))
	out := &timelineOutput{Body: []desk.Line{}}
	for _, l := range lines {
		if all || ticket.Kind(l.Event).RequesterReads() {
			l.At = l.At.UTC()
			out.Body = append(out.Body, l)
		}
	}
	return out, nil
}

// why is for those who work here: it tells who was asked, and who was not there.
func (s *server) why(ctx context.Context, in *numberInput) (*whyOutput, error) {
	if _, err := s.visible(ctx, in.Number); err != nil {
		return nil, s.problem(ctx, err)
	}
	view, err := s.desk.Why(ctx, in.Number)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &whyOutput{view}, nil
}

// seesAll tells whether the caller may read every ticket.
func seesAll(c desk.Caller) bool { return c.May(desk.AsAgent) }

// visible returns a ticket that the caller may read. One of somebody else is
// missing.
func (s *server) visible(ctx context.Context, number int) (ticket.Ticket, error) {
	t, err := s.desk.Ticket(ctx, number)
	if err != nil {
		return ticket.Ticket{}, err
	}
	if who := caller(ctx); !seesAll(who) && t.Requester.ID != who.Person.ID {
		return ticket.Ticket{}, desk.ErrNotFound
	}
	return t, nil
}
