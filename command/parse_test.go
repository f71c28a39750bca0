package command

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
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

func TestParseForms(t *testing.T) {
	t.Parallel()
	type want struct {
		verb    Verb
		numbers []int
		text    string
	}
	n := func(numbers ...int) []int { return numbers }
	tests := map[string]want{
		"take 142": {Take, n(142), ""}, "Take #142 please": {Take, n(142), ""}, "can you take 142": {Take, n(142), ""}, "@helpdesk: take 142": {Take, n(142), ""},
		"/take 142": {Take, n(142), ""}, `"142"`: {Number, n(142), ""}, "ticket 142": {Number, n(142), ""}, "ok 142": {Number, n(142), ""}, "take ticket number 142": {Take, n(142), ""},
		"142, 143": {Number, n(142, 143), ""}, "142 and 143": {Number, n(142, 143), ""}, "142 143 done": {Done, n(142, 143), ""}, "c142 143": {Done, n(142, 143), ""}, "c142 15 pages": {Done, n(142), "15 pages"},
		"take 142 143": {Take, n(142, 143), ""}, "note 142 143 is the counter": {Note, n(142), "143 is the counter"}, "142 143 is the counter": {Number, n(142), "143 is the counter"},
		"yes 142": {Yes, n(142), ""}, "142 yes": {Yes, n(142), ""}, "142 no": {Decline, n(142), ""}, "no 142": {Decline, n(142), ""}, "142 1": {Take, n(142), ""}, "142 2": {Decline, n(142), ""}, "142 9": {Done, n(142), ""},
		"142a": {Take, n(142), ""}, "142c": {Done, n(142), ""}, "142c x": {Done, n(142), "x"}, "c142 x": {Done, n(142), "x"}, "142 done x": {Done, n(142), "x"}, "done 142 x": {Done, n(142), "x"}, "142p bob": {Pass, n(142), "bob"},
		"142 no toner": {Number, n(142), "no toner"}, "142 more details follow": {Number, n(142), "more details follow"}, "142 close to the window": {Number, n(142), "close to the window"}, "142 fixed it": {Done, n(142), ""}, "142 fixed the fuser": {Done, n(142), "the fuser"},
		"note 142: --force": {Note, n(142), "--force"}, "done 142 - new toner": {Done, n(142), "new toner"}, "done 142 a\n b --": {Done, n(142), "a\n b --"}, "ＤＯＮＥ １４２ ｘ": {Done, n(142), "ｘ"},
		"0142": {Text, nil, "0142"}, "13.20": {Text, nil, "13.20"}, "$142": {Text, nil, "$142"}, "+1555": {Text, nil, "+1555"}, "2nd floor": {Text, nil, "2nd floor"},
		"got it": {Take, nil, ""}, "i'm on it": {Take, nil, ""}, "not me": {Decline, nil, ""}, "give back 142": {Release, n(142), ""}, "on-call": {Oncall, nil, ""}, "K": {Yes, nil, ""}, "yes please": {Yes, nil, ""}, "ok thanks": {Yes, nil, ""},
		"👍🏽": {Yes, nil, ""}, "👎": {No, nil, ""}, "👍 to the team": {Text, nil, "👍 to the team"}, "No, still broken": {No, nil, "still broken"}, "no paper": {Text, nil, "no paper"}, "no subject": {Text, nil, "no subject"},
		"thanks a lot!": {Thanks, nil, ""}, "thanks but it still jams": {Text, nil, "thanks but it still jams"}, "help my screen is black": {Text, nil, "help my screen is black"}, "help more": {Help, nil, "more"},
		"my printer is broken": {Text, nil, "my printer is broken"}, "out of toner": {Text, nil, "out of toner"}, "back in 5": {Text, nil, "back in 5"}, "where is my ticket": {Status, nil, ""}, "what is 142": {Show, n(142), ""},
		"cancel": {Stop, nil, ""}, "stop it": {Text, nil, "stop it"}, "UNSTOP": {Start, nil, ""}, "log in broken": {Text, nil, "log in broken"}, "dont close 142": {Text, nil, "dont close 142"}, "cannot take 142": {Text, nil, "cannot take 142"},
		"142\n\n-- \nBob Smith": {Number, n(142), ""}, "On Mon, 2 Mar 2026, Ann wrote:\n> x\nok": {Yes, nil, ""}, "done 142\n\nSent from my iPhone": {Done, n(142), ""}, "Sent from my iPhone": {Empty, nil, ""},
		"Automatic reply: I am away": {Auto, nil, ""}, "Out of office replies do not work": {Text, nil, "Out of office replies do not work"}, "Reacted 👍 to “#142 is yours”": {Reaction, nil, ""}, "Liked the new printer": {Text, nil, "Liked the new printer"},
		"fertig 142": {Text, nil, "fertig 142"}, "ja": {Yes, nil, ""},
	}
	for text, want := range tests {
		got := Parse(text, Speaker{Channel: "sms"})
		if diff := cmp.Diff(Command{Verb: want.verb, Numbers: want.numbers, Text: want.text}, Command{Verb: got.Verb, Numbers: got.Numbers, Text: got.Text}); diff != "" {
			t.Errorf("%q: -want +got\n%s", text, diff)
		}
	}
	for text, want := range map[string]Verb{"pause": Away, "fertig 142": Done, "zurück 142": Release, "hilfe mehr": Help, "wer": Who, "da": Back, "nächstes": Next, "done 142": Done, "nein": No} {
		if got := Parse(text, Speaker{Channel: "sms", Language: "de-AT"}); got.Verb != want {
			t.Errorf("%q in German is %s, want %s", text, got.Verb, want)
		}
	}
	if got := Parse("stop", Speaker{Channel: "im"}); got.Verb != Text {
		t.Errorf("STOP in a chat is %s", got.Verb)
	}
}

// TestFourLanguages: every verb in the words of whoever speaks German, French or
// Spanish, and in English for everybody.
func TestFourLanguages(t *testing.T) {
	t.Parallel()
	said := map[Verb]map[string]string{
		Take:     {"en": "take 142", "de": "nehme 142", "fr": "je prends 142", "es": "lo tomo 142"},
		Decline:  {"en": "not me 142", "de": "ablehnen 142", "fr": "pas moi 142", "es": "rechazo 142"},
		Release:  {"en": "give back 142", "de": "zurück 142", "fr": "rendre 142", "es": "devolver 142"},
		Show:     {"en": "details 142", "de": "zeige 142", "fr": "voir 142", "es": "detalles 142"},
		Done:     {"en": "fixed 142", "de": "142 erledigt", "fr": "142 c'est fait", "es": "142 resuelto"},
		Undo:     {"en": "oops", "de": "rückgängig", "fr": "annuler", "es": "deshacer"},
		Reopen:   {"en": "reopen 142", "de": "wiederöffnen 142", "fr": "rouvrir 142", "es": "reabrir 142"},
		Note:     {"en": "note 142 x", "de": "notiz 142 x", "fr": "noter 142 x", "es": "nota 142 x"},
		AskFor:   {"en": "ask 142 x", "de": "frage 142 x", "fr": "demande 142 x", "es": "pregunta 142 x"},
		Tell:     {"en": "tell 142 x", "de": "sag 142 x", "fr": "dire 142 x", "es": "decir 142 x"},
		Pass:     {"en": "pass 142 bob", "de": "gib 142 bob", "fr": "donner 142 bob", "es": "pasar 142 bob"},
		Takeover: {"en": "takeover 142", "de": "übernahme 142", "fr": "reprends 142", "es": "asumo 142"},
		Up:       {"en": "up 142", "de": "eskalieren 142", "fr": "escalader 142", "es": "escalar 142"},
		Snooze:   {"en": "snooze 142 2h", "de": "z142 morgen 9 Uhr", "fr": "reporter 142 demain", "es": "posponer 142 mañana"},
		List:     {"en": "list", "de": "liste", "fr": "liste", "es": "lista"},
		Mine:     {"en": "mine", "de": "meine", "fr": "miens", "es": "míos"},
		Next:     {"en": "next", "de": "nächstes", "fr": "suivant", "es": "siguiente"},
		Status:   {"en": "status", "de": "stand", "fr": "état", "es": "estado"},
		Who:      {"en": "who", "de": "wer", "fr": "qui", "es": "quién"},
		Why:      {"en": "why 142", "de": "warum 142", "fr": "pourquoi 142", "es": "por qué 142"},
		Oncall:   {"en": "on-call", "de": "bereitschaft", "fr": "astreinte", "es": "guardia"},
		Away:     {"en": "away 30m lunch", "de": "weg 30m Essen", "fr": "absent 30m repas", "es": "ausente 30m comida"},
		Back:     {"en": "back", "de": "da", "fr": "retour", "es": "vuelvo"},
		Swap:     {"en": "swap sat sam", "de": "tausche sa sam", "fr": "échanger samedi sam", "es": "cambiar lunes sam"},
		New:      {"en": "new screen is dark", "de": "neu Bildschirm ist schwarz", "fr": "nouveau écran noir", "es": "nuevo pantalla negra"},
		Withdraw: {"en": "withdraw 142", "de": "zurückziehen 142", "fr": "retirer 142", "es": "retirar 142"},
		Help:     {"en": "help", "de": "hilfe", "fr": "aide", "es": "ayuda"},
		Yes:      {"en": "yes", "de": "ja", "fr": "oui", "es": "sí"},
		No:       {"en": "no", "de": "nein", "fr": "non", "es": "no"},
		Thanks:   {"en": "thank you", "de": "vielen dank", "fr": "merci", "es": "muchas gracias"},
	}
	for _, e := range grammar.Verbs {
		if e.Who != "sms" && said[e.Verb] == nil {
			t.Errorf("nobody says %s here", e.Verb)
		}
	}
	for verb, forms := range said {
		for language, text := range forms {
			speakers := []string{language}
			if language == "en" {
				speakers = []string{"", "en", "en-GB", "de", "fr", "es"}
			}
			for _, speaker := range speakers {
				got := Parse(text, Speaker{Language: speaker, Channel: "sms"})
				if got.Verb != verb || got.Guess != "" || strings.Contains(text, "142") && !slices.Equal(got.Numbers, []int{142}) {
					t.Errorf("%q by a speaker of %q is %s %v, guessed from %q", text, speaker, got.Verb, got.Numbers, got.Guess)
				}
			}
		}
	}
}
