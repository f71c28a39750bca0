package notice

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"deskbell/ticket"
)

// TestEveryNoticeIsWorded: each message that a ticket names has a text, and Word
// has all its values.
func TestEveryNoticeIsWorded(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	quoted := regexp.MustCompile(`"([a-z]+(?:_[a-z]+)+|offer|page|assigned|stale|reminder|owned)"`)
	for _, file := range []string{"../ticket/notices.go", "../ticket/rules.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range quoted.FindAllSubmatch(source, -1) {
			named[string(m[1])] = true
		}
	}
	if len(named) < 50 {
		t.Fatalf("only %d messages found in ticket", len(named))
	}
	tk, held := paged(), paged()
	held.Status = ticket.Assigned
	for id := range named {
		for _, channel := range []string{"sms", "im"} {
			for _, language := range []string{"en", "de"} {
				n := ticket.Notice{To: ticket.Party{ID: "bob", Name: "Bob", Via: channel}, Message: ticket.Message(id), Who: ticket.Party{Name: "Eve"}, At: at(-5), Until: at(30), Text: "which tray?"}
				for _, about := range []ticket.Ticket{tk, held} {
					f := Facts{Ticket: about, Phone: "+15550201", Now: now, Zone: time.UTC, Language: language, URL: "https://help.example", Waiting: []Item{{143, "VPN drops"}}, Position: 2}
					worded, values := Word(n, f)
					text, err := Render(Message{ID: worded, Channel: channel, Language: language, Values: values})
					if err != nil && !errors.Is(err, ErrSilent) || err == nil && text.Body == "" {
						t.Errorf("%s by %s in %s: %v", id, channel, language, err)
					}
				}
			}
		}
	}
}

// A promise that was not kept is not told as if it were still to come.
func TestLatePromise(t *testing.T) {
	t.Parallel()
	about := paged()
	about.Status = ticket.Assigned
	for _, m := range []ticket.Message{"show", "req_status_claimed"} {
		for by, slipped := range map[string]bool{"_by": false, "_late": true} {
			about.Promise = &ticket.Promise{By: at(-5), Slipped: slipped}
			n := ticket.Notice{To: ticket.Party{ID: "ann", Name: "Ann", Via: "sms"}, Message: m, Who: ticket.Party{Name: "Eve"}, At: at(-30), Until: at(-5)}
			if id, _ := Word(n, Facts{Ticket: about, Now: now}); id != string(m)+by {
				t.Errorf("%s, slipped %v: %s", m, slipped, id)
			}
		}
	}
	if card := Card(about, now); !strings.Contains(card, "- Expected by: Tue 3 Mar 10:33") {
		t.Error(card)
	}
	about.Promise.Slipped = true
	if card := Card(about, now); !strings.Contains(card, "10:33, and late") {
		t.Error(card)
	}
}

func TestAgain(t *testing.T) {
	t.Parallel()
	v := usual()
	v["subj"] = "لا أستطيع"
	got, err := Again(Message{ID: "offer", Channel: "im", Language: "en", Values: v})
	if want := "Again: New #142 (high): \u2068لا أستطيع\u2069\nFrom Ann Lee, room 312, waiting 12m.\nReply 142 to take it, R 142 if not you, D 142 for details."; err != nil || got.Body != want {
		t.Errorf("%v\n%q", err, got.Body)
	}
}
