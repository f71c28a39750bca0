package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"deskbell/api"
	"deskbell/clock"
	"deskbell/config"
	"deskbell/desk"
	"deskbell/gateway"
	"deskbell/store"
)

// remote is where the API is and who speaks. Without flags and environment it is
// the development desk of this user, whose token goes nowhere else.
type remote struct {
	URL   string `env:"DESKBELL_PUBLIC_URL" help:"Where the API is; default: the running development desk."`
	Token string `env:"DESKBELL_TOKEN" help:"API token; default: the development desk's."`
	JSON  bool   `help:"Print JSON."`
}

func (r *remote) resolve() error {
	if r.URL != "" && r.Token != "" {
		return nil
	}
	dev, err := development()
	if err != nil {
		return fmt.Errorf("no --url and --token, and no development desk runs here (%w)", err)
	}
	r.URL = cmp.Or(r.URL, dev.HTTP)
	if r.Token == "" && r.URL != dev.HTTP {
		return fmt.Errorf("no --token for %s", r.URL)
	}
	r.Token = cmp.Or(r.Token, dev.Token)
	return nil
}

func development() (ready, error) {
	var r ready
	dir, err := stateFolder()
	if err != nil {
		return r, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "ready.json"))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(data, &r)
}

// refusal is an answer of the API other than success.
type refusal struct {
	Status int // of HTTP
	Text   string
}

func (r *refusal) Error() string { return r.Text }

// fetch makes a request and returns the body of the answer. What the API refuses
// is a *refusal.
func (r *remote) fetch(ctx context.Context, method, path string, in any) ([]byte, error) {
	if err := r.resolve(); err != nil {
		return nil, err
	}
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.URL+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.Token)
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", uuid.NewString())
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the API does not answer: %w", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("the API's answer broke off: %w", err)
	}
	if response.StatusCode >= 300 {
		var problem struct{ Title, Detail string }
		if json.Unmarshal(data, &problem) == nil && problem.Title != "" {
			return nil, &refusal{response.StatusCode, problem.Title + ": " + problem.Detail}
		}
		return nil, &refusal{response.StatusCode, "the API answered " + response.Status}
	}
	return data, nil
}

// call makes a request and decodes the answer into out, or prints it with --json.
func (r *remote) call(ctx context.Context, method, path string, in, out any) error {
	data, err := r.fetch(ctx, method, path, in)
	if err != nil || len(data) == 0 {
		return err
	}
	if r.JSON {
		_, err := os.Stdout.Write(append(bytes.TrimSpace(data), '\n'))
		return err
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// ticketView is a ticket as the API shows it.
type ticketView struct {
	Number    int       `json:"number"`
	Status    string    `json:"status"`
	Priority  string    `json:"priority"`
	Subject   string    `json:"subject"`
	Body      string    `json:"body"`
	Requester string    `json:"requester"`
	Assignee  *string   `json:"assignee"`
	CreatedAt time.Time `json:"created_at"`
	Late      bool      `json:"late"`
}

// state is the status, and whether what was promised is late.
func (t ticketView) state() string {
	if t.Late {
		return t.Status + ", late"
	}
	return t.Status
}

func (t ticketView) assignee() string {
	if t.Assignee == nil {
		return "-"
	}
	return *t.Assignee
}

// line is the ticket in one line.
func (t ticketView) line() string {
	return fmt.Sprintf("#%d %s  (%s, %s, %s)", t.Number, visible(t.Subject), t.Priority, t.state(), t.assignee())
}

type submitCmd struct {
	remote    `embed:""`
	Subject   string `arg:"" help:"What it is about, in a few words."`
	Body      string `help:"More about it."`
	Priority  string `default:"P3" enum:"P1,P2,P3,P4" help:"P1 (urgent) to P4 (low)."`
	Requester string `required:"" help:"Id of the person who asks."`
}

func (c submitCmd) Run(ctx context.Context) error {
	var t ticketView
	err := c.call(ctx, "POST", "/v1/tickets", map[string]string{"subject": c.Subject, "body": c.Body, "priority": c.Priority, "requester": c.Requester}, &t)
	if err != nil || c.JSON {
		return err
	}
	fmt.Printf("#%d %s\n", t.Number, visible(t.Subject))
	return nil
}

type ticketsCmd struct {
	remote    `embed:""`
	Words     []string  `arg:"" optional:"" help:"Words of the subject or body; -- -word for those without it."`
	Status    []string  `enum:"new,assigned,pending,resolved,closed,cancelled" help:"Only in these states, separated by commas."`
	Priority  []string  `enum:"P1,P2,P3,P4" help:"Only of these priorities, separated by commas."`
	Group     string    `help:"Only of this group."`
	Assignee  string    `help:"Only this person's."`
	Requester string    `help:"Only what this person asked for."`
	Since     time.Time `placeholder:"2026-01-05T08:00:00+01:00" help:"Only what was submitted then or later."`
	Before    time.Time `placeholder:"2026-01-05T08:00:00+01:00" help:"Only what was submitted before."`
	Limit     int       `default:"50" help:"At most so many, up to 200."`
	Cursor    string    `help:"Go on where the page before ended."`
}

func (c ticketsCmd) path() string {
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for name, value := range map[string]string{"q": strings.Join(c.Words, " "), "status": strings.Join(c.Status, ","), "priority": strings.Join(c.Priority, ","),
		"group": c.Group, "assignee": c.Assignee, "requester": c.Requester, "since": moment(c.Since), "before": moment(c.Before), "cursor": c.Cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return "/v1/tickets?" + query.Encode()
}

func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339)
}

func (c ticketsCmd) Run(ctx context.Context) error {
	var page ticketPage
	if err := c.call(ctx, "GET", c.path(), nil, &page); err != nil || c.JSON {
		return err
	}
	if err := page.table(time.Now()).write(os.Stdout, colours(os.Stdout)); err != nil {
		return err
	}
	if page.Next != nil {
		fmt.Fprintf(os.Stderr, "There are more: --cursor %s\n", *page.Next)
	}
	return nil
}

// ticketPage is a page of tickets as the API lists them.
type ticketPage struct {
	Tickets []ticketView `json:"tickets"`
	Next    *string      `json:"next"`
}

func (p ticketPage) table(now time.Time) table {
	t := table{{{"NUMBER", heading}, {"PRIORITY", heading}, {"STATUS", heading}, {"ASSIGNEE", heading}, {"AGE", heading}, {"SUBJECT", heading}}}
	for _, k := range p.Tickets {
		t = append(t, []cell{{"#" + strconv.Itoa(k.Number), ""}, {k.Priority, paints[k.Priority]}, {k.state(), paints[k.state()]},
			{k.assignee(), ""}, {age(now.Sub(k.CreatedAt)), ""}, {k.Subject, ""}})
	}
	return t
}

type ticketCmd struct {
	remote `embed:""`
	Number int `arg:"" help:"The ticket's number."`
}

func (c ticketCmd) Run(ctx context.Context) error {
	path := "/v1/tickets/" + strconv.Itoa(c.Number)
	var t ticketView
	if err := c.call(ctx, "GET", path, nil, &t); err != nil || c.JSON {
		return err
	}
	var story []desk.Line
	if err := c.call(ctx, "GET", path+"/timeline", nil, &story); err != nil {
		return err
	}
	fmt.Println(t.line())
	if t.Body != "" {
		fmt.Println(visibleLines(t.Body))
	}
	lines := table{}
	for _, l := range story {
		lines = append(lines, []cell{{"  " + l.At.Local().Format("2006-01-02 15:04:05"), paints["closed"]}, {l.Event, heading}, {l.Actor, ""}, {strings.TrimSpace(l.Text + " " + l.Detail), ""}})
	}
	return lines.write(os.Stdout, colours(os.Stdout))
}

// actCmd is every verb of the API: what one does not take, the API says.
type actCmd struct {
	remote   `embed:""`
	Verb     string    `arg:"" enum:"${verbs}" help:"${enum}."`
	Number   int       `arg:"" help:"The ticket's number."`
	Text     []string  `arg:"" optional:"" help:"What to say with it."`
	To       string    `help:"For pass and assign a person's id, for merge a ticket's number."`
	Until    time.Time `placeholder:"2026-01-05T08:00:00+01:00" help:"For snooze."`
	Priority string    `help:"For reprioritise: P1 to P4."`
	As       string    `placeholder:"PERSON" help:"Act as this person; for tokens with the scope admin."`
}

func (c actCmd) Run(ctx context.Context) error {
	body := map[string]string{}
	for name, value := range map[string]string{"text": strings.Join(c.Text, " "), "to": c.To, "until": moment(c.Until), "priority": c.Priority, "as": c.As} {
		if value != "" {
			body[name] = value
		}
	}
	var t ticketView
	if err := c.call(ctx, "POST", fmt.Sprintf("/v1/tickets/%d/%s", c.Number, c.Verb), body, &t); err != nil || c.JSON {
		return err
	}
	fmt.Println(t.line())
	return nil
}

// database opens the store that the environment names, or the development desk's.
func database(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	if os.Getenv("DATABASE_URL") == "" && os.Getenv("DATABASE_URL_FILE") == "" {
		dev, err := development()
		if err != nil {
			return nil, fmt.Errorf("DATABASE_URL is not set, and no development desk runs here (%w)", err)
		}
		return store.Open(ctx, dev.DatabaseURL, clock.System{}, log)
	}
	c, err := config.Load(os.Getenv, nil)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, c.Database.Reveal(), clock.System{}, log)
}

type sayCmd struct {
	Person string   `arg:"" help:"Id of the person who speaks."`
	Text   []string `arg:"" help:"What they say."`
	Via    string   `default:"sms" enum:"sms,im" help:"sms or im."`
}

// sayPatience is how long say waits for the answer.
const sayPatience = 10 * time.Second

func (c sayCmd) Run(ctx context.Context, log *slog.Logger) error {
	s, err := database(ctx, log)
	if err != nil {
		return err
	}
	defer s.Close()
	person, err := s.Person(ctx, c.Person)
	if err != nil {
		return fmt.Errorf("person %q: %w", c.Person, err)
	}
	from := person.Phone
	if c.Via == "im" {
		from = person.JID
	}
	if from == "" {
		return fmt.Errorf("%s cannot be reached by %s", person.Name, c.Via)
	}
	m := gateway.Message{Channel: gateway.Channel(c.Via), Key: "say/" + uuid.NewString(), From: from, ReplyTo: from, Text: strings.Join(c.Text, " ")}
	kept, err := s.Keep(ctx, []gateway.Message{m})
	if err != nil {
		return err
	}
	answer, err := awaitAnswer(ctx, s, kept[0].Key)
	if err != nil {
		return err
	}
	fmt.Println(visibleLines(answer))
	return nil
}

// awaitAnswer looks until the message is answered. What needs no answer gets none.
func awaitAnswer(ctx context.Context, s *store.Store, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sayPatience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		row, err := s.Inbound(ctx, key)
		if err != nil {
			return "", err
		}
		if row.State == store.Finished {
			answer, err := s.Answer(ctx, key)
			if errors.Is(err, store.ErrNotFound) {
				return "(no answer needed)", nil
			}
			return answer, err
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("kept, but not answered within %s: does the %s gateway run?", sayPatience, row.Channel)
		case <-ticker.C:
		}
	}
}

type tokenCmd struct {
	Make   tokenMakeCmd   `cmd:"" default:"withargs" help:"Make an API token for a person."`
	List   tokenListCmd   `cmd:"" help:"Show your tokens, an administrator everybody's."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a token."`
}

// tokenMakeCmd works on the database: the first token has no token to ask with.
type tokenMakeCmd struct {
	Person  string    `arg:"" help:"Id of the person whom the token speaks for."`
	Scope   []string  `enum:"${scopes}" help:"${enum}; several with commas. All that the person may when not given; admin only when named, and it may act for others."`
	Name    string    `default:"command line" help:"What it is for."`
	Expires time.Time `placeholder:"2026-01-05T08:00:00+01:00" help:"Until when it is good; for ever when not given."`
}

func (c tokenMakeCmd) Run(ctx context.Context, log *slog.Logger) error {
	if !c.Expires.IsZero() && !c.Expires.After(time.Now()) {
		return fmt.Errorf("--expires %s: that is past", moment(c.Expires))
	}
	s, err := database(ctx, log)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Person(ctx, c.Person); err != nil {
		return fmt.Errorf("person %q: %w", c.Person, err)
	}
	_, token, err := s.CreateToken(ctx, store.Token{Person: c.Person, Scopes: c.Scope, Name: c.Name, Expires: c.Expires}, store.Audit{Channel: "cli"})
	if err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}

type tokenListCmd struct {
	remote `embed:""`
	Person string `help:"Only this person's."`
	Cursor string `help:"Go on where the page before ended."`
}

func (c tokenListCmd) Run(ctx context.Context) error {
	query := url.Values{}
	for name, value := range map[string]string{"person": c.Person, "cursor": c.Cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var page struct {
		Tokens []api.Token `json:"tokens"`
		Next   *string     `json:"next"`
	}
	if err := c.call(ctx, "GET", "/v1/tokens?"+query.Encode(), nil, &page); err != nil || c.JSON {
		return err
	}
	day := func(at *time.Time) string {
		if at == nil {
			return "-"
		}
		return at.Local().Format("2006-01-02 15:04")
	}
	t := table{{{"ID", heading}, {"PERSON", heading}, {"SCOPES", heading}, {"EXPIRES", heading}, {"LAST USED", heading}, {"REVOKED", heading}, {"NAME", heading}}}
	for _, k := range page.Tokens {
		t = append(t, []cell{{strconv.FormatInt(k.ID, 10), ""}, {k.Person, ""}, {strings.Join(k.Scopes, ","), ""},
			{day(k.Expires), ""}, {day(k.LastUsed), ""}, {day(k.RevokedAt), ""}, {k.Name, ""}})
	}
	if err := t.write(os.Stdout, colours(os.Stdout)); err != nil {
		return err
	}
	if page.Next != nil {
		fmt.Fprintf(os.Stderr, "There are more: --cursor %s\n", *page.Next)
	}
	return nil
}

type tokenRevokeCmd struct {
	remote `embed:""`
	ID     int64 `arg:"" help:"The token's id, as the list shows it."`
}

func (c tokenRevokeCmd) Run(ctx context.Context) error {
	return c.call(ctx, "DELETE", fmt.Sprintf("/v1/tokens/%d", c.ID), nil, nil)
}
