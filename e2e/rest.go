package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Ticket is a ticket as the API shows it.
type Ticket struct {
	Number     int
	Status     string
	Priority   string
	Subject    string
	Assignee   string
	Escalation int
	Version    int
	DueAt      time.Time `json:"due_at"`
}

// Line is one line of a ticket's timeline.
type Line struct {
	Seq                                 int
	Actor, Channel, Event, Text, Detail string
	At                                  time.Time
}

// call makes a request as the administrator.
func (d *Desk) call(method, path string, body any, key string) (int, []byte) {
	d.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, d.HTTP+path, bytes.NewReader(data))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.Token)
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(response.Body); err != nil {
		d.t.Fatal(err)
	}
	return response.StatusCode, answer.Bytes()
}

// Post makes a request with an Idempotency-Key, if it is not empty.
func (d *Desk) Post(path string, body map[string]any, key string) (status int, answer map[string]any) {
	d.t.Helper()
	status, data := d.call("POST", path, body, key)
	if err := json.Unmarshal(data, &answer); err != nil {
		d.t.Fatalf("POST %s answers %d %s", path, status, data)
	}
	return status, answer
}

func (d *Desk) get(path string, into any) {
	d.t.Helper()
	d.read("GET", path, into)
}

// read makes a request that must succeed and reads what it answers.
func (d *Desk) read(method, path string, into any) {
	d.t.Helper()
	if status, data := d.call(method, path, nil, ""); status != http.StatusOK {
		d.t.Fatalf("%s %s: %d %s", method, path, status, data)
	} else if err := json.Unmarshal(data, into); err != nil {
		d.t.Fatalf("%s %s: %v in %s", method, path, err, data)
	}
}

// Ticket is a ticket as the API shows it now.
func (d *Desk) Ticket(n int) (t Ticket) {
	d.t.Helper()
	d.get(fmt.Sprintf("/v1/tickets/%d", n), &t)
	return t
}

// Timeline is what happened to a ticket.
func (d *Desk) Timeline(n int) (lines []Line) {
	d.t.Helper()
	d.get(fmt.Sprintf("/v1/tickets/%d/timeline", n), &lines)
	return lines
}

// Events are the kinds of a ticket's events, in order.
func (d *Desk) Events(n int) string {
	d.t.Helper()
	var kinds []string
	for _, l := range d.Timeline(n) {
		kinds = append(kinds, l.Event)
	}
	return strings.Join(kinds, " ")
}

// Await waits until a ticket is in a state and with somebody; "" is nobody.
func (d *Desk) Await(n int, status, assignee string) Ticket {
	d.t.Helper()
	var t Ticket
	if !eventually(Patience, func() bool { t = d.Ticket(n); return t.Status == status && t.Assignee == assignee }) {
		d.t.Fatalf("ticket %d is %s with %q, not %s with %q", n, t.Status, t.Assignee, status, assignee)
	}
	return t
}

// TryAct does something to a ticket in a person's name, on the intranet.
func (d *Desk) TryAct(p *Person, verb string, n int, more map[string]any) (status int, answer map[string]any) {
	d.t.Helper()
	body := map[string]any{"as": p.ID}
	for k, v := range more {
		body[k] = v
	}
	return d.Post(fmt.Sprintf("/v1/tickets/%d/%s", n, verb), body, "")
}

// Act is TryAct that must succeed.
func (d *Desk) Act(p *Person, verb string, n int, more map[string]any) {
	d.t.Helper()
	if status, answer := d.TryAct(p, verb, n, more); status != http.StatusOK {
		d.t.Fatalf("%s %s %d: %d %v", p.Name, verb, n, status, answer)
	}
}

// Advance moves the desk's clock on. The SMSC's stays.
func (d *Desk) Advance(by time.Duration) {
	d.t.Helper()
	d.offset += by
	response, err := http.PostForm(d.HTTP+"/test/clock", url.Values{"offset": {d.offset.String()}})
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(response.Body)
		d.t.Fatalf("the clock does not move: %s: %s", response.Status, why)
	}
}
