package desk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/activities"
	"deskbell/command"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/ticket"
)

// listed is how many tickets a list names by SMS; IM shows as many lines.
const listed = 10

// query answers what is only a question.
func (t *turn) query(ctx context.Context, q command.Query) error {
	switch q.Kind {
	case command.QueryShow:
		tk, known, err := t.known(ctx, q.Ticket)
		if err != nil || !known {
			return err
		}
		return t.about(ctx, tk, "show")
	case command.QueryList:
		return t.list(ctx, q.Page)
	case command.QueryMine:
		return t.mine(ctx)
	case command.QueryStatus:
		if t.person.Works() && q.Ticket == 0 {
			return t.deskStatus(ctx)
		}
		return t.requestStatus(ctx, q.Ticket)
	case command.QueryWho:
		return t.who(ctx)
	case command.QueryOncall:
		return t.oncall(ctx)
	case command.QueryNext:
		return t.next(ctx, 0)
	case command.QueryHelp:
		if t.person.Works() {
			return t.say(ctx, "help_agent", nil, nil)
		}
		return t.say(ctx, "req_help", nil, nil)
	case command.QueryHelpMore:
		return t.say(ctx, "help_more", nil, nil)
	case command.QueryWhy:
		return t.why(ctx, q.Ticket)
	}
	return fmt.Errorf("unknown question %q", q.Kind)
}

// about answers with a text that speaks of one ticket.
func (t *turn) about(ctx context.Context, tk ticket.Ticket, message ticket.Message) error {
	to := ticket.Party{ID: t.person.ID, Name: t.person.Name, Via: string(t.row.Channel)}
	n := ticket.Notice{Key: "answer/" + t.row.Key, To: to, Message: message, Who: tk.Assignee, At: tk.ClaimedAt, Until: cmp.Or(tk.Until, tk.ExpectedAt()), Text: tk.Question, Answers: t.row.Key}
	if tk.Status == ticket.Resolved {
		n.At = tk.ResolvedAt
	} else if tk.Status == ticket.Closed || tk.Status == ticket.Cancelled {
		n.At = tk.ClosedAt
	}
	_, err := t.desk.words.Notify(ctx, activities.NotifyInput{Ticket: tk, Notices: []ticket.Notice{n}, Now: t.context.Now})
	return err
}

func (t *turn) list(ctx context.Context, page int) error {
	waiting := t.context.Waiting
	if len(waiting) == 0 {
		return t.say(ctx, "list_none", map[string]string{"list": t.held()}, nil)
	}
	from := min((max(page, 1)-1)*listed, len(waiting)-1)
	shown := waiting[from:min(from+listed, len(waiting))]
	return t.say(ctx, "list", t.several(len(waiting), shown), nil)
}

func (t *turn) mine(ctx context.Context) error {
	if !t.person.Works() {
		return t.requestStatus(ctx, 0)
	}
	held := slices.Clone(t.context.Held)
	for i, h := range held {
		switch {
		case h.Late:
			held[i].Subject = notice.LateSince(h.Expected, t.context.Now, t.desk.Zone, t.person.Language) + h.Subject
		case !h.Expected.IsZero():
			held[i].Subject = notice.Until(h.Expected, t.context.Now, t.desk.Zone, t.person.Language) + h.Subject
		}
	}
	if len(held) == 0 {
		return t.say(ctx, "mine_none", map[string]string{"count": strconv.Itoa(len(t.context.Waiting))}, nil)
	}
	return t.say(ctx, "mine", t.several(len(held), held), nil)
}

func (t *turn) several(count int, list []command.Ticket) map[string]string {
	return map[string]string{"count": strconv.Itoa(count), "list": notice.List(items(list)...), "lines": notice.Lines(items(list)...)}
}

func (t *turn) held() string { return notice.List(items(t.context.Held)...) }

// deskStatus is the queue in one line.
func (t *turn) deskStatus(ctx context.Context) error {
	counts, err := t.desk.Store.Counts(ctx)
	if err != nil {
		return err
	}
	members, err := t.desk.Store.Members(ctx)
	if err != nil {
		return err
	}
	agents, free := 0, 0
	for _, m := range members {
		if !m.Is(roster.Agent) {
			continue
		}
		agents++
		if len(m.Holding) == 0 && !m.Away(t.context.Now) {
			free++
		}
	}
	age := time.Duration(0)
	if counts.New > 0 {
		age = t.context.Now.Sub(counts.Oldest)
	}
	return t.say(ctx, "status_agent", map[string]string{
		"count": strconv.Itoa(counts.New), "count2": strconv.Itoa(counts.Assigned + counts.Pending), "count3": strconv.Itoa(free), "count4": strconv.Itoa(agents),
		"age": notice.Age(age, t.person.Language), "list": t.held(),
	}, nil)
}

// statusTexts are the answers to "where is my request".
var statusTexts = map[ticket.Status]ticket.Message{
	ticket.New: "req_status_waiting", ticket.Assigned: "req_status_claimed", ticket.Resolved: "req_status_done", ticket.Closed: "req_status_done", ticket.Cancelled: "take_withdrawn",
}

func (t *turn) requestStatus(ctx context.Context, number int) error {
	if number == 0 {
		var open []command.Ticket
		for _, o := range t.context.Own {
			if o.Status.Open() {
				open = append(open, o)
			}
		}
		switch {
		case len(open) > 1:
			return t.say(ctx, "req_status_many", t.several(len(open), open), nil)
		case len(open) == 1:
			number = open[0].Number
		case len(t.context.Own) > 0 && t.context.Own[0].Status == ticket.Resolved:
			number = t.context.Own[0].Number
		default:
			return t.say(ctx, "req_status_none", nil, nil)
		}
	}
	tk, known, err := t.known(ctx, number)
	if err != nil || !known {
		return err
	}
	message, ok := statusTexts[tk.Status]
	if !ok {
		message = "req_status_planned"
		if tk.WaitingFor() == "requester" {
			message = "req_status_answer"
		}
	}
	return t.about(ctx, tk, message)
}

// who tells who is free, who is on what and who is away.
func (t *turn) who(ctx context.Context) error {
	members, err := t.desk.Store.Members(ctx)
	if err != nil {
		return err
	}
	var free, busy, away []string
	for _, m := range members {
		switch {
		case !m.Is(roster.Agent):
		case m.Away(t.context.Now):
			away = append(away, m.Name)
		case len(m.Holding) > 0:
			numbers := make([]string, len(m.Holding))
			for i, n := range m.Holding {
				numbers[i] = "#" + strconv.Itoa(n)
			}
			busy = append(busy, m.Name+" "+strings.Join(numbers, ", "))
		default:
			free = append(free, m.Name)
		}
	}
	list2 := strings.Join(busy, ", ")
	if t.row.Channel == "im" {
		list2 = strings.Join(away, ", ")
	}
	return t.say(ctx, "who", map[string]string{"list": orNobody(strings.Join(free, ", ")), "lines": orNobody(strings.Join(busy, ", ")), "list2": orNobody(list2)}, nil)
}

func orNobody(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (t *turn) oncall(ctx context.Context) error {
	view, err := t.desk.OnCall(ctx)
	if err != nil {
		return err
	}
	names := make([]string, 0, 2)
	for _, id := range view.People[:min(len(view.People), 2)] {
		p, err := t.desk.Store.Person(ctx, id)
		if err != nil {
			return err
		}
		names = append(names, p.Name)
	}
	values := map[string]string{"date": notice.OpenEnd(t.person.Language)}
	if !view.Until.IsZero() {
		values["date"] = notice.At(view.Until, t.context.Now, t.desk.Zone, t.person.Language)
	}
	switch len(names) {
	case 0:
		return t.say(ctx, "oncall_none", nil, nil)
	case 1:
		values["who"] = names[0]
		return t.say(ctx, "oncall_one", values, nil)
	}
	values["who"], values["who2"] = names[0], names[1]
	return t.say(ctx, "oncall", values, nil)
}

// next takes the first waiting ticket that can be had, under one command id: driven
// again it begins with the one that it tried last.
func (t *turn) next(ctx context.Context, tried int) error {
	asked, err := t.desk.Store.Asked(ctx)
	if err != nil {
		return err
	}
	candidates := slices.DeleteFunc(slices.Clone(t.context.Waiting), func(c command.Ticket) bool {
		return c.Number == tried || slices.Contains(asked, c.Number) // somebody else has it in a moment
	})
	if tried != 0 {
		candidates = slices.Insert(candidates, 0, command.Ticket{Number: tried})
	}
	for _, candidate := range candidates {
		if err := t.decide(ctx, decision{Next: candidate.Number}, false); err != nil {
			return err
		}
		tk, err := t.desk.Do(ctx, Act{ID: t.row.Key, Person: t.person, Channel: string(t.row.Channel), Number: candidate.Number, Verb: ticket.Take, Quiet: true})
		if refusal, refused := ticket.Refused(err); refused && refusal.Message == "take_limit" {
			return t.full(ctx, candidate.Number)
		} else if refused {
			continue
		}
		if err != nil {
			return err
		}
		to := ticket.Party{ID: t.person.ID, Name: t.person.Name, Via: string(t.row.Channel)}
		n := ticket.Notice{Key: "answer/" + t.row.Key, To: to, Message: "take_ok", Who: tk.Assignee, At: tk.ClaimedAt, Answers: t.row.Key}
		_, err = t.desk.words.Notify(ctx, activities.NotifyInput{Ticket: tk, Notices: []ticket.Notice{n}, Now: t.context.Now})
		return err
	}
	return t.say(ctx, "next_none", nil, nil)
}
