package notice

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed messages.json
var messagesJSON []byte

// texts are the compiled messages; they are never written to afterwards.
var texts = compile(messagesJSON)

// Errors of Render.
var (
	// ErrUnknown is returned for an id that messages.json does not have.
	ErrUnknown = errors.New("no such message")
	// ErrSilent is returned for a message that is not sent by this channel.
	ErrSilent = errors.New("no text for this channel")
)

// Message is a text to be written.
type Message struct {
	ID       string
	Channel  string // "sms" or "im"
	Language string // BCP 47; English where there is no text in it
	// Values are the words to fill in, by the name of their placeholder. Every
	// placeholder needs one, but it may be empty.
	Values map[string]string
}

// Text is a message as it is sent.
type Text struct {
	Body string
	// The rest is for SMS only: the encoding that the body needs, its length in
	// septets or UTF-16 code units, and the segments that it takes.
	Encoding Encoding
	Units    int
	Segments int
}

// message is an entry of messages.json.
type message struct {
	ID string `json:"id"`
	// Segments is how many SMS a message may take that carries what somebody
	// wrote. Where it is not set, {subj} is a title and gives way. Up to two, emoji
	// are left out for SMS rather than paid for.
	Segments int               `json:"segments"`
	EN       map[string]string `json:"en"`
	DE       map[string]string `json:"de"`

	forms map[string]map[string]form // language, channel
}

// form is a text between whose literal parts the values go.
type form []part

type part struct {
	literal string
	name    string // of the value, when it is one
}

func compile(data []byte) map[string]*message {
	var list []*message
	if err := json.Unmarshal(data, &list); err != nil {
		panic("notice: messages.json: " + err.Error())
	}
	byID := map[string]*message{}
	for _, m := range list {
		m.forms = map[string]map[string]form{}
		for language, texts := range map[string]map[string]string{"en": m.EN, "de": m.DE} {
			m.forms[language] = map[string]form{}
			for channel, text := range texts {
				m.forms[language][channel] = parse(text)
			}
		}
		byID[m.ID] = m
	}
	return byID
}

func parse(text string) form {
	var f form
	for text != "" {
		open, end := strings.IndexByte(text, '{'), strings.IndexByte(text, '}')
		if open < 0 {
			return append(f, part{literal: text})
		}
		if open > 0 {
			f = append(f, part{literal: text[:open]})
		}
		f = append(f, part{name: text[open+1 : end]})
		text = text[end+1:]
	}
	return f
}

// Has tells whether a message has a text for a channel.
func Has(id, channel string) bool {
	m := texts[id]
	return m != nil && m.EN[channel] != ""
}

// Needs returns the names of the values that a message needs on a channel.
func Needs(id, channel, lang string) []string {
	m := texts[id]
	if m == nil {
		return nil
	}
	var names []string
	for _, p := range m.form(channel, lang) {
		if p.name != "" && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

func (m *message) form(channel, lang string) form {
	if f := m.forms[language(lang)][channel]; f != nil {
		return f
	}
	return m.forms["en"][channel]
}

// language is the one of ours that somebody reads.
func language(tag string) string {
	if b, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(tag, "_", "-")), "-"); b == "de" {
		return b
	}
	return "en"
}

// Render writes a message. People's words in the values come out as they are, but
// for control characters and what would reorder the text around them; for SMS
// they are spelt in GSM-7 where that is complete, and a title or a list is cut
// rather than the text around it.
func Render(m Message) (Text, error) {
	entry := texts[m.ID]
	if entry == nil {
		return Text{}, fmt.Errorf("notice %q: %w", m.ID, ErrUnknown)
	}
	f := entry.form(m.Channel, m.Language)
	if f == nil {
		return Text{}, fmt.Errorf("notice %q by %q: %w", m.ID, m.Channel, ErrSilent)
	}
	v, err := entry.values(f, m)
	if err != nil {
		return Text{}, err
	}
	if m.Channel != "sms" {
		return Text{Body: f.write(v.isolated(), unlimited)}, nil
	}
	return entry.fit(f, v), nil
}

// values are the cleaned values of a message.
type values map[string]items

func (m *message) values(f form, from Message) (values, error) {
	v := values{}
	for _, p := range f {
		if p.name == "" {
			continue
		}
		value, ok := from.Values[p.name]
		if !ok {
			return nil, fmt.Errorf("notice %q: no value for {%s}", m.ID, p.name)
		}
		v[p.name] = split(p.name, value, m.Segments > 0 && (p.name == "subj" || p.name == "subj2"))
		if len(v[p.name]) == 0 && (p.name == "list" || p.name == "list2" || p.name == "lines") {
			v[p.name] = items{{Subject: nothing(from.Language)}}
		}
	}
	return v, nil
}

func (v values) mapped(change func(string) string) values {
	changed := values{}
	for name, list := range v {
		for _, it := range list {
			it.Subject = change(it.Subject)
			changed[name] = append(changed[name], it)
		}
	}
	return changed
}

func (v values) isolated() values { return v.mapped(isolate) }

// gsm spells all values in GSM-7; ok is false when one of them cannot be.
func (v values) gsm(decorated bool) (spelt values, ok bool) {
	ok = true
	spelt = v.mapped(func(s string) string {
		t, complete := transliterate(s, decorated)
		ok = ok && (complete || s == "")
		return t
	})
	return spelt, ok
}

// unlimited is a limit that no value reaches.
const unlimited = 1 << 30

// flexible values give way when a text is too long.
var flexible = []string{"subj", "subj2", "text", "list", "list2", "lines"}

// legible is the width of a title that must be left; for less, a further segment
// is sent.
const legible = 20

// fit writes a text for SMS: in as few segments as leave the flexible values
// legible, with as much of these values as the segments hold.
func (m *message) fit(f form, v values) Text {
	if spelt, ok := v.gsm(m.Segments <= 2); ok {
		v = spelt
	}
	measure := func(limit int) Text {
		body := f.write(v, limit)
		e, units, segments := SMSLength(body)
		return Text{body, e, units, segments}
	}
	whole := measure(unlimited)
	allowed := max(measure(legible).Segments, m.Segments)
	if whole.Segments <= allowed {
		return whole
	}
	low, high := legible, whole.Units
	for low+1 < high {
		middle := (low + high) / 2
		if measure(middle).Segments <= allowed {
			low = middle
		} else {
			high = middle
		}
	}
	return measure(low)
}

// write fills the values in. A flexible value is at most limit wide.
func (f form) write(v values, limit int) string {
	var b strings.Builder
	skip := ""
	for _, p := range f {
		literal := p.literal
		if p.name == "" {
			if skip != "" {
				literal = strings.TrimPrefix(literal, skip)
			}
			if strings.HasPrefix(literal, ".") && endsSentence(b.String()) {
				literal = literal[1:]
			}
			b.WriteString(literal)
			skip = ""
			continue
		}
		text := v[p.name].write(p.name, limit)
		if text == "" && !bringsSpace(p.name) {
			trimmed := strings.TrimSuffix(strings.TrimSuffix(b.String(), " "), ",")
			b.Reset()
			b.WriteString(trimmed)
			if trimmed == "" || strings.HasSuffix(trimmed, "\n") {
				skip = " "
			}
		}
		b.WriteString(text)
	}
	return b.String()
}

// endsSentence tells whether a full stop after s would be one too many.
func endsSentence(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(".!?。！？", last)
}

// clean makes people's words safe to stand in a line of ours. Lines are kept only
// in what somebody wrote as a message.
func clean(s string, lines bool) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && lines:
			return r
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			return ' '
		case r == '\u200C' || r == '\u200D' || r == '\u200E' || r == '\u200F':
			return r
		case unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar: // overrides, embeddings, isolates, invisible tags
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if lines {
		return strings.TrimSpace(s)
	}
	return strings.Join(strings.Fields(s), " ")
}

// isolate keeps a right-to-left text from reordering what stands around it. A text
// of ours within another has its isolates already; people's have lost theirs.
func isolate(s string) string {
	const firstStrong, pop = "\u2068", "\u2069"
	if strings.IndexFunc(s, rightToLeft) < 0 || strings.Contains(s, firstStrong) {
		return s
	}
	return firstStrong + s + pop
}

func rightToLeft(r rune) bool {
	return r >= 0x0590 && r <= 0x08FF || r >= 0xFB1D && r <= 0xFDFF || r >= 0xFE70 && r <= 0xFEFF ||
		r >= 0x10800 && r <= 0x10FFF || r >= 0x1E800 && r <= 0x1EFFF || r == '\u200F'
}
