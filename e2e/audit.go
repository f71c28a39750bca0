package e2e

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/mattn/go-xmpp"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
)

// evidence is what everybody who took part in a run has written down.
type evidence struct {
	ledger     []LedgerRow // the SMSC
	archive    []archived  // Prosody, of the desk's account; nil without IM
	account    string      // the desk\'s JID
	room       []archived  // Prosody, of the team's room
	roomJID    string      // empty for no room
	inbox      []inboxRow  // PostgreSQL
	deliveries []delivery  //
	projection []projected //
	histories  []chronicle // the engine, one per ticket
	submitted  []int       // what the test knows that it submitted
}

// archived is one message in the archive of the desk's account.
type archived struct{ ID, From, To, Stanza, Body string }

// inboxRow is one message that the desk has kept.
type inboxRow struct {
	Channel, Key, Sender, Text, State string
	Part                              int
}

// delivery is one message that the desk has written, with the network's ids.
type delivery struct {
	Key, Channel, Address, State, Reason, Why string
	Ticket                                    int
	Repeated                                  bool
	Wires                                     []string
}

// projected is a ticket as lists show it, and what its timeline holds.
type projected struct {
	Number, Version  int
	Status, Assignee string
	Lines            []storyLine
}

type storyLine struct {
	Seq   int
	Kind  string
	Cause string
}

// chronicle is a ticket as its workflow tells it: its state, the notices that it
// handed over and the commands that it took.
type chronicle struct {
	Number, Version  int
	Status, Assignee string
	Notices          []noticed
	Commands         []string // of signals
}

type noticed struct{ Key, Message, Via string }

// Audit collects the evidence and reconciles it. The desk must be quiet. password
// is that of the desk's chat account; without it the archive is left out.
func (d *Desk) Audit(t testing.TB, password string) *evidence {
	t.Helper()
	e, err := d.collect(t.Context(), password)
	if err != nil {
		t.Fatalf("audit: %v", err)
	}
	for _, f := range e.findings() {
		t.Errorf("audit: %s", f)
	}
	t.Logf("audit: %s", e)
	return e
}

func (e *evidence) String() string {
	wires := 0
	for _, d := range e.deliveries {
		wires += len(d.Wires)
	}
	notices := 0
	for _, h := range e.histories {
		notices += len(h.Notices)
	}
	return fmt.Sprintf("%d in the SMSC's ledger, %d in the archive, %d in the room, %d in the inbox, %d deliveries with %d segments, %d tickets, %d notices in their histories",
		len(e.ledger), len(e.archive), len(e.room), len(e.inbox), len(e.deliveries), wires, len(e.histories), notices)
}

// findings says what does not add up, one line each.
func (e *evidence) findings() []string {
	var out []string
	find := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	e.reconcileSMSC(find)
	e.reconcileArchive(find)
	e.reconcileRoom(find)
	e.reconcileTickets(find)
	for _, m := range e.inbox {
		if m.State != "finished" {
			find("message %s of %s is %s: nobody answered %q", m.Key, m.Sender, m.State, m.Text)
		}
	}
	for _, d := range e.deliveries {
		if d.State == "sending" {
			find("delivery %s hangs in the sending", d.Key)
		}
	}
	return out
}

type finder func(format string, args ...any)

// left reports whether a delivery left, as far as the desk knows.
func (d delivery) left() bool { return slices.Contains([]string{"sent", "delivered"}, d.State) }

// reconcileSMSC compares the ledger with deliveries by the network's id, and with
// the inbox by sender, part and text: SMPP 3.4 gives a message in no id.
func (e *evidence) reconcileSMSC(find finder) {
	row := map[string]LedgerRow{}
	typed := map[string]int{}
	for _, r := range e.ledger {
		row[norm(r.ID)] = r
		if r.Direction == "in" {
			if r.State != "taken" {
				find("typed on %s and never delivered: %q", r.Phone, r.Text)
			}
			typed[inKey(r.Phone, r.Text, r.Parts)]++
		}
	}
	known := map[string]string{}
	uncertain := map[string]int{} // by phone: attempts whose outcome the desk does not know
	for _, d := range e.deliveries {
		if d.Channel != "sms" {
			continue
		}
		if d.Repeated || d.State == "unknown" {
			uncertain[d.Address]++
		}
		if d.left() && len(d.Wires) == 0 {
			find("delivery %s is %s without an id of the SMSC", d.Key, d.State)
		}
		for _, w := range d.Wires {
			if former := known[norm(w)]; former != "" {
				find("message %s at the SMSC is claimed by %s and %s", w, former, d.Key)
			}
			known[norm(w)] = d.Key
			if r, ok := row[norm(w)]; !ok {
				find("delivery %s: the SMSC has no message %s", d.Key, w)
			} else if r.Phone != d.Address {
				find("delivery %s to %s went to %s", d.Key, d.Address, r.Phone)
			}
		}
	}
	for _, r := range e.ledger {
		if r.Direction == "out" && known[norm(r.ID)] == "" {
			if uncertain[r.Phone]--; uncertain[r.Phone] < 0 {
				find("message %s at the SMSC, to %s, is of no delivery: %q", r.ID, r.Phone, r.Text)
			}
		}
	}
	kept := map[string]int{}
	for _, m := range e.inbox {
		if m.Channel == "sms" && m.Part <= 1 {
			kept[inKey(m.Sender, m.Text, max(m.Part, 1))]++
		}
	}
	for key, n := range typed {
		if kept[key] != n {
			find("typed %d times, in the inbox %d times: %s", n, kept[key], key)
		}
	}
	for key, n := range kept {
		if typed[key] == 0 {
			find("in the inbox %d times and never typed: %s", n, key)
		}
	}
}

// inKey names a message in. Of a long one, whose parts the inbox keeps apart, only
// the sender counts.
func inKey(sender, text string, parts int) string {
	if parts > 1 {
		return sender + " (long)"
	}
	return sender + " " + text
}

// norm is the SMSC's part of an id, which the desk keeps with the SMSC's address.
func norm(id string) string {
	return strings.TrimLeft(strings.ToLower(id[strings.LastIndexByte(id, '/')+1:]), "0")
}

// reconcileArchive compares Prosody's archive by its ids.
func (e *evidence) reconcileArchive(find finder) {
	if e.archive == nil {
		return
	}
	inbox, wires := map[string]bool{}, map[string]string{}
	for _, m := range e.inbox {
		if m.Channel == "im" {
			inbox[m.Key] = true
		}
	}
	uncertain := map[string]int{}
	for _, d := range e.deliveries {
		if d.Channel != "im" || e.roomJID != "" && d.Address == e.roomJID {
			continue
		}
		for _, w := range d.Wires {
			wires[w] = d.Key
		}
		if d.Repeated || d.State == "unknown" {
			uncertain[bare(d.Address)]++
		}
	}
	seen := map[string]bool{}
	for _, a := range e.archive {
		if bare(a.To) == e.account {
			key := a.ID + "/" + strings.ToLower(bare(a.From))
			if !inbox[key] {
				find("%s wrote %q in the chat, and it is not in the inbox", bare(a.From), a.Body)
			}
			delete(inbox, key)
			continue
		}
		if wires[a.Stanza] == "" {
			if uncertain[bare(a.To)]--; uncertain[bare(a.To)] < 0 {
				find("message %s in the archive, to %s, is of no delivery: %q", a.Stanza, bare(a.To), a.Body)
			}
		}
		if seen[a.Stanza] {
			find("message %s in the archive, to %s, is there twice: %q", a.Stanza, bare(a.To), a.Body)
		}
		seen[a.Stanza] = true
	}
	for key := range inbox {
		find("message %s in the inbox is not in the archive", key)
	}
	for w, key := range wires {
		if !seen[w] {
			find("delivery %s: the archive has no message %s", key, w)
		}
	}
}

// reconcileRoom compares the lines that the desk has posted in the room by their ids.
func (e *evidence) reconcileRoom(find finder) {
	posted, local := map[string]int{}, e.account[:strings.IndexByte(e.account+"@", '@')]
	for _, a := range e.room {
		if _, nick, _ := strings.Cut(a.From, "/"); strings.TrimRight(nick, "_") == local {
			posted[a.Stanza]++
		}
	}
	for _, d := range e.deliveries {
		if e.roomJID == "" || d.Address != e.roomJID {
			continue
		}
		if !d.left() && d.State != "expired" {
			find("a line for the room, %s, is %s: %s", d.Key, d.State, d.Why)
		}
		for _, w := range d.Wires {
			if posted[w] != 1 {
				find("delivery %s is in the room %d times", d.Key, posted[w])
			}
			delete(posted, w)
		}
	}
	if len(posted) > 1 { // the greeting
		find("the room has %d lines of the desk's that are no delivery", len(posted))
	}
}

// wordless are the notices that have no words on a channel.
func (n noticed) wordless() bool { return n.Message == "offer_gone" && n.Via == "sms" }

// reconcileTickets compares histories, projection and deliveries.
func (e *evidence) reconcileTickets(find finder) {
	history := map[int]chronicle{}
	for _, h := range e.histories {
		history[h.Number] = h
	}
	listed := map[int]bool{}
	for _, p := range e.projection {
		listed[p.Number] = true
		h, ok := history[p.Number]
		if !ok {
			find("ticket %d has no workflow", p.Number)
			continue
		}
		if p.Version != h.Version || p.Status != h.Status || p.Assignee != h.Assignee {
			find("ticket %d is %s/%s/%d in the lists and %s/%s/%d in its workflow", p.Number, p.Status, p.Assignee, p.Version, h.Status, h.Assignee, h.Version)
		}
		done := map[string]int{}
		for i, l := range p.Lines {
			if l.Seq != i+1 {
				find("ticket %d: line %d of the timeline is number %d", p.Number, i+1, l.Seq)
				break
			}
			if l.Cause != "" {
				done[l.Kind+" by "+l.Cause]++
			}
		}
		if len(p.Lines) != p.Version {
			find("ticket %d: version %d, %d lines in the timeline", p.Number, p.Version, len(p.Lines))
		}
		for what, n := range done {
			if n > 1 {
				find("ticket %d: %s, %d times", p.Number, what, n)
			}
		}
	}
	for _, n := range e.submitted {
		if !listed[n] {
			find("ticket %d was submitted and is not in the lists", n)
		}
	}
	kept := map[string]bool{}
	for _, m := range e.inbox {
		kept[m.Key] = true
	}
	said := map[string]bool{}
	byKey := map[string]bool{}
	for _, d := range e.deliveries {
		byKey[d.Key] = true
	}
	for _, h := range e.histories {
		if !listed[h.Number] {
			find("ticket %d has a workflow and is not in the lists", h.Number)
		}
		for _, n := range h.Notices {
			said[n.Key] = true
			if !byKey[n.Key] && !n.wordless() {
				find("ticket %d: notice %s was never written", h.Number, n.Key)
			}
		}
		for _, c := range h.Commands {
			base, _, _ := strings.Cut(c, "#")
			if !kept[base] && !strings.HasPrefix(c, "lost/") {
				find("ticket %d took the command %s, which is not in the inbox", h.Number, c)
			}
		}
	}
	for _, d := range e.deliveries {
		if d.Ticket > 0 && strings.HasPrefix(d.Key, strconv.Itoa(d.Ticket)+"/") && !said[d.Key] {
			find("delivery %s is of no notice in the ticket's history", d.Key)
		}
	}
}

// collect reads everybody's books.
func (d *Desk) collect(ctx context.Context, password string) (*evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	e := &evidence{submitted: slices.Clone(d.mine), account: d.Desk}
	if d.Phones != "" {
		var err error
		if e.ledger, err = (phonesAPI{d.Phones}).rows(); err != nil {
			return nil, fmt.Errorf("the ledger: %w", err)
		}
	}
	var err error
	if e.inbox, err = table[inboxRow](ctx, d, `SELECT channel, key, sender, text, state, part_number AS part FROM inbox ORDER BY id`); err != nil {
		return nil, err
	}
	if e.deliveries, err = table[delivery](ctx, d, `SELECT key, channel, address, state, reason, why, ticket, repeated,
		ARRAY(SELECT wire FROM segments s WHERE s.delivery = d.id ORDER BY number) AS wires FROM deliveries d ORDER BY id`); err != nil {
		return nil, err
	}
	if e.projection, err = d.projected(ctx); err != nil {
		return nil, err
	}
	for _, p := range e.projection {
		h, err := d.chronicle(ctx, p.Number)
		if err != nil {
			return nil, fmt.Errorf("ticket %d: %w", p.Number, err)
		}
		e.histories = append(e.histories, h)
	}
	if password == "" {
		return e, nil
	}
	if e.archive, err = d.readArchive(ctx, password, ""); err != nil || d.Room == "" {
		return e, err
	}
	e.roomJID = d.Room
	e.room, err = d.readArchive(ctx, password, d.Room)
	return e, err
}

func table[T any](ctx context.Context, d *Desk, query string) ([]T, error) {
	rows, err := d.db.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByNameLax[T])
}

func (d *Desk) projected(ctx context.Context) ([]projected, error) {
	list, err := table[projected](ctx, d, `SELECT number, version, status, coalesce(assignee, '') AS assignee FROM tickets ORDER BY number`)
	if err != nil {
		return nil, err
	}
	lines, err := table[struct {
		Ticket int
		Doc    []byte
	}](ctx, d, `SELECT ticket, doc FROM timeline ORDER BY ticket, seq`)
	if err != nil {
		return nil, err
	}
	byTicket := map[int][]storyLine{}
	for _, l := range lines {
		var event storyLine
		if err := json.Unmarshal(l.Doc, &event); err != nil {
			return nil, err
		}
		byTicket[l.Ticket] = append(byTicket[l.Ticket], event)
	}
	for i := range list {
		list[i].Lines = byTicket[list[i].Number]
	}
	return list, nil
}

// chronicle reads all runs of a ticket's workflow.
func (d *Desk) chronicle(ctx context.Context, number int) (chronicle, error) {
	h := chronicle{Number: number}
	id := fmt.Sprintf("ticket-%d", number)
	var state struct {
		Ticket struct {
			Version  int
			Status   string
			Assignee struct{ ID string }
		}
	}
	for run := ""; ; {
		events := d.engine.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		before := ""
		for events.HasNext() {
			event, err := events.Next()
			if err != nil {
				return h, err
			}
			switch event.EventType {
			case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
				before = event.GetWorkflowExecutionStartedEventAttributes().ContinuedExecutionRunId
			case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
				signal := event.GetWorkflowExecutionSignaledEventAttributes()
				var c struct{ ID string }
				if signal.SignalName == "command" && converter.GetDefaultDataConverter().FromPayloads(signal.Input, &c) == nil {
					h.Commands = append(h.Commands, c.ID)
				}
			case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
				activity := event.GetActivityTaskScheduledEventAttributes()
				var in struct {
					Notices []struct {
						Key, Message string
						To           struct{ Via string }
					}
				}
				if activity.ActivityType.Name == "Notify" && converter.GetDefaultDataConverter().FromPayloads(activity.Input, &in) == nil {
					for _, n := range in.Notices {
						h.Notices = append(h.Notices, noticed{n.Key, n.Message, n.To.Via})
					}
				}
			case enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
				if run == "" {
					if err := converter.GetDefaultDataConverter().FromPayloads(event.GetWorkflowExecutionCompletedEventAttributes().Result, &state); err != nil {
						return h, err
					}
				}
			}
		}
		if run = before; run == "" {
			break
		}
	}
	if state.Ticket.Status == "" {
		answer, err := d.engine.QueryWorkflow(ctx, id, "", "snapshot")
		if err != nil {
			return h, err
		}
		if err := answer.Get(&state); err != nil {
			return h, err
		}
	}
	h.Version, h.Status, h.Assignee = state.Ticket.Version, state.Ticket.Status, state.Ticket.Assignee.ID
	return h, nil
}

// readArchive reads the desk's archive as a second client of its account, which
// takes no messages itself, or that of a room.
func (d *Desk) readArchive(ctx context.Context, password, room string) ([]archived, error) {
	client, err := dialChat(d.Ready, d.Desk, password, "auditor")
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = client.SendOrg("</stream:stream>") }()
	if _, err := client.SendOrg("<presence type='unavailable'/>"); err != nil {
		return nil, err
	}
	all := []archived{}
	to := ""
	if room != "" {
		to = " to='" + room + "'"
	}
	for after := ""; ; {
		ask := "<max>100</max>"
		if after != "" {
			ask += "<after>" + after + "</after>"
		}
		if _, err := client.SendOrg("<iq type='set' id='audit'" + to + "><query xmlns='urn:xmpp:mam:2' queryid='audit'><set xmlns='http://jabber.org/protocol/rsm'>" + ask + "</set></query></iq>"); err != nil {
			return nil, err
		}
		for page := true; page; {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			stanza, err := client.Recv()
			switch v := stanza.(type) {
			case xmpp.Chat:
				for _, element := range v.OtherElem {
					if a, ok := parseArchived(element); ok {
						after = a.ID
						if a.Body != "" {
							all = append(all, a)
						}
					}
				}
			case xmpp.IQ:
				if v.ID != "audit" {
					continue
				}
				if v.Type == "error" {
					return nil, fmt.Errorf("the archive of %q is refused", room)
				}
				if strings.Contains(string(v.Query), "complete='true'") || strings.Contains(string(v.Query), `complete="true"`) {
					return all, nil
				}
				page = false
			default:
				if err != nil {
					return nil, fmt.Errorf("read the archive: %w", err)
				}
			}
		}
	}
}

func parseArchived(e xmpp.XMLElement) (archived, bool) {
	if e.XMLName.Local != "result" || e.XMLName.Space != "urn:xmpp:mam:2" {
		return archived{}, false
	}
	a := archived{}
	for _, attr := range e.Attr {
		if attr.Name.Local == "id" {
			a.ID = attr.Value
		}
	}
	var forwarded struct {
		Message struct {
			From string `xml:"from,attr"`
			To   string `xml:"to,attr"`
			ID   string `xml:"id,attr"`
			Body string `xml:"body"`
		} `xml:"message"`
	}
	if err := xml.Unmarshal([]byte(e.InnerXML), &forwarded); err != nil {
		return a, false
	}
	m := forwarded.Message
	a.From, a.To, a.Stanza, a.Body = m.From, m.To, m.ID, m.Body
	return a, true
}

// without is the evidence with one piece removed, for each kind of evidence that
// has any; the name says which.
func (e *evidence) without() map[string]*evidence {
	out := map[string]*evidence{}
	drop := func(what string, change func(c *evidence)) {
		c := *e
		change(&c)
		out[what] = &c
	}
	for i, r := range e.ledger {
		drop("ledger "+r.Direction, func(c *evidence) { c.ledger = slices.Delete(slices.Clone(c.ledger), i, i+1) })
	}
	for i, a := range e.archive {
		from := "in"
		if bare(a.From) == e.account {
			from = "out"
		}
		drop("archive "+from, func(c *evidence) { c.archive = slices.Delete(slices.Clone(c.archive), i, i+1) })
	}
	for i := range e.room {
		drop("line in the room", func(c *evidence) { c.room = slices.Delete(slices.Clone(c.room), i, i+1) })
	}
	for i, m := range e.inbox {
		drop("inbox "+m.Channel, func(c *evidence) { c.inbox = slices.Delete(slices.Clone(c.inbox), i, i+1) })
	}
	for i, m := range e.deliveries {
		if m.left() {
			what := "delivery " + m.Channel
			if m.Address == e.roomJID {
				what = "delivery to the room"
			}
			drop(what, func(c *evidence) { c.deliveries = slices.Delete(slices.Clone(c.deliveries), i, i+1) })
		}
	}
	for i, p := range e.projection {
		drop("projection", func(c *evidence) { c.projection = slices.Delete(slices.Clone(c.projection), i, i+1) })
		drop("line of a timeline", func(c *evidence) {
			c.projection = slices.Clone(c.projection)
			c.projection[i].Lines = p.Lines[:len(p.Lines)-1]
		})
	}
	for i, h := range e.histories {
		drop("history", func(c *evidence) { c.histories = slices.Delete(slices.Clone(c.histories), i, i+1) })
		if len(h.Notices) > 0 {
			drop("notice in a history", func(c *evidence) {
				c.histories = slices.Clone(c.histories)
				c.histories[i].Notices = h.Notices[1:]
			})
		}
	}
	return out
}

// kinds are the names of what without removes.
func kinds(m map[string]*evidence) []string { return slices.Sorted(maps.Keys(m)) }
