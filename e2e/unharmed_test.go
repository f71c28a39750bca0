package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// unharmed submits tickets as people write them, with commands, markup and every
// script in them: they are kept to the letter, told to a phone and to a chat, shown
// on the board as words, and nothing in them is done.
func unharmed(t *testing.T, desk *Desk) {
	data, err := os.ReadFile("../command/testdata/tickets.json")
	if err != nil {
		t.Fatal(err)
	}
	type text struct{ Subject, Body string }
	var texts []text
	if err := json.Unmarshal(data, &texts); err != nil {
		t.Fatal(err)
	}
	texts = slices.DeleteFunc(texts, func(x text) bool { return x.Subject == "" || strings.ContainsRune(x.Subject+x.Body, 0) }) // what is refused, idempotency shows
	sue, max := desk.Person("sue"), desk.Person("max")
	desk.Free()
	sue.Phone().Allow("we have your request")
	max.Chat().Allow("We have your request")
	numbers := make([]int, len(texts))
	for i, text := range texts {
		requester := []*Person{sue, max}[i%2]
		status, answer := desk.Post("/v1/tickets", map[string]any{"subject": text.Subject, "body": text.Body, "priority": "P3", "requester": requester.ID}, "")
		if status != 201 {
			t.Fatalf("%q: %d %v", text.Subject, status, answer)
		}
		numbers[i] = int(answer["number"].(float64))
		desk.mine = append(desk.mine, numbers[i])
	}
	desk.Settle()
	_, board := desk.call("GET", "/", nil, "")
	for i, text := range texts {
		var kept struct{ Subject, Body, Status string }
		desk.get(fmt.Sprintf("/v1/tickets/%d", numbers[i]), &kept)
		if kept.Subject != text.Subject || kept.Body != text.Body || kept.Status != "new" {
			t.Errorf("%q, %q became %+v", text.Subject, text.Body, kept)
		}
		wire := []*Wire{sue.Phone(), max.Chat().Wire}[i%2]
		if got := wire.Count("request " + number(numbers[i])); got != 1 {
			t.Errorf("%q was told %d times", text.Subject, got)
		}
		if strings.Contains(text.Subject, "<") && strings.Contains(string(board), text.Subject) {
			t.Errorf("the board has the markup of %q", text.Subject)
		}
	}
	for _, m := range append(sue.Phone().read(), max.Chat().Wire.read()...) {
		if !utf8.ValidString(m.Text) || strings.ContainsRune(m.Text, utf8.RuneError) {
			t.Errorf("told as %q", m.Text)
		}
	}
}
