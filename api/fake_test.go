package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/signin"
	"deskbell/ticket"
)

// fakeDesk keeps tickets in memory and decides by the real rules.
type fakeDesk struct {
	mu        sync.Mutex
	now       time.Time
	tickets   []ticket.Ticket // number 100 first
	lines     map[int][]desk.Line
	keys      map[string]storedRequest
	commands  map[string]ticket.Ticket // outcome by command id
	done      int                      // commands that reached a ticket
	fail      error                    // what every call returns, when set
	overrides []roster.RecordedOverride
	tokens    []desk.Token
	webhooks  []desk.Webhook
	incidents []desk.Incident
	files     []desk.Attachment
	content   [][]byte
	rota      []roster.Rotation
	feeds     map[string]string // person by token
	entries   map[string]desk.Entry
}

type storedRequest struct {
	hash   string
	number int
	status int
	body   []byte
}

var people = map[string]roster.Person{
	"ann":  {ID: "ann", Name: "Ann Ode", Roles: roster.Roles{roster.Requester}},
	"rob":  {ID: "rob", Name: "Rob Quist", Roles: roster.Roles{roster.Requester}},
	"bob":  {ID: "bob", Name: "Bob Ray", Roles: roster.Roles{roster.Agent}},
	"eve":  {ID: "eve", Name: "Eve Lund", Roles: roster.Roles{roster.Agent, roster.OnCallee}},
	"mia":  {ID: "mia", Name: "Mia Kerr", Roles: roster.Roles{roster.Manager}},
	"root": {ID: "root", Name: "Root", Roles: roster.Roles{roster.Admin}},
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newFake() *fakeDesk {
	f := &fakeDesk{now: noon}
	f.reset()
	return f
}

// reset forgets everything.
func (f *fakeDesk) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.overrides, f.rota, f.feeds = nil, nil, map[string]string{}
	f.entries = map[string]desk.Entry{}
	for id, p := range people {
		f.entries[id] = desk.Entry{Person: p, Version: 1}
	}
	f.tokens, f.webhooks, f.files, f.content, f.incidents = nil, nil, nil, nil, nil
	f.tickets, f.lines, f.keys, f.commands = nil, map[int][]desk.Line{}, map[string]storedRequest{}, map[string]ticket.Ticket{}
}

func (f *fakeDesk) door() *signin.Door { return signin.New(signin.Config{Clock: f}, f) }

func (f *fakeDesk) Now() time.Time { return f.now }

func (f *fakeDesk) Why(_ context.Context, number int) (desk.WhyView, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil || number-100 >= len(f.tickets) {
		return desk.WhyView{}, cmp.Or(err, desk.ErrNotFound)
	}
	view := desk.WhyView{Number: number, Status: f.tickets[number-100].Status, Next: "nothing by itself"}
	for _, l := range f.lines[number] {
		view.Decisions = append(view.Decisions, desk.DecisionView{Seq: l.Seq, At: l.At, Actor: l.Actor, Event: ticket.Kind(l.Event), What: l.Event})
	}
	return view, nil
}

func (f *fakeDesk) lock() (func(), error) {
	f.mu.Lock()
	return f.mu.Unlock, f.fail
}

func (f *fakeDesk) Submit(_ context.Context, s desk.Submission) (ticket.Ticket, bool, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil {
		return ticket.Ticket{}, false, err
	}
	who, ok := people[s.Requester]
	if !ok {
		return ticket.Ticket{}, false, &desk.InvalidError{Field: "requester", Problem: "no such person"}
	}
	if old, ok := f.keys[s.Scope+"/"+s.Key]; s.Key != "" && ok {
		if old.hash != s.Hash {
			return ticket.Ticket{}, false, desk.ErrKeyReused
		}
		return f.tickets[old.number-100], true, nil
	}
	number := 100 + len(f.tickets)
	f.keys[s.Scope+"/"+s.Key] = storedRequest{hash: s.Hash, number: number}
	t, events := ticket.Open(ticket.Opening{Number: number, Subject: s.Subject, Body: s.Body, Requester: ticket.Party{ID: who.ID, Name: who.Name},
		Channel: s.Channel, Priority: s.Priority, CreatedAt: f.now, Plan: ticket.Plan{Wave: ticket.Wave{Size: 2, Every: time.Minute}, Lease: time.Hour, AutoClose: 72 * time.Hour}}, f.now)
	f.tickets = append(f.tickets, t)
	f.tell(number, events)
	return t, false, nil
}

// tick has happen what is due by now.
func (f *fakeDesk) tick(number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, events, err := ticket.Apply(f.tickets[number-100], ticket.Tick(), f.now)
	if err != nil {
		panic(err)
	}
	f.tickets[number-100] = t
	f.tell(number, events)
}

func (f *fakeDesk) tell(number int, events []ticket.Event) {
	for _, e := range events {
		f.lines[number] = append(f.lines[number], desk.Line{Seq: e.Seq, At: e.At.In(time.FixedZone("X", 3600)), Actor: e.Actor.ID, Channel: e.Channel, Event: string(e.Kind), Text: e.Text})
	}
}

func (f *fakeDesk) Do(_ context.Context, a desk.Act) (ticket.Ticket, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil {
		return ticket.Ticket{}, err
	}
	if t, ok := f.commands[a.ID]; ok {
		return t, nil
	}
	i := a.Number - 100
	if i < 0 || i >= len(f.tickets) {
		return ticket.Ticket{}, desk.ErrNotFound
	}
	c := ticket.Command{ID: a.ID, Verb: a.Verb, Actor: ticket.Party{ID: a.Person.ID, Name: a.Person.Name}, Works: a.Person.Works(), Manages: a.Person.Is(roster.Manager),
		Version: a.Version, Channel: a.Channel, Text: a.Text, Until: a.Until, Priority: a.Priority, Confirmed: a.Verb == ticket.Withdraw}
	if a.To != "" && a.Verb == ticket.Merge {
		if c.Number, err = strconv.Atoi(a.To); err != nil {
			return ticket.Ticket{}, &desk.InvalidError{Field: "to", Problem: "not a ticket's number"}
		}
	} else if a.To != "" {
		to, ok := people[a.To]
		if !ok {
			return ticket.Ticket{}, &desk.InvalidError{Field: "to", Problem: "no such person"}
		}
		c.To = ticket.Party{ID: to.ID, Name: to.Name}
	}
	t, events, err := ticket.Apply(f.tickets[i], c, f.now)
	f.done++
	if err != nil {
		return ticket.Ticket{}, fmt.Errorf("apply: %w", err)
	}
	f.tickets[i], f.commands[a.ID] = t, t
	f.tell(a.Number, events)
	return t, nil
}

func (f *fakeDesk) Ticket(_ context.Context, number int) (ticket.Ticket, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil {
		return ticket.Ticket{}, err
	}
	if i := number - 100; i >= 0 && i < len(f.tickets) {
		return f.tickets[i], nil
	}
	return ticket.Ticket{}, fmt.Errorf("ticket %d: %w", number, desk.ErrNotFound)
}

func (f *fakeDesk) Tickets(_ context.Context, q desk.Filter) ([]ticket.Ticket, string, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil {
		return nil, "", err
	}
	before := 1 << 30
	if q.Cursor != "" {
		if before, err = strconv.Atoi(q.Cursor); err != nil {
			return nil, "", &desk.InvalidError{Field: "cursor", Problem: "not one of ours"}
		}
	}
	var list []ticket.Ticket
	for _, t := range slices.Backward(f.tickets) {
		fits := t.Number < before && (len(q.Status) == 0 || slices.Contains(q.Status, t.Status)) &&
			(q.Assignee == "" || q.Assignee == t.Assignee.ID) && (q.Requester == "" || q.Requester == t.Requester.ID) &&
			(q.Words == "" || strings.Contains(t.Subject, q.Words)) && (len(q.Priority) == 0 || slices.Contains(q.Priority, t.Priority))
		if fits && len(list) == q.Limit {
			return list, strconv.Itoa(list[len(list)-1].Number), nil
		}
		if fits {
			list = append(list, t)
		}
	}
	return list, "", nil
}

func (f *fakeDesk) Timeline(_ context.Context, number int) ([]desk.Line, error) {
	unlock, err := f.lock()
	defer unlock()
	return f.lines[number], err
}

func (f *fakeDesk) Agents(context.Context) ([]desk.AgentView, error) {
	unlock, err := f.lock()
	defer unlock()
	return []desk.AgentView{{ID: "bob", Name: "Bob Ray", Presence: "available", Since: noon.In(time.FixedZone("X", 3600))}, {ID: "eve", Name: "Eve Lund", Presence: "away", Reason: "lunch", Holding: []int{100}}}, err
}

func (f *fakeDesk) OnCall(context.Context) (desk.OnCallView, error) {
	unlock, err := f.lock()
	defer unlock()
	return desk.OnCallView{Until: noon.Add(time.Hour), People: []string{"eve"}}, err
}

func (f *fakeDesk) Rotations(context.Context) ([]roster.Rotation, error) {
	unlock, err := f.lock()
	defer unlock()
	return f.rota, err
}

func (f *fakeDesk) SetRotation(_ context.Context, r roster.Rotation, _ string) error {
	unlock, err := f.lock()
	defer unlock()
	if field, problem := r.Problem([]roster.Person{people["bob"], people["eve"]}); err == nil && field != "" {
		err = &desk.InvalidError{Field: field, Problem: problem}
	}
	if err == nil {
		f.rota = append(f.rota, r)
	}
	return err
}

func (f *fakeDesk) RemoveRotation(_ context.Context, group, name, _ string) error {
	unlock, err := f.lock()
	defer unlock()
	i := slices.IndexFunc(f.rota, func(r roster.Rotation) bool { return r.Group == group && r.Name == name })
	if err != nil || i < 0 {
		return cmp.Or(err, desk.ErrNotFound)
	}
	f.rota = slices.Delete(f.rota, i, i+1)
	return nil
}

func (f *fakeDesk) RotaHistory(context.Context) ([]roster.Change, error) {
	unlock, err := f.lock()
	defer unlock()
	return []roster.Change{{ID: 1, At: f.now, By: "mia", Group: "it", Name: "primary"}}, err
}

func (f *fakeDesk) Feed(_ context.Context, person string) (string, error) {
	unlock, err := f.lock()
	defer unlock()
	if _, known := people[person]; err != nil || !known {
		return "", cmp.Or(err, desk.ErrNotFound)
	}
	f.feeds["secret-of-"+person] = person
	return "https://desk.example.org/feeds/secret-of-" + person + ".ics", nil
}

func (f *fakeDesk) RemoveFeed(_ context.Context, person string) error {
	unlock, err := f.lock()
	defer unlock()
	if _, there := f.feeds["secret-of-"+person]; err != nil || !there {
		return cmp.Or(err, desk.ErrNotFound)
	}
	delete(f.feeds, "secret-of-"+person)
	return nil
}

func (f *fakeDesk) FeedCalendar(_ context.Context, token string) (calendar, version string, err error) {
	unlock, err := f.lock()
	defer unlock()
	person, there := f.feeds[token]
	if err != nil || !there {
		return "", "", cmp.Or(err, desk.ErrNotFound)
	}
	return "BEGIN:VCALENDAR " + person, "1", nil
}

func (f *fakeDesk) Overrides(context.Context) ([]roster.RecordedOverride, error) {
	unlock, err := f.lock()
	defer unlock()
	return f.overrides, err
}

func (f *fakeDesk) AddOverride(_ context.Context, o roster.Override, by string) (roster.RecordedOverride, error) {
	unlock, err := f.lock()
	defer unlock()
	r := roster.RecordedOverride{ID: int64(len(f.overrides) + 1), Override: o, AddedBy: by, AddedAt: f.now}
	if err == nil && o.Person == o.Instead {
		err = &desk.InvalidError{Field: "person", Problem: "name somebody else"}
	}
	if err == nil {
		f.overrides = append(f.overrides, r)
	}
	return r, err
}

func (f *fakeDesk) RemoveOverride(_ context.Context, id int64, by string) (roster.RecordedOverride, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil || id > int64(len(f.overrides)) {
		return roster.RecordedOverride{}, cmp.Or(err, desk.ErrNotFound)
	}
	r := &f.overrides[id-1]
	r.RemovedBy, r.RemovedAt = by, f.now
	return *r, nil
}

func (f *fakeDesk) Person(_ context.Context, id string) (roster.Person, error) {
	p, ok := people[id]
	if !ok {
		return p, desk.ErrNotFound
	}
	return p, nil
}

// Authenticate takes a person's id with "-token" behind it; root's has the scope.
func (f *fakeDesk) Authenticate(_ context.Context, secret string) (desk.Caller, error) {
	for id, p := range people {
		if secret == id+"-token" {
			c := desk.Caller{Person: p, Channel: "rest"}
			if id == "root" {
				c.Scopes = []string{"admin"}
			}
			return c, nil
		}
	}
	return desk.Caller{}, desk.ErrUnknownToken
}

// Session takes a person's id with "-session" behind it.
func (f *fakeDesk) Session(_ context.Context, secret string) (desk.Caller, string, error) {
	if p, ok := people[strings.TrimSuffix(secret, "-session")]; ok {
		return desk.Caller{Person: p, Channel: "web"}, "", nil
	}
	return desk.Caller{}, "", desk.ErrSignedOut
}

func (f *fakeDesk) StartSession(context.Context, string) (string, error)    { panic("not here") }
func (f *fakeDesk) EndSession(context.Context, string) error                { panic("not here") }
func (f *fakeDesk) AskLink(string, string) error                            { panic("not here") }
func (f *fakeDesk) UseLink(context.Context, string) (string, string, error) { panic("not here") }

func (f *fakeDesk) BeginRequest(_ context.Context, scope, key, hash string) (int, []byte, bool, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil {
		return 0, nil, false, err
	}
	old, ok := f.keys[scope+"/"+key]
	if ok && old.hash != hash {
		return 0, nil, false, desk.ErrKeyReused
	}
	if !ok {
		f.keys[scope+"/"+key] = storedRequest{hash: hash}
	}
	return old.status, old.body, old.status != 0, nil
}

func (f *fakeDesk) ClaimRequest(_ context.Context, scope, key, hash string) (int, []byte, bool, error) {
	unlock, err := f.lock()
	defer unlock()
	old, ok := f.keys[scope+"/"+key]
	switch {
	case err != nil:
		return 0, nil, false, err
	case ok && old.hash != hash:
		return 0, nil, false, desk.ErrKeyReused
	case ok && old.status == 0:
		return 0, nil, false, desk.ErrBusy
	}
	if !ok {
		f.keys[scope+"/"+key] = storedRequest{hash: hash}
	}
	return old.status, old.body, ok, nil
}

func (f *fakeDesk) DropRequest(_ context.Context, scope, key string) error {
	unlock, err := f.lock()
	defer unlock()
	delete(f.keys, scope+"/"+key)
	return err
}

func (f *fakeDesk) CreateToken(_ context.Context, by desk.Caller, t desk.Token) (desk.Token, string, error) {
	unlock, err := f.lock()
	defer unlock()
	if err == nil && slices.Contains(t.Scopes, "admin") && !by.May(desk.AsAdmin) {
		err = &desk.InvalidError{Field: "scopes", Problem: "not yours to give"}
	}
	if err != nil {
		return desk.Token{}, "", err
	}
	t.ID, t.Person, t.CreatedAt, t.CreatedBy = int64(len(f.tokens)+1), cmp.Or(t.Person, by.Person.ID), f.now, by.Person.ID
	f.tokens = append(f.tokens, t)
	return t, fmt.Sprintf("dbl_%d", t.ID), nil
}

func (f *fakeDesk) Tokens(_ context.Context, by desk.Caller, _ string, below int64) ([]desk.Token, bool, error) {
	unlock, err := f.lock()
	defer unlock()
	if below > 0 {
		return f.tokens[:below-1], false, err
	}
	return f.tokens, len(f.tokens) > 1, err
}

func (f *fakeDesk) RevokeToken(_ context.Context, by desk.Caller, id int64) (desk.Token, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil || id > int64(len(f.tokens)) {
		return desk.Token{}, cmp.Or(err, desk.ErrNotFound)
	}
	t := &f.tokens[id-1]
	t.RevokedAt, t.RevokedBy = f.now, by.Person.ID
	return *t, nil
}

func (f *fakeDesk) CreateWebhook(_ context.Context, by desk.Caller, url string, events []ticket.Kind) (desk.Webhook, string, error) {
	unlock, err := f.lock()
	defer unlock()
	if err == nil && !strings.HasPrefix(url, "https://") {
		err = &desk.InvalidError{Field: "url", Problem: "not there"}
	}
	if err != nil {
		return desk.Webhook{}, "", err
	}
	w := desk.Webhook{ID: int64(len(f.webhooks) + 1), URL: url, Events: events, CreatedBy: by.Person.ID, CreatedAt: f.now}
	f.webhooks = append(f.webhooks, w)
	return w, "whsec_1", nil
}

func (f *fakeDesk) Webhooks(context.Context) ([]desk.Webhook, error) {
	unlock, err := f.lock()
	defer unlock()
	return f.webhooks, err
}

func (f *fakeDesk) EndWebhook(_ context.Context, _ desk.Caller, id int64) (desk.Webhook, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil || id > int64(len(f.webhooks)) {
		return desk.Webhook{}, cmp.Or(err, desk.ErrNotFound)
	}
	f.webhooks[id-1].EndedAt = f.now
	return f.webhooks[id-1], nil
}

func (f *fakeDesk) WebhookLog(_ context.Context, id, below int64) ([]desk.WebhookTry, bool, error) {
	unlock, err := f.lock()
	defer unlock()
	return []desk.WebhookTry{{ID: 7, Ticket: 100, Seq: int(id), State: "failed", Attempts: 3, Status: 500, Why: "the receiver answered 500"}}, below == 0, err
}

func (f *fakeDesk) Attach(_ context.Context, by desk.Caller, number int, name string, content []byte) (desk.Attachment, error) {
	unlock, err := f.lock()
	defer unlock()
	if err == nil && len(content) > desk.MaxFile {
		err = &desk.InvalidError{Field: "body", Problem: "too large"}
	}
	if err != nil {
		return desk.Attachment{}, err
	}
	a := desk.Attachment{ID: fmt.Sprint("F", len(f.files)+1), Ticket: number, Name: name, Type: "text/plain", Size: len(content), AddedBy: by.Person.ID, AddedAt: f.now}
	f.files = append(f.files, a)
	f.content = append(f.content, content)
	return a, nil
}

func (f *fakeDesk) Attachments(_ context.Context, number int) (list []desk.Attachment, err error) {
	unlock, err := f.lock()
	defer unlock()
	for _, a := range f.files {
		if a.Ticket == number {
			list = append(list, a)
		}
	}
	return list, err
}

func (f *fakeDesk) Attachment(_ context.Context, number int, id string) (desk.Attachment, []byte, error) {
	unlock, err := f.lock()
	defer unlock()
	for i, a := range f.files {
		if a.Ticket == number && a.ID == id {
			return a, f.content[i], err
		}
	}
	return desk.Attachment{}, nil, cmp.Or(err, desk.ErrNotFound)
}

func (f *fakeDesk) Detach(ctx context.Context, _ desk.Caller, number int, id string) error {
	_, _, err := f.Attachment(ctx, number, id)
	return err
}

func (f *fakeDesk) Incidents(context.Context) ([]desk.Incident, error) {
	unlock, err := f.lock()
	defer unlock()
	return slices.Clone(f.incidents), err
}

func (f *fakeDesk) incident(number int) (*desk.Incident, error) {
	i := slices.IndexFunc(f.incidents, func(i desk.Incident) bool { return i.Ticket == number })
	if f.fail != nil || i < 0 {
		return nil, cmp.Or(f.fail, desk.ErrNotFound)
	}
	return &f.incidents[i], nil
}

func (f *fakeDesk) Announce(_ context.Context, by desk.Caller, number int, words string) (desk.Incident, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil || number-100 >= len(f.tickets) {
		return desk.Incident{}, cmp.Or(err, desk.ErrNotFound)
	}
	if !f.tickets[number-100].Status.Open() {
		return desk.Incident{}, &ticket.Refusal{Message: "take_closed"}
	}
	f.incidents = append(f.incidents, desk.Incident{Ticket: number, Words: words, By: by.Person.ID, Since: f.now, Requester: f.tickets[number-100].Requester.ID})
	return f.incidents[len(f.incidents)-1], nil
}

func (f *fakeDesk) WithdrawIncident(_ context.Context, _ desk.Caller, number int) error {
	unlock, _ := f.lock()
	defer unlock()
	_, err := f.incident(number)
	f.incidents = slices.DeleteFunc(f.incidents, func(i desk.Incident) bool { return i.Ticket == number })
	return err
}

func (f *fakeDesk) JoinIncident(_ context.Context, by desk.Caller, number int) (desk.Incident, error) {
	unlock, _ := f.lock()
	defer unlock()
	i, err := f.incident(number)
	if err != nil {
		return desk.Incident{}, err
	}
	if !i.Affects(by.Person.ID) {
		i.Affected = append(i.Affected, by.Person.ID)
	}
	return *i, nil
}

func (f *fakeDesk) Directory(_ context.Context, q desk.DirectoryFilter) (list []desk.Entry, next string, err error) {
	unlock, err := f.lock()
	defer unlock()
	for id, e := range f.entries {
		if q.Role == "" || e.Is(q.Role) {
			list = append(list, f.entries[id])
		}
	}
	slices.SortFunc(list, func(a, b desk.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return list, "c2", err
}

func (f *fakeDesk) Entry(_ context.Context, id string) (desk.Entry, error) {
	unlock, err := f.lock()
	defer unlock()
	e, ok := f.entries[id]
	if err != nil || !ok {
		return e, cmp.Or(err, desk.ErrNotFound)
	}
	return e, nil
}

func (f *fakeDesk) AddPerson(_ context.Context, by desk.Caller, p roster.Person) (desk.Entry, error) {
	unlock, err := f.lock()
	defer unlock()
	switch {
	case err == nil && p.Is(roster.Admin) && !by.May(desk.AsAdmin):
		err = desk.ErrNotAllowed
	case err == nil && f.entries[p.ID].ID != "":
		err = &desk.InvalidError{Field: "id", Problem: "somebody else has it"}
	}
	if err != nil {
		return desk.Entry{}, err
	}
	p.PIN = ""
	f.entries[p.ID] = desk.Entry{Person: p, Version: 1}
	return f.entries[p.ID], nil
}

func (f *fakeDesk) EditPerson(_ context.Context, by desk.Caller, id string, version int, edit desk.EntryEdit) (desk.Entry, error) {
	unlock, err := f.lock()
	defer unlock()
	e, ok := f.entries[id]
	switch {
	case err != nil:
	case !ok || by.Person.ID != id && !by.May(desk.AsManager):
		err = desk.ErrNotFound
	case version != 0 && version != e.Version:
		err = desk.ErrChanged
	}
	if err != nil {
		return desk.Entry{}, err
	}
	if edit.Phone != nil {
		e.Phone = *edit.Phone
	}
	if edit.Active != nil {
		e.Inactive = !*edit.Active
	}
	e.Version++
	f.entries[id] = e
	return e, nil
}

func (f *fakeDesk) Record(_ context.Context, person string) (desk.Record, error) {
	unlock, err := f.lock()
	defer unlock()
	p, ok := people[person]
	if err != nil || !ok {
		return desk.Record{}, cmp.Or(err, desk.ErrNotFound)
	}
	return desk.Record{Person: p}, nil
}

func (f *fakeDesk) Erase(_ context.Context, _ desk.Caller, person string) (string, error) {
	unlock, err := f.lock()
	defer unlock()
	switch {
	case err != nil:
		return "", err
	case people[person].ID == "":
		return "", desk.ErrNotFound
	case people[person].Works():
		return "", &desk.InvalidError{Field: "id", Problem: "is in a rotation"}
	}
	return "erased-1", nil
}

func (f *fakeDesk) Audit(_ context.Context, q desk.AuditFilter) ([]desk.Audit, string, error) {
	unlock, err := f.lock()
	defer unlock()
	return []desk.Audit{{At: f.now, Actor: cmp.Or(q.Actor, "root"), Channel: "rest", Act: "token.created", Subject: "token 1"}}, "c1", err
}

func (f *fakeDesk) FinishRequest(_ context.Context, scope, key string, status int, body []byte) error {
	unlock, err := f.lock()
	defer unlock()
	old := f.keys[scope+"/"+key]
	old.status, old.body = status, body
	f.keys[scope+"/"+key] = old
	return err
}

func (f *fakeDesk) Ready(context.Context) map[string]error {
	unlock, err := f.lock()
	defer unlock()
	return map[string]error{"database": err, "temporal": nil}
}

// Rehearse is a rehearsal with a hole.
func (f *fakeDesk) Rehearse(_ context.Context, p ticket.Priority, group string, at time.Time) (desk.RehearsalView, error) {
	after := func(minutes int) time.Time { return at.Add(time.Duration(minutes) * time.Minute) }
	return desk.RehearsalView{Priority: p, Group: group, At: at, Until: after(40), Holes: 1, Lines: []desk.RehearsedLine{
		{At: at, Person: "bob", Name: "Bob", Channel: "im", Message: "offer"},
		{At: after(5), Person: "bob", Name: "Bob", Channel: "im", Message: "reminder"},
		{At: after(15), Person: "eve", Name: "Eve <b>", Channel: "sms", Message: "page"},
		{At: after(15), Person: "eve", Name: "Eve <b>", Channel: "im", Message: "page"},
		{At: after(25), Hole: "nobody is next on call"},
		{At: after(40), Person: "mia", Name: "Mia", Channel: "sms", Message: "mgr_nobody"},
	}}, f.fail
}
