package desk_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/ticket"
)

var root = desk.Caller{Person: roster.Person{ID: "eve", Roles: roster.Roles{roster.Admin}}, Channel: "rest"}

// The vector is npm's standardwebhooks 1.0.0, by whom receivers check.
func TestSignature(t *testing.T) {
	t.Parallel()
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	must(t, err)
	got := desk.Signature(secret, "142.7", time.Unix(1772534280, 0), []byte(`{"type":"ticket.taken","text":"Grüße 🖨"}`))
	if want := "v1,Y11tP7n2xkuemLLqTB6rvUGZc/oVF8e2lg7qYLdKoLY="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWebhook(t *testing.T) {
	w := open(t, "")
	answers := make(chan int, 10)
	type request struct {
		header http.Header
		body   []byte
	}
	got := make(chan request, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Header, body}
		rw.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		rw.WriteHeader(<-answers)
	}))
	defer receiver.Close()
	before := w.submit("Before", "bob")
	hook, secret, err := w.desk.CreateWebhook(t.Context(), root, receiver.URL+"/hook", []ticket.Kind{ticket.Opened, ticket.Taken})
	must(t, err)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	must(t, err)
	if list := w.rows("SELECT secret::text FROM webhooks"); strings.Contains(list[0], string(key)) || len(key) != 32 {
		t.Error("the secret is in the database")
	}
	n := w.submit("Printer", "bob")
	w.say("bob", "101")
	var due []int64
	w.until("two deliveries are begun", func() bool {
		w.engine.set(func(e *engine) { due = append([]int64{}, e.webhooks...) })
		return len(due) == 2
	})
	_ = before // nothing that happened before is told

	sender := w.desk.WebhookActivities()
	// Refused, redirected, then taken: twice the same id, signed each time.
	for i, status := range []int{500, 302, 204} {
		answers <- status
		err := sender.DeliverWebhook(t.Context(), due[1])
		if (err == nil) != (status == 204) {
			t.Errorf("%d: %v", status, err)
		}
		r := <-got
		id, at := r.header.Get("Webhook-Id"), w.clock.Now()
		if sign := desk.Signature(key, id, at, r.body); r.header.Get("Webhook-Signature") != sign || r.header.Get("Webhook-Timestamp") != "1772534280" {
			t.Errorf("try %d: %v", i, r.header)
		}
		var body map[string]any
		must(t, json.Unmarshal(r.body, &body))
		want := map[string]any{"type": "ticket.taken", "timestamp": "2026-03-03T10:38:00Z", "data": map[string]any{"number": float64(n), "seq": 4.0, "actor": "bob",
			"channel": "sms", "status": "assigned", "priority": "P3", "requester": "ann", "assignee": "bob", "version": 4.0}}
		want["data"].(map[string]any)["seq"] = body["data"].(map[string]any)["seq"] // its place is the ticket's own matter
		want["data"].(map[string]any)["version"] = body["data"].(map[string]any)["version"]
		if diff := cmp.Diff(want, body); diff != "" {
			t.Error(diff)
		}
	}
	must(t, sender.DeliverWebhook(t.Context(), due[1])) // again, after it arrived: nothing is sent
	must(t, sender.GiveUpWebhook(t.Context(), due[0]))
	must(t, sender.DeliverWebhook(t.Context(), due[0]))
	log, more, err := w.desk.WebhookLog(t.Context(), hook.ID, 0)
	must(t, err)
	var states []string
	for _, l := range log {
		states = append(states, l.State)
	}
	if diff := cmp.Diff([]string{"delivered", "failed"}, states); diff != "" || more || log[0].Attempts != 3 || log[0].Status != 204 || len(got) != 0 {
		t.Errorf("%s %+v, %d more requests", diff, log, len(got))
	}
	// What is ended is told nothing, not even what was due.
	_, err = w.desk.EndWebhook(t.Context(), root, hook.ID)
	must(t, err)
	w.submit("After", "bob")
	w.say("bob", "102")
	if n := len(w.rows("SELECT id::text FROM webhook_deliveries")); n != 2 {
		t.Errorf("%d deliveries", n)
	}
	if _, err := w.desk.EndWebhook(t.Context(), root, hook.ID); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("ended twice: %v", err)
	}
}

// No webhook goes where only the helpdesk can.
func TestWebhookNetworks(t *testing.T) {
	w := open(t, "")
	for address, ok := range map[string]bool{
		"https://example.org/x": true, "https://93.184.216.34/": true, "https://[2606:2800:220:1::1]/": true, "http://127.0.0.1:9/": true,
		"http://127.0.0.2/": false, "http://[::1]/": false, "http://10.0.0.1/": false, "http://169.254.169.254/latest": false, "http://192.168.1.1/": false,
		"http://[::ffff:10.0.0.1]/": false, "http://[fd00::1]/": false, "http://[fe80::1%25eth0]/": false, "http://0.0.0.0/": false, "http://100.64.0.1/": false,
		"http://[64:ff9b::a00:1]/": false, "http://224.0.0.1/": false, "http://[::]/": false,
		"ftp://example.org/": false, "example.org": false, "https://": false, "https://bob:secret@example.org/": false, "https://example.org/#x": false, "": false,
	} {
		_, _, err := w.desk.CreateWebhook(t.Context(), root, address, nil)
		if wrong, invalid := errors.AsType[*desk.InvalidError](err); invalid == ok || invalid && wrong.Field != "url" {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, _, err := w.desk.CreateWebhook(t.Context(), root, "https://example.org", []ticket.Kind{"exploded"}); err == nil {
		t.Error("an event that is none")
	}
	// A name that leads inside is found out when it is called.
	w.rows("DELETE FROM webhook_deliveries")
	w.rows("DELETE FROM webhooks")
	hook, _, err := w.desk.CreateWebhook(t.Context(), root, "http://localhost.:9/", []ticket.Kind{ticket.Opened})
	must(t, err)
	w.rows("UPDATE webhooks SET url = 'http://127.0.0.2:9/'") // as a name that has moved
	w.submit("Printer")
	var due []int64
	w.until("a delivery is begun", func() bool {
		w.engine.set(func(e *engine) { due = append([]int64{}, e.webhooks...) })
		return len(due) == 1
	})
	if err := w.desk.WebhookActivities().DeliverWebhook(t.Context(), due[0]); err == nil || !strings.Contains(err.Error(), "does not call this network") {
		t.Errorf("called: %v", err)
	}
	log, _, err := w.desk.WebhookLog(t.Context(), hook.ID, 0)
	if must(t, err); len(log) != 1 || !strings.Contains(log[0].Why, "does not call") {
		t.Errorf("%+v", log)
	}
}
