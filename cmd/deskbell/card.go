package main

import (
	"fmt"
	"io"
	"os"
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
  State         {{.StateHint}}

  Who you can play{{if .Phones}} (a phone: {{.Phones}}/?phone=NUMBER){{end}}
{{range .People}}    {{pad 6 .ID}}{{pad 10 .Name}}{{pad 11 (role .)}}{{pad 15 .Phone}}{{if $.Chat}}{{pad 23 .JID}}{{pad 12 .Password}}{{if $.Phones}}{{$.Phones}}/chat/{{.ID}}{{end}}{{end}}
{{end}}{{if .NoIM}}
  No IM: {{.NoIM}}
{{end}}
  Try this
  1. Submit a ticket as Ann:
       curl -s {{.HTTP}}/v1/tickets -H 'Authorization: Bearer {{.Token}}' -H 'Content-Type: application/json' \
         -d '{"subject": "Printer on 3rd floor jams", "priority": "P3", "requester": "{{.Requester}}"}'
  2. Two agents get a text. On {{.Agent}}'s phone type the ticket's number: it is {{.Agent}}'s. Then type: done new toner
  3. Open a browser chat: that agent is now there, and gets the next offer by IM.
  4. Do nothing: after {{.First}} the on-call phone is called, after {{.Second}} the next, after {{.Third}} the manager.

  Ctrl-C stops everything; tickets stay.

`))

func printCard(w io.Writer, r ready, noIM error, p policy.Policy) error {
	plan := p.For(ticket.P3)
	data := struct {
		ready
		Chat, NoIM           string
		Requester, Agent     string
		StateHint            string
		First, Second, Third time.Duration
	}{ready: r, Chat: r.XMPP, StateHint: "kept from start to start"}
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
	after := []*time.Duration{&data.First, &data.Second, &data.Third}
	for i, step := range plan.Steps[:min(len(plan.Steps), len(after))] {
		*after[i] = step.After
	}
	if err := cardTemplate.Execute(w, data); err != nil {
		return fmt.Errorf("print the card: %w", err)
	}
	return nil
}

func isTerminal(f *os.File) bool {
	stat, err := f.Stat()
	return err == nil && stat.Mode()&os.ModeCharDevice != 0
}
