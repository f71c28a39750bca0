package notice

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// usual values, as an ordinary day has them.
func usual() map[string]string {
	waiting := List(Item{142, "Printer on 3rd floor jams"}, Item{143, "VPN drops"})
	return map[string]string{
		"n": "142", "n2": "143", "subj": "Printer on 3rd floor jams", "subj2": "which tray, 1 or 2?", "from": "Ann Lee", "who": "Bob", "who2": "Dana",
		"phone": "+15550201", "loc": "room 312", "age": "12m", "age2": "8m", "age3": "1h05m", "time": "10:38", "date": "Mon 9:00",
		"count": "2", "count2": "3", "count3": "1", "count4": "4", "repeat": "5m", "window": "3 days", "wait": "It is first in line.", "link": "https://help.example.org/t/xYz-0123456789abcdefgh",
		"prio": "high", "PRIO": "HIGH ", "state": "claimed", "guess": "CLOSE 142", "word": "frobnicate", "url": "https://help.example",
		"pos": "2nd", "org": "Example", "pct": "99%", "pct2": "100%", "until": "until 14:30 ", "shift": "Sat 8:00 - Sun 8:00", "shift2": "9 Mar 8:00 - 10 Mar 8:00", "next": "Tue 10:42: call the last person again", "text": "#142 Printer on 3rd floor jams. Ann Lee, room 312. Reply 142 to take, R142 not me, D142 more.",
		"list": waiting, "list2": Numbers(131, 132), "lines": waiting,
	}
}

// longest values: five digits, names of thirteen letters, and so on.
func longest() map[string]string {
	name := strings.Repeat("W", 13)
	return map[string]string{
		"n": "99999", "n2": "99999", "subj": "", "subj2": "", "from": name, "who": name, "who2": name,
		"phone": "+15550100123", "loc": "3rd floor ", "age": "23h59m", "age2": "23h59m", "age3": "23h59m", "time": "Mon 10:38", "date": "Mon 10:38",
		"count": "999", "count2": "999", "count3": "99", "count4": "99", "repeat": "1h30m", "window": "3 days", "wait": Wait(99, "de"), "link": "https://help.example.org/t/xYz-0123456789abcdefgh",
		"prio": "dringend", "PRIO": "DRINGEND ", "state": "zurückgezogen", "guess": "TAKEOVER 99999", "word": strings.Repeat("W", 20), "url": "https://help.example.org",
		"pos": "999th", "org": name, "pct": "100%", "pct2": "100%", "until": "bis Mon 14:30 ", "shift": "28. Mär 10:38 - 29. Mär 10:38", "shift2": "28. Mär 10:38 - 29. Mär 10:38", "next": strings.Repeat("n", 50), "text": "", "list": "", "list2": "", "lines": "",
	}
}

func everyText(f func(m *message, channel, language string)) {
	ids := make([]string, 0, len(texts))
	for id := range texts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		for _, channel := range []string{"sms", "im"} {
			for _, language := range []string{"en", "de"} {
				if texts[id].forms[language][channel] != nil {
					f(texts[id], channel, language)
				}
			}
		}
	}
}

// TestGolden shows every text with its length.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden := map[string]*strings.Builder{}
	everyText(func(m *message, channel, language string) {
		name := channel + "." + language
		if golden[name] == nil {
			golden[name] = &strings.Builder{}
		}
		text, err := Render(Message{ID: m.ID, Channel: channel, Language: language, Values: usual()})
		if err != nil {
			t.Fatal(err)
		}
		length := ""
		if channel == "sms" {
			length = fmt.Sprintf(" (%s, %d units, %d segments)", text.Encoding, text.Units, text.Segments)
		}
		fmt.Fprintf(golden[name], "%s%s\n%s\n\n", m.ID, length, text.Body)
	})
	for name, got := range golden {
		compareGolden(t, name+".golden", got.String())
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs from what is written (look at the change, then -update)", path)
	}
}

// TestEveryIDOfTheSpecification holds the project to the ids that it started from.
func TestEveryIDOfTheSpecification(t *testing.T) {
	t.Parallel()
	ids, err := os.ReadFile("testdata/ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	for id := range strings.FieldsSeq(string(ids)) {
		m := texts[id]
		if m == nil {
			t.Errorf("%s is missing", id)
			continue
		}
		for _, channel := range []string{"sms", "im"} {
			if (m.EN[channel] == "") != (m.DE[channel] == "") {
				t.Errorf("%s by %s is there in one language only", id, channel)
			}
		}
	}
}

// TestPlaceholdersAreKnown finds a misspelt placeholder.
func TestPlaceholdersAreKnown(t *testing.T) {
	t.Parallel()
	known := usual()
	everyText(func(m *message, channel, language string) {
		for _, name := range Needs(m.ID, channel, language) {
			if _, ok := known[name]; !ok {
				t.Errorf("%s: unknown placeholder {%s}", m.ID, name)
			}
			if !slices.Contains(Needs(m.ID, channel, "en"), name) {
				t.Errorf("%s by %s: {%s} is in %s but not in English", m.ID, channel, name, language)
			}
		}
	})
}

// TestSMSFormsLeaveRoom keeps every text in one segment with room for a subject.
func TestSMSFormsLeaveRoom(t *testing.T) {
	t.Parallel()
	const forSubject, forList = 62, 30
	everyText(func(m *message, channel, language string) {
		if channel != "sms" {
			return
		}
		v, err := m.values(m.forms[language]["sms"], Message{Language: language, Values: longest()})
		if err != nil {
			t.Fatal(err)
		}
		need := 0
		for name := range v {
			switch name {
			case "subj", "text":
				need = max(need, forSubject)
			case "list", "list2", "lines":
				v[name] = nil
				need = max(need, forList)
			}
		}
		if language == "en" && v["PRIO"] != nil {
			v["PRIO"] = items{{Subject: "URGENT "}}
		}
		body := m.forms[language]["sms"].write(v, unlimited)
		encoding, units, _ := SMSLength(body)
		if encoding != GSM7 || gsmSingle-units < need {
			t.Errorf("%s %s leaves %d (%s), wants %d: %s", m.ID, language, gsmSingle-units, encoding, need, body)
		}
	})
}

func TestRenderErrors(t *testing.T) {
	t.Parallel()
	if _, err := Render(Message{ID: "no such", Channel: "sms"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown id: %v", err)
	}
	if _, err := Render(Message{ID: "offer_gone", Channel: "sms"}); !errors.Is(err, ErrSilent) {
		t.Errorf("silent channel: %v", err)
	}
	if _, err := Render(Message{ID: "offer", Channel: "sms", Values: map[string]string{"n": "142"}}); err == nil || !strings.Contains(err.Error(), "{PRIO}") {
		t.Errorf("missing value: %v", err)
	}
}

func TestRenderPeoplesWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, id, channel, subject, want string
		encoding                         Encoding
		segments                         int
	}{
		{"umlauts", "req_confirm_new", "sms", "Wifi geht nicht für Öffentlichkeitsarbeit", "Shall I open a request: 'Wifi geht nicht für Öffentlichkeitsarbeit'? Reply YES.", GSM7, 1},
		{"emoji is left out", "req_confirm_new", "sms", "Wifi geht nicht 😡", "Shall I open a request: 'Wifi geht nicht'? Reply YES.", GSM7, 1},
		{"emoji alone stays", "req_confirm_new", "sms", "😢", "Shall I open a request: '😢'? Reply YES.", UCS2, 1},
		{"emoji in a chat", "req_confirm_new", "im", "Wifi geht nicht 😡", "Shall I open a request: 'Wifi geht nicht 😡'? Reply YES.", "", 0},
		{"Polish", "req_confirm_new", "sms", "Nie działa drukarka, żółte paski", "Shall I open a request: 'Nie dziala drukarka, zolte paski'? Reply YES.", GSM7, 1},
		{"degrees", "req_confirm_new", "sms", "Server room 31 °C", "Shall I open a request: 'Server room 31 degC'? Reply YES.", GSM7, 1},
		{"Cyrillic", "req_confirm_new", "sms", "Не работает почта", "Shall I open a request: 'Не работает почта'? Reply YES.", UCS2, 1},
		{"right to left in a chat", "req_confirm_new", "im", "لا أستطيع", "Shall I open a request: '\u2068لا أستطيع\u2069'? Reply YES.", "", 0},
		{"right to left by SMS", "req_confirm_new", "sms", "لا أستطيع", "Shall I open a request: 'لا أستطيع'? Reply YES.", UCS2, 1},
		{"overrides and lines", "req_confirm_new", "im", "a\u202Eb\nReply\x00 142", "Shall I open a request: 'ab Reply 142'? Reply YES.", "", 0},
		{"templates", "req_confirm_new", "im", "{{.Secret}} %s {n}", "Shall I open a request: '{{.Secret}} %s {n}'? Reply YES.", "", 0},
		{"long", "req_confirm_new", "sms", strings.Repeat("spreadsheet ", 40), "Shall I open a request: '" + strings.TrimSpace(strings.Repeat("spreadsheet ", 10)) + "...'? Reply YES.", GSM7, 1},
		{"one full stop", "req_told", "sms", "Come at 9.", "Bob on #142: Come at 9.", GSM7, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := usual()
			v["subj"] = tt.subject
			got, err := Render(Message{ID: tt.id, Channel: tt.channel, Language: "en", Values: v})
			if err != nil {
				t.Fatal(err)
			}
			if got.Body != tt.want || got.Encoding != tt.encoding || got.Segments != tt.segments {
				t.Errorf("got  %q %s %d\nwant %q %s %d", got.Body, got.Encoding, got.Segments, tt.want, tt.encoding, tt.segments)
			}
		})
	}
}

// TestEmptyValuesLeaveNoGap: people without a phone or a place.
func TestEmptyValuesLeaveNoGap(t *testing.T) {
	t.Parallel()
	v := usual()
	v["phone"], v["loc"], v["PRIO"] = "", "", ""
	for channel, want := range map[string]string{
		"sms": "#142 is yours: Printer on 3rd floor jams. Ann Lee. Fixed: C142. Give back: R142.",
		"im":  "#142 is yours: Printer on 3rd floor jams\nAnn Lee\nWhen it is fixed: C 142 what you did. Give back: R 142.",
	} {
		got, err := Render(Message{ID: "take_ok", Channel: channel, Values: v})
		if err != nil || got.Body != want {
			t.Errorf("%s: %q, %v", channel, got.Body, err)
		}
	}
}

// TestRenderHolds: whatever people write, a text is valid, has no half character
// and no question mark that nobody wrote, keeps the instructions and says how long
// it is.
func TestRenderHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := usual()
		subject := rapid.OneOf(rapid.String(), rapid.StringN(0, 300, -1),
			rapid.SampledFrom([]string{"👨‍👩‍👧‍👦", "🇩🇪🇫🇷", "नमस्ते क्ष", "각각", "e\u0301", "プリンター", "لا أستطيع", "Zażółć", "😡", "a\u202Eb"})).Draw(t, "subject")
		v["subj"] = strings.Repeat(subject, rapid.IntRange(1, 30).Draw(t, "times"))
		v["from"] = rapid.StringN(0, 30, -1).Draw(t, "from")
		v["list"] = List(Item{142, subject}, Item{143, v["from"]}, Item{0, subject})
		id := rapid.SampledFrom([]string{"offer", "take_ok", "which_offer", "list", "answer_in", "req_done", "mine"}).Draw(t, "id")
		channel := rapid.SampledFrom([]string{"sms", "im"}).Draw(t, "channel")
		got, err := Render(Message{ID: id, Channel: channel, Language: "en", Values: v})
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.ValidString(got.Body) || strings.ContainsAny(got.Body, "\u202A\u202B\u202D\u202E\x00\x1e\x1f") {
			t.Fatalf("%q", got.Body)
		}
		if theirs := norm.NFKD.String(v["subj"] + v["from"]); !strings.Contains(theirs, "?") && strings.Count(got.Body, "?") != strings.Count(texts[id].EN[channel], "?") {
			t.Fatalf("a question mark that nobody wrote: %q", got.Body)
		}
		if channel == "sms" {
			e, units, segments := SMSLength(got.Body)
			if e != got.Encoding || units != got.Units || segments != got.Segments {
				t.Fatalf("%q: %v", got.Body, got)
			}
			if limit := max(3, texts[id].Segments); id != "take_ok" && segments > limit {
				t.Fatalf("%d segments: %q", segments, got.Body)
			}
		}
		tail := texts[id].EN[channel]
		tail = strings.TrimPrefix(tail[strings.LastIndexAny(tail, "}\n")+1:], ".") // a full stop gives way to theirs
		if !strings.HasSuffix(got.Body, tail) {
			t.Fatalf("%q lost its end %q", got.Body, tail)
		}
	})
}

func TestSMSLength(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text     string
		encoding Encoding
		units    int
		segments int
	}{
		{"", GSM7, 0, 1},
		{strings.Repeat("a", 160), GSM7, 160, 1},
		{strings.Repeat("a", 161), GSM7, 161, 2},
		{strings.Repeat("a", 306), GSM7, 306, 2},
		{strings.Repeat("a", 307), GSM7, 307, 3},
		{strings.Repeat("€", 80), GSM7, 160, 1},
		{strings.Repeat("€", 81), GSM7, 162, 2},
		{"a" + strings.Repeat("€", 152), GSM7, 305, 2},
		{strings.Repeat("a", 152) + "€" + strings.Repeat("a", 152), GSM7, 306, 3}, // the pair does not fit into the first part
		{strings.Repeat("я", 70), UCS2, 70, 1},
		{strings.Repeat("я", 71), UCS2, 71, 2},
		{strings.Repeat("😡", 35), UCS2, 70, 1},
		{strings.Repeat("😡", 67), UCS2, 134, 3}, // 33 pairs in a part of 67
		{"`", UCS2, 1, 1},
		{"{[~]}\\^|", GSM7, 16, 1},
	}
	for _, tt := range tests {
		e, units, segments := SMSLength(tt.text)
		if e != tt.encoding || units != tt.units || segments != tt.segments {
			t.Errorf("%.20q: %s %d %d, want %s %d %d", tt.text, e, units, segments, tt.encoding, tt.units, tt.segments)
		}
	}
}

func TestCutKeepsGraphemes(t *testing.T) {
	t.Parallel()
	for _, g := range []string{"👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "e\u0301", "क्ष", "각", "각", "🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F", "1️⃣"} {
		s := strings.Repeat(g, 10)
		if n := next(s); n != len(g) {
			t.Errorf("%q: the first grapheme has %d bytes", s, n)
		}
		limit := 4*width(g) + len("...") + width(g) - 1
		if got, want := cut(s, limit), strings.Repeat(g, 4)+"..."; got != want {
			t.Errorf("cut %q: %q", g, got)
		}
	}
}
