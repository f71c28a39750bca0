package desk_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"deskbell/command"
)

// said are words in capitals that no text asks anybody to write.
var said = []string{"SMS", "IM", "ON", "CALL", "PIN", "BEREITSCHAFT", "PRIO"}

var (
	capitals = regexp.MustCompile(`\b[A-ZÄÖÜ]{2,}\b`)
	forms    = regexp.MustCompile(`\b[A-Z] ?\{n2?\}`)
)

// Whatever a text tells people to write is understood, in their language.
func TestTextsTeachWhatIsUnderstood(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../notice/messages.json")
	must(t, err)
	var messages []struct {
		ID     string
		To     string
		EN, DE map[string]string
	}
	must(t, json.Unmarshal(data, &messages))
	taught := 0
	for _, m := range messages {
		for language, texts := range map[string]map[string]string{"en": m.EN, "de": m.DE} {
			for channel, text := range texts {
				words := append(capitals.FindAllString(text, -1), forms.FindAllString(text, -1)...)
				for _, word := range words {
					if slices.Contains(said, word) {
						continue
					}
					taught++
					word = strings.NewReplacer("{n2}", "143", "{n}", "142").Replace(word)
					speaker := command.Speaker{Language: language, Channel: channel, Requester: strings.HasPrefix(m.ID, "req_")}
					if strings.HasPrefix(m.ID, "stop") || strings.HasPrefix(m.ID, "start") || word == "STOP" {
						speaker.Channel = "sms"
					}
					if got := command.Parse(word, speaker); got.Verb == command.Text || got.Guess != "" {
						t.Errorf("%s in %s teaches %q, which is read as %s", m.ID, language, word, got.Verb)
					}
				}
			}
		}
	}
	if taught < 100 {
		t.Errorf("only %d words are taught", taught)
	}
}
