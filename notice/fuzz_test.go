package notice

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// FuzzRender puts anybody's words into any text of ours: it stays valid, within its
// segments, keeps its fixed words, and gets no question mark that nobody wrote.
func FuzzRender(f *testing.F) {
	ids := make([]string, 0, len(texts))
	for id := range texts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i, words := range []string{
		"Printer on 3rd floor jams", "Wifi geht nicht 😡", "Zażółć gęślą jaźń", "👨‍👩‍👧‍👦🇩🇪", "لا أستطيع", "नमस्ते क्ष", "e\u0301\u200d", "a\u202Eb\x00\x1e\x1f",
		"{subj} {{.X}} %s", "STOP\n142\nC142", strings.Repeat("€", 200), strings.Repeat("각", 90), "\xff\xfe", "`[]~^\\|", "'; DROP TABLE tickets; --", "<b>x</b>",
	} {
		f.Add(words, "Ann Lee", byte(i*7), byte(i))
	}
	f.Fuzz(func(t *testing.T, words, name string, which, how byte) {
		m := texts[ids[int(which)%len(ids)]]
		channel := []string{"sms", "im"}[how&1]
		language := []string{"en", "de", "fr", "es"}[how>>1&3]
		if !Has(m.ID, channel) || m.ID == "again" { // that one repeats a finished text
			return
		}
		v := usual()
		v["subj"], v["subj2"], v["text"], v["from"], v["who"] = words, words, words, name, name
		v["list"] = List(Item{142, words}, Item{143, name}, Item{0, words})
		got, err := Render(Message{ID: m.ID, Channel: channel, Language: language, Values: v})
		if err != nil {
			t.Fatalf("%s: %v", m.ID, err)
		}
		if !utf8.ValidString(got.Body) || strings.ContainsAny(got.Body, "\u202A\u202B\u202D\u202E\x00\x1e\x1f") {
			t.Fatalf("%s: %q", m.ID, got.Body)
		}
		if channel != "sms" {
			return
		}
		if e, units, segments := SMSLength(got.Body); e != got.Encoding || units != got.Units || segments != got.Segments {
			t.Fatalf("%s: %q is %s %d %d, not %v", m.ID, got.Body, e, units, segments, got)
		}
		theirs := norm.NFKD.String(words + name)
		if form := m.forms[language]["sms"]; !strings.Contains(theirs, "?") && form != nil {
			if ours := m.EN["sms"] + m.DE["sms"]; !strings.Contains(ours, "?") && strings.Contains(got.Body, "?") {
				t.Fatalf("%s: a question mark that nobody wrote: %q", m.ID, got.Body)
			}
		}
	})
}
