package command

import (
	"strings"
	"testing"
	"unicode/utf8"

	"deskbell/ticket"
)

func seeds(f *testing.F) []string {
	var texts []string
	for _, in := range readJSON[[]incoming](f, "testdata/incoming.json") {
		texts = append(texts, in.Text)
	}
	for _, t := range readJSON[[]struct{ Subject, Body string }](f, "testdata/tickets.json") {
		texts = append(texts, t.Subject, t.Body)
	}
	return append(texts, "\xff\xfe", "> ", "#", "＃１４２", "1\u200d4", strings.Repeat("142 ", 100), "c\u0301 142", "142,,143", "pass 142", "--\n--", "Sent from my iPhone")
}

func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text, false, "")
		f.Add(text, true, "de")
	}
	f.Fuzz(func(t *testing.T, text string, requester bool, language string) {
		s := Speaker{Requester: requester, Language: language, Channel: "sms"}
		c := Parse(text, s)
		if c.Verb == "" {
			t.Fatalf("%q has no verb", text)
		}
		if !utf8.ValidString(c.Body) || !strings.Contains(c.Body, c.Text) {
			t.Fatalf("%q: the argument %q is not from the message %q", text, c.Text, c.Body)
		}
		for _, n := range c.Numbers {
			if n < 10 {
				t.Fatalf("%q names ticket %d", text, n)
			}
		}
		if again := Parse(text, s); again.Verb != c.Verb || again.Guess != c.Guess {
			t.Fatalf("%q is read as %v, then as %v", text, c, again)
		}
	})
}

func FuzzResolve(f *testing.F) {
	for i, text := range seeds(f) {
		f.Add(text, byte(i), byte(i/3))
	}
	f.Fuzz(func(t *testing.T, text string, shape, kind byte) {
		ctx := Context{Now: now, Works: shape&1 != 0, Channel: "sms", Held: two[:shape>>1&1+shape>>2&1], Own: one(142, ticket.New)}
		if shape&8 != 0 {
			ctx.Offers = []Offer{offer(143, 0), offer(142, 0)}[shape>>4&1:]
		}
		if shape&32 != 0 {
			ctx.Solved = solved
		}
		if shape&64 != 0 {
			act := Act{Verb: ticket.Note, Tickets: []int{142}}
			q := Question{Kind: []QuestionKind{Confirm, Which, Missing, Time, Lease, Answer, Similar, Late}[kind%8], Ticket: 142, At: now, Until: soon, Act: &act, Do: &Do{Kind: DoNew, Text: "x"}}
			ctx.Question = &q
		}
		switch i := Resolve(Parse(text, Speaker{Requester: !ctx.Works, Channel: "sms"}), ctx).(type) {
		case Act:
			if i.Verb == "" || len(i.Tickets) == 0 {
				t.Fatalf("%q: %+v acts on nothing", text, i)
			}
		case Ask:
			if i.Message == "" || i.Question.Kind == "" || !i.Question.Until.After(now) {
				t.Fatalf("%q: %+v asks for nothing", text, i)
			}
		case Say:
			if i.Message == "" {
				t.Fatalf("%q: says nothing", text)
			}
		case Do, Query, Nothing:
		default:
			t.Fatalf("%q: %T", text, i)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{
		"number":  "142",
		"done":    "please done 142 took a torn page out of tray 2",
		"guess":   "clsoe 142",
		"umlauts": "Übernehme 144",
		"report":  "the printer is jammed again it eats everything since this morning and nobody on our floor can print",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Parse(text, Speaker{Language: "de", Channel: "sms"})
			}
		})
	}
}

func BenchmarkResolve(b *testing.B) {
	c := Parse("ok", Speaker{Channel: "sms"})
	ctx := Context{Now: now, Works: true, Held: two, Memory: Memory{Offers: []Offer{offer(142, QuestionLife/2)}}}
	for b.Loop() {
		Resolve(c, ctx)
	}
}
