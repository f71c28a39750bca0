package main

import (
	"bytes"
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
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"deskbell/clock"
	"deskbell/config"
	"deskbell/desk"
	"deskbell/gateway"
	"deskbell/store"
)

// remote is where the API is and who speaks. Without flags and environment it is
// the development desk of this user.
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
	if r.URL == "" {
		r.URL = dev.HTTP
	}
	if r.Token == "" {
		r.Token = dev.Token
	}
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

// call makes a request and decodes the answer into out.
func (r *remote) call(ctx context.Context, method, path string, in, out any) error {
	if err := r.resolve(); err != nil {
		return err
	}
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.URL+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+r.Token)
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", uuid.NewString())
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the API does not answer: %w", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		var problem struct{ Title, Detail string }
		if json.Unmarshal(data, &problem) == nil && problem.Title != "" {
			return fmt.Errorf("%s: %s", problem.Title, problem.Detail)
		}
		return fmt.Errorf("the API answered %s", response.Status)
	}
	if len(data) == 0 {
		return nil
	}
	if r.JSON {
		_, err := os.Stdout.Write(append(bytes.TrimSpace(data), '\n'))
		return err
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
}

func (t ticketView) assignee() string {
	if t.Assignee == nil {
		return "-"
	}
	return *t.Assignee
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

type listCmd struct {
	remote   `embed:""`
	Status   string `help:"Only tickets in this state."`
	Assignee string `help:"Only this person's."`
}

func (c listCmd) Run(ctx context.Context) error {
	query := url.Values{}
	for name, value := range map[string]string{"status": c.Status, "assignee": c.Assignee} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var page struct {
		Tickets []ticketView `json:"tickets"`
	}
	if err := c.call(ctx, "GET", "/v1/tickets?"+query.Encode(), nil, &page); err != nil || c.JSON {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tPRIORITY\tSTATUS\tASSIGNEE\tAGE\tSUBJECT")
	for _, t := range page.Tickets {
		fmt.Fprintf(w, "#%d\t%s\t%s\t%s\t%s\t%s\n", t.Number, t.Priority, t.Status, t.assignee(), time.Since(t.CreatedAt).Round(time.Second), visible(t.Subject))
	}
	return w.Flush()
}

type showCmd struct {
	remote `embed:""`
	Number int `arg:"" help:"The ticket's number."`
}

func (c showCmd) Run(ctx context.Context) error {
	path := "/v1/tickets/" + strconv.Itoa(c.Number)
	var t ticketView
	if err := c.call(ctx, "GET", path, nil, &t); err != nil || c.JSON {
		return err
	}
	var story []desk.Line
	if err := c.call(ctx, "GET", path+"/timeline", nil, &story); err != nil {
		return err
	}
	fmt.Printf("#%d %s  (%s, %s, %s)\n", t.Number, visible(t.Subject), t.Priority, t.Status, t.assignee())
	if t.Body != "" {
		fmt.Println(visible(t.Body))
	}
	for _, l := range story {
		fmt.Printf("  %s  %-12s %-10s %s %s\n", l.At.Local().Format("15:04:05"), l.Event, l.Actor, visible(l.Text), visible(l.Detail))
	}
	return nil
}

// visible keeps other people's text from steering the terminal.
func visible(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			out[i] = '\ufffd'
		}
	}
	return string(out)
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
	text := ""
	for i, word := range c.Text {
		if i > 0 {
			text += " "
		}
		text += word
	}
	m := gateway.Message{Channel: gateway.Channel(c.Via), Key: "say/" + uuid.NewString(), From: from, ReplyTo: from, Text: text}
	kept, err := s.Keep(ctx, []gateway.Message{m})
	if err != nil {
		return err
	}
	answer, err := awaitAnswer(ctx, s, kept[0].Key)
	if err != nil {
		return err
	}
	fmt.Println(visible(answer))
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

type peopleCmd struct {
	Import string `help:"File of people and rota to import (YAML or JSON)." type:"existingfile"`
}

func (c peopleCmd) Run(ctx context.Context, log *slog.Logger) error {
	s, err := database(ctx, log)
	if err != nil {
		return err
	}
	defer s.Close()
	if c.Import != "" {
		file, err := config.People(c.Import)
		if err != nil {
			return err
		}
		if err := s.Import(ctx, file); err != nil {
			return err
		}
	}
	people, err := s.People(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tROLE\tPHONE\tJID")
	for _, p := range people {
		fmt.Fprintf(w, "%s\t%s\t%v\t%s\t%s\n", p.ID, visible(p.Name), p.Roles, p.Phone, p.JID)
	}
	return w.Flush()
}

type tokenCmd struct {
	Person string        `arg:"" help:"Id of the person whom the token speaks for."`
	Admin  bool          `help:"May act for others."`
	Name   string        `default:"command line" help:"What it is for."`
	Life   time.Duration `help:"How long it is good; forever when not given."`
}

func (c tokenCmd) Run(ctx context.Context, log *slog.Logger) error {
	s, err := database(ctx, log)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Person(ctx, c.Person); err != nil {
		return fmt.Errorf("person %q: %w", c.Person, err)
	}
	var scopes []string
	if c.Admin {
		scopes = append(scopes, "admin")
	}
	var expires time.Time
	if c.Life > 0 {
		expires = time.Now().Add(c.Life)
	}
	_, token, err := s.CreateToken(ctx, store.Token{Person: c.Person, Scopes: scopes, Name: c.Name, Expires: expires}, store.Audit{Channel: "cli"})
	if err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}
