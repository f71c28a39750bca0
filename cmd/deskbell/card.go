package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"text/template"
	"time"

	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
)

// progress tells what is being started, one line each.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	start time.Time
}

func newProgress(w io.Writer) *progress { return &progress{w: w, start: time.Now()} }

// step announces a part; the returned function says that it is done.
func (p *progress) step(name string) (done func()) {
	began := time.Now()
	p.line("starting %s", name)
	return func() { p.line("%s is up (%.1f s)", name, time.Since(began).Seconds()) }
}

func (p *progress) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "  %5.1f s  %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

var cardTemplate = template.Must(template.New("card").Funcs(template.FuncMap{
	"pad": func(n int, s string) string { return s + strings.Repeat(" ", max(0, n-len([]rune(s)))) },
	"role": func(p roster.Person) string {
		words := make([]string, len(p.Roles))
		for i, r := range p.Roles {
			words[i] = strings.Replace(string(r), "oncall", "on call", 1)
		}
		return strings.Join(words, ", ")
	},
}).Parse(`
  Deskbell is running.

  Board         {{.HTTP}}
  API           {{.HTTP}}/v1   (OpenAPI: {{.HTTP}}/openapi.yaml)
{{- if .TemporalUI}}
  Temporal UI   {{.TemporalUI}}
{{- end}}
{{- if .Phones}}
  Phones        {{.Phones}}
{{- end}}
{{- if .Room}}
  Team's room   {{.Room}} (any chat client; in the browser: /join {{.Room}})
{{- end}}
  State         {{.State}}

  Who you can play{{if .Phones}} (a phone: {{.Phones}}/?phone=NUMBER){{end}}
{{range .People}}    {{pad 6 .ID}}{{pad 10 .Name}}{{pad 11 (role .)}}{{pad 15 .Phone}}{{if and $.XMPP .JID}}{{pad 23 .JID}}{{pad 12 .Password}}{{if $.Phones}}{{$.Phones}}/chat/{{.ID}}{{end}}{{end}}
{{end}}{{if .NoIM}}
  No chat: {{.NoIM}}
{{end}}
  Try this
  1. Submit a ticket for {{.Requester}}:
       curl -s {{.HTTP}}/v1/tickets -H 'Authorization: Bearer {{.Token}}' -H 'Content-Type: application/json' \
         -d '{"subject": "Printer on 3rd floor jams", "priority": "P3", "requester": "{{.Requester}}"}'
  2. Two agents get a text. On {{.Agent}}'s phone type the ticket's number: it is {{.Agent}}'s. Then type: done new toner
  3. Open a browser chat: that agent is now there, and gets the next offer by IM.
  4. Sign in at {{.HTTP}}/sign-in as anybody above: the link comes to that phone or chat. Now the pages have buttons.
{{- if .Steps}}
  5. Do nothing: {{.Steps}}.
{{- end}}

  Ctrl-C stops everything; tickets stay.

`))

// called are the words for whom a step calls.
var called = map[string]string{policy.ToOnCall: "the on-call phone is called", policy.ToNext: "the next", policy.ToManager: "the manager"}

func printCard(w io.Writer, r ready, noIM error, p policy.Policy, state string) error {
	data := struct {
		ready
		NoIM, State, Steps string
		Requester, Agent   string
	}{ready: r, State: state}
	if noIM != nil {
		data.NoIM = noIM.Error()
	}
	for _, person := range r.People {
		if person.Is(roster.Requester) && data.Requester == "" {
			data.Requester = person.ID
		}
		if person.Is(roster.Agent) && data.Agent == "" {
			data.Agent = person.Name
		}
	}
	var steps []string
	for _, step := range p.For(ticket.P3).Steps {
		steps = append(steps, fmt.Sprintf("after %s %s", policy.Spell(step.After), called[step.To]))
	}
	data.Steps = strings.Join(steps, ", ")
	if err := cardTemplate.Execute(w, data); err != nil {
		return fmt.Errorf("print the card: %w", err)
	}
	return nil
}
