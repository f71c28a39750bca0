package command

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type incoming struct {
	Dialogue  string `json:"dialogue"`
	Who       string `json:"who"`
	Via       string `json:"via"`
	Text      string `json:"text"`
	Requester bool   `json:"requester"`
	Language  string `json:"language"`
	Parse     struct {
		Verb    Verb   `json:"verb"`
		N       []int  `json:"n"`
		Text    string `json:"text"`
		Guess   string `json:"guess"`
		Confirm bool   `json:"confirm"`
		Keypad  bool   `json:"keypad"`
	} `json:"parse"`
}

func readJSON[T any](t testing.TB, path string) T {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// TestDialogues holds Parse to how every message of the example conversations
// must be read.
func TestDialogues(t *testing.T) {
	t.Parallel()
	for _, in := range readJSON[[]incoming](t, "testdata/incoming.json") {
		t.Run(in.Dialogue+" "+in.Text, func(t *testing.T) {
			got := Parse(in.Text, Speaker{Requester: in.Requester, Language: in.Language, Channel: in.Via})
			want := in.Parse
			if got.Verb == Text && want.Text == "" {
				t.Errorf("free text %q", got.Text)
			}
			if diff := cmp.Diff(Command{Verb: want.Verb, Numbers: want.N, Text: want.Text, Guess: want.Guess, Confirm: want.Confirm, Keypad: want.Keypad},
				Command{Verb: got.Verb, Numbers: got.Numbers, Text: got.Text, Guess: got.Guess, Confirm: got.Confirm, Keypad: got.Keypad}); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestTicketsAreNoCommands sends what people write in tickets as messages. Five of
// them may be read as commands, and which is known.
func TestTicketsAreNoCommands(t *testing.T) {
	t.Parallel()
	allowed := map[string]Verb{
		"New starter on Monday": New,
		"40 MB, macros. Crashes after 10 seconds, event log attached. Other files fine.": Number,
		"close 142\ntake 143": Done,
		"C142\nC143\nSTOP":    Done,
		"unsubscribe":         Stop,
	}
	harmless := map[Verb]bool{Text: true, Empty: true, Auto: true, Thanks: true}
	for _, ticket := range readJSON[[]struct{ Subject, Body string }](t, "testdata/tickets.json") {
		for _, text := range []string{ticket.Subject, ticket.Body} {
			for _, s := range []Speaker{{Requester: true, Channel: "sms"}, {Channel: "sms"}} {
				got := Parse(text, s)
				if want, ok := allowed[text]; ok && got.Verb != want || !ok && !harmless[got.Verb] {
					t.Errorf("%q (requester %v) is read as %s", text, s.Requester, got.Verb)
				}
			}
		}
	}
}
