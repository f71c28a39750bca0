package api

import (
	"strings"
	"testing"
)

func TestIncidents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ticket()
	b.must(404, b.send("bob", "PUT", "/v1/tickets/999/incident", `{"text":"Mail is down"}`))
	b.must(422, b.send("bob", "PUT", "/v1/tickets/100/incident", `{"text":""}`))
	a := b.must(200, b.send("bob", "PUT", "/v1/tickets/100/incident", `{"text":"Mail is down"}`))
	if a.JSON["text"] != "Mail is down" || a.JSON["affected"] != 1.0 || a.JSON["joined"] != false {
		t.Error(a.Body)
	}
	for range 2 {
		if a := b.must(200, b.send("rob", "POST", "/v1/incidents/100/affected", "")); a.JSON["affected"] != 2.0 || a.JSON["joined"] != true {
			t.Error(a.Body)
		}
	}
	if a := b.must(200, b.send("rob", "GET", "/v1/incidents", "")); !strings.HasPrefix(a.Body.String(), `[{"ticket":100,`) || strings.Contains(a.Body.String(), "ann") {
		t.Error(a.Body)
	}
	b.must(204, b.send("bob", "DELETE", "/v1/tickets/100/incident", ""))
	for _, path := range []string{"DELETE /v1/tickets/100/incident", "POST /v1/incidents/100/affected"} {
		method, path, _ := strings.Cut(path, " ")
		if a := b.must(404, b.send("bob", method, path, "")); a.JSON["type"] != "urn:deskbell:problem:no-such-incident" {
			t.Error(a.Body)
		}
	}
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/claim", ""))
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/resolve", ""))
	b.must(409, b.send("bob", "PUT", "/v1/tickets/100/incident", `{"text":"Mail is down"}`))
}
