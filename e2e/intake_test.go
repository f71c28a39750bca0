package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func idempotency(t *testing.T, desk *Desk) {
	ann := desk.Person("ann")
	aside(desk, "to take", "we have your request")
	body := map[string]any{"subject": "Twice the same", "body": "line 1\nline 2 \u00e4\u4e2d\U0001f5a8", "priority": "P3", "requester": "ann"}
	status, first := desk.Post("/v1/tickets", body, "key-1")
	if status != 201 {
		t.Fatalf("%d %v", status, first)
	}
	n := int(first["number"].(float64))
	desk.mine = append(desk.mine, n)
	desk.Settle()
	status, second := desk.Post("/v1/tickets", body, "key-1")
	if diff := cmp.Diff(first, second); status != 201 || diff != "" {
		t.Errorf("the repetition: %d %s", status, diff)
	}
	body["subject"] = "Another"
	if status, answer := desk.Post("/v1/tickets", body, "key-1"); status != 422 && status != 409 {
		t.Errorf("another body under the same key: %d %v", status, answer)
	}
	desk.Settle()
	if got := ann.Phone().Count("we have your request"); got != 1 {
		t.Errorf("Ann was told %d times", got)
	}
	for name, bad := range map[string]map[string]any{
		"no subject":   {"requester": "ann"},
		"a NUL":        {"subject": "a\x00b", "requester": "ann"},
		"nobody":       {"subject": "x", "requester": "nobody"},
		"a priority":   {"subject": "x", "requester": "ann", "priority": "P9"},
		"a long title": {"subject": string(make([]rune, 301)), "requester": "ann"},
	} {
		if status, answer := desk.Post("/v1/tickets", bad, ""); status != 422 || answer["title"] == nil {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}
