package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// clear makes the desk one that never had a ticket and never spoke to anybody: a
// file's tickets have fixed numbers, and one desk plays all its dialogues. Their
// workflows are deleted, so that the numbers are free; agents are away, so that
// nobody is offered what the setup does not offer. What is kept is what no dialogue
// may speak of: people, accounts and the archive's cursor.
func (p *play) clear() {
	p.t.Helper()
	ctx := context.Background()
	numbers, err := p.rows(ctx, "SELECT number::text FROM tickets")
	if err != nil {
		p.t.Fatal(err)
	}
	p.forget(numbers)
	for _, sql := range []string{
		"DELETE FROM tickets", "DELETE FROM timeline", "DELETE FROM holds", "DELETE FROM idempotency", "DELETE FROM inbox", "DELETE FROM deliveries",
		"DELETE FROM orphans", "DELETE FROM strangers", "DELETE FROM conversations",
		"SELECT setval('ticket_numbers', 100, false)",
		"UPDATE people SET stopped = false, last_asked = NULL, away_reason = '', away_until = CASE WHEN 'agent' = ANY(roles) THEN '9999-01-01'::timestamptz END",
	} {
		if _, err := p.db.Exec(ctx, sql); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, m := range p.file.People {
		language, _ := m.all["language"].(string)
		if other := p.dialogue.Setup.Languages[m.id]; other != "" {
			language = other
		}
		p.languages[m.id] = language
		if _, err := p.db.Exec(ctx, "UPDATE people SET language = $2 WHERE id = $1", m.id, language); err != nil {
			p.t.Fatal(err)
		}
	}
}

// forget deletes tickets' workflows and waits until they are gone: seconds for those
// that had ended.
func (p *play) forget(numbers []string) {
	p.t.Helper()
	ctx := context.Background()
	for _, n := range numbers {
		_, err := p.engine.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace: "default", WorkflowExecution: &common.WorkflowExecution{WorkflowId: "ticket-" + n},
		})
		if err != nil && !absent(err) {
			p.t.Fatal(err)
		}
	}
	for _, n := range numbers {
		if !eventually(startLimit, func() bool {
			_, err := p.engine.DescribeWorkflowExecution(ctx, "ticket-"+n, "")
			return absent(err)
		}) {
			p.t.Fatalf("the workflow of #%s is not deleted", n)
		}
	}
}

func absent(err error) bool {
	_, gone := errors.AsType[*serviceerror.NotFound](err)
	return gone
}

// early is when what the setup offers was offered. Offers within a minute would come
// as one, so earlier tickets were offered earlier.
const (
	early = time.Minute
	apart = 61 * time.Second
)

// prepare brings the desk into the dialogue's first state, through its own doors.
func (p *play) prepare() {
	p.t.Helper()
	s := p.dialogue.Setup
	offered := len(s.Offers)
	p.setOffset(time.Until(p.start.Add(-p.lead() - time.Duration(offered)*apart)))
	p.clear()
	p.join()
	onDuty := p.agents()
	if s.Free != nil {
		onDuty = *s.Free
	}
	natural := func(g given) bool { return g.State == "waiting" && s.Offers == nil && s.Paged == nil }
	for _, g := range s.Tickets {
		if g.State == "waiting" && !natural(g) {
			p.duty(s.Offers[strconv.Itoa(g.N)])
			if s.Paged == nil {
				offered--
				p.moveTo(p.start.Add(-early - time.Duration(max(offered, 0))*apart))
			}
			p.submit(g)
		}
	}
	if slices.ContainsFunc(s.Tickets, func(g given) bool { return g.State != "waiting" }) {
		p.duty(nil)
	}
	if s.Paged != nil {
		p.until(p.start, func() bool { return !p.now().Before(p.start) })
	}
	p.moveTo(p.start)
	for _, g := range s.Tickets {
		if g.State != "waiting" {
			p.submit(g)
			p.reach(g)
		}
	}
	p.duty(onDuty)
	p.quiet()
	p.listen()
	for _, g := range s.Tickets {
		if natural(g) {
			p.submit(g)
		}
	}
	for _, who := range slices.Sorted(keys(s.Asked)) {
		p.ask(who, s.Asked[who])
	}
	p.moveTo(p.start)
	p.quiet()
}

// lead is how long before the start the setup begins: long enough for the calls
// that have been made.
func (p *play) lead() time.Duration {
	if len(p.dialogue.Setup.Paged) == 0 {
		return early
	}
	var policy struct {
		Priorities map[string]struct{ Steps []struct{ After span } }
	}
	if err := json.Unmarshal(p.file.Policy, &policy); err != nil {
		p.t.Fatal(err)
	}
	lead := early
	for _, g := range p.dialogue.Setup.Tickets {
		called := len(p.dialogue.Setup.Paged[strconv.Itoa(g.N)])
		steps := policy.Priorities[priorities[g.Priority]].Steps
		if 0 < called && called <= len(steps) {
			lead = max(lead, time.Duration(steps[called-1].After)+early)
		}
	}
	return lead
}

// agents are those who get offers.
func (p *play) agents() (ids []string) {
	for _, m := range p.file.People {
		if slices.Contains(strings.Fields(strings.Trim(fmt.Sprint(m.Role), "[]")), "agent") {
			ids = append(ids, m.id)
		}
	}
	return ids
}

// duty has these agents on duty and the others away, as they say by phone.
func (p *play) duty(ids []string) {
	p.t.Helper()
	changed := false
	for _, id := range p.agents() {
		on := slices.Contains(ids, id)
		if on == p.onDuty[id] {
			continue
		}
		p.onDuty[id], changed = on, true
		word := map[bool]string{true: "back", false: "away"}[on]
		if err := p.phones.send(p.Person(id).Number, word); err != nil {
			p.t.Fatal(err)
		}
	}
	if !changed {
		return
	}
	p.quiet()
	var away []string
	if !eventually(Patience, func() bool {
		var err error
		away, err = p.rows(context.Background(), "SELECT id FROM people WHERE 'agent' = ANY(roles) AND away_until IS NOT NULL")
		return err == nil && !slices.ContainsFunc(p.agents(), func(id string) bool { return slices.Contains(away, id) == p.onDuty[id] })
	}) {
		p.t.Fatalf("on duty should be %q; away are %q", ids, away)
	}
}

// submit hands a ticket in under its number.
func (p *play) submit(g given) {
	p.t.Helper()
	if _, err := p.db.Exec(context.Background(), "SELECT setval('ticket_numbers', $1, false)", g.N); err != nil {
		p.t.Fatal(err)
	}
	status, body := p.Post("/v1/tickets", map[string]any{"subject": g.Subject, "body": g.Body, "priority": priorities[g.Priority], "requester": g.Requester}, "")
	if status != 201 || body["number"] != float64(g.N) {
		p.t.Fatalf("submit #%d: %d %v", g.N, status, body)
	}
	p.quiet()
}

// reach brings a ticket into its state. What is claimed at a later time of the day
// is claimed when the clock is there.
func (p *play) reach(g given) {
	p.t.Helper()
	owner := g.Owner
	act := func(who, verb string, text string) {
		p.Act(p.Person(who), verb, g.N, map[string]any{"text": text})
		p.quiet()
	}
	claim := func() { act(owner, "claim", "") }
	if at, err := time.Parse("15:04", g.ClaimedAt); err == nil {
		year, month, day := p.start.Date()
		claimed := time.Date(year, month, day, at.Hour(), at.Minute(), 0, 0, time.UTC)
		if claimed.After(p.now()) && g.State == "claimed" {
			p.late = &later{claimed, claim}
			return
		}
	}
	if g.State == "cancelled" {
		act(g.Requester, "withdraw", "")
		return
	}
	claim()
	switch g.State {
	case "waiting-for-requester":
		if g.Question == "" {
			g.Question = "Which one is it?"
		}
		act(owner, "ask", g.Question)
	case "resolved", "closed":
		act(owner, "resolve", "")
	}
	if g.State == "closed" {
		act(owner, "close", "")
	}
}

// later is a deed of the setup for after the start.
type later struct {
	at time.Time
	do func()
}

// asks are the texts that bring a question about; those that a ticket's state
// brings are empty.
var asks = map[string]string{
	"req_done": "", "req_question": "",
	"done_not_taken": "done %d", "req_withdraw": "withdraw %d", "snooze_when": "snooze %d", "err_text": "note %d", "which_offer": "yes",
}

// ask makes a question pending.
func (p *play) ask(who, question string) {
	p.t.Helper()
	message, number, _ := strings.Cut(question, " ")
	text, known := asks[message]
	if !known {
		p.t.Fatalf("this runner cannot have %q asked", question)
	}
	if text != "" {
		n, _ := strconv.Atoi(number)
		if strings.Contains(text, "%d") {
			text = fmt.Sprintf(text, n)
		}
		p.say(step{Who: who, Via: "sms", Text: text})
	}
	if !p.until(p.now(), func() bool {
		rows, err := p.rows(context.Background(), "SELECT reason FROM deliveries WHERE person = $1 AND reason = $2", who, message)
		return err == nil && len(rows) > 0
	}) {
		p.t.Fatalf("%s was not asked %q", who, question)
	}
}

// join logs those in who are in IM from the start: whoever a step first speaks of
// by IM.
func (p *play) join() {
	p.t.Helper()
	known := map[string]bool{}
	see := func(who, via string) {
		if who == "" || known[who] {
			return
		}
		known[who] = true
		if via == "im" {
			p.chatOf(who)
		}
	}
	var walk func(steps []step)
	walk = func(steps []step) {
		for _, s := range steps {
			switch s.Kind {
			case stepIn:
				see(s.Who, s.Via)
			case stepOut:
				see(s.To, s.Via)
			case stepOneOf:
				for _, choice := range s.Choices {
					walk(choice)
				}
			}
		}
	}
	walk(p.dialogue.Steps)
}

// chatOf is the chat of a person, or of a stranger with this JID.
func (p *play) chatOf(who string) *Chat {
	p.t.Helper()
	if !strings.Contains(who, "@") {
		person := p.Person(who)
		before := person.chat
		c := person.Chat()
		if before == nil { // what was kept for them is older than this dialogue
			if err := c.ping(); err != nil {
				p.t.Fatal(err)
			}
			c.begin()
		}
		return c
	}
	if c := p.guests[who]; c != nil {
		return c
	}
	c, err := login(p.Ready, who, p.account(who))
	if err != nil {
		p.t.Fatal(err)
	}
	c.Wire = &Wire{t: p.t, who: who, history: c.history, write: c.say, seen: map[string]bool{}}
	p.guests[who] = c
	return c
}

// account makes an account for a JID that is nobody's, and returns its password. The
// server reads accounts when somebody logs in.
func (p *play) account(jid string) string {
	p.t.Helper()
	const password = "stranger"
	local, domain, _ := strings.Cut(jid, "@")
	data := filepath.Join(p.State, "prosody", "data")
	folder := filepath.Join(data, strings.ReplaceAll(domain, ".", "%2e"), "accounts")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		p.t.Fatal(err)
	}
	path := filepath.Join(folder, local+".dat")
	if err := os.WriteFile(path, fmt.Appendf(nil, "return { [\"password\"] = %q; };\n", password), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if info, err := os.Stat(data); err == nil {
		owner := info.Sys().(*syscall.Stat_t)
		for _, made := range []string{filepath.Dir(folder), folder, path} {
			_ = os.Chown(made, int(owner.Uid), int(owner.Gid)) // only root may, and only root must
		}
	}
	return password
}
