package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Message is one message to a person.
type Message struct {
	ID   string
	Text string
	At   time.Time
	Own  bool // written by the person
}

// Wire is a phone or a chat: what a person reads and writes. A story must expect
// every message; in which order is its own business.
type Wire struct {
	t       testing.TB
	who     string
	history func() ([]Message, error)
	write   func(text string) error

	before  int // messages that are no concern of this story
	seen    map[string]bool
	allowed [][]string
}

func contains(text string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// begin leaves what has come so far to earlier stories.
func (w *Wire) begin() {
	w.t.Helper()
	all, err := w.history()
	if err != nil {
		w.t.Fatalf("%s: %v", w.who, err)
	}
	w.before = len(all)
}

// read returns the story's messages from the desk.
func (w *Wire) read() []Message {
	w.t.Helper()
	all, err := w.history()
	if err != nil {
		w.t.Fatalf("%s: %v", w.who, err)
	}
	var got []Message
	for _, m := range all[min(w.before, len(all)):] {
		if !m.Own {
			got = append(got, m)
		}
	}
	return got
}

// Expect waits for a message, not expected yet, that contains all parts.
func (w *Wire) Expect(parts ...string) *Wire {
	w.t.Helper()
	w.Read(parts...)
	return w
}

// Read is Expect that returns the message.
func (w *Wire) Read(parts ...string) Message {
	w.t.Helper()
	m, ok := w.within(Patience, parts)
	if !ok {
		w.t.Fatalf("%s got no message with %q within %s; has:\n%s", w.who, parts, Patience, w.story())
	}
	return m
}

// ExpectWithin is Expect with another patience.
func (w *Wire) ExpectWithin(limit time.Duration, parts ...string) *Wire {
	w.t.Helper()
	if _, ok := w.within(limit, parts); !ok {
		w.t.Fatalf("%s got no message with %q within %s; has:\n%s", w.who, parts, limit, w.story())
	}
	return w
}

func (w *Wire) within(limit time.Duration, parts []string) (found Message, ok bool) {
	w.t.Helper()
	ok = eventually(limit, func() bool {
		for _, m := range w.read() {
			if !w.seen[m.ID] && contains(m.Text, parts) {
				w.seen[m.ID], found = true, m
				return true
			}
		}
		return false
	})
	return found, ok
}

// ExpectOne waits for the message that contains one of several texts, and tells
// which.
func (w *Wire) ExpectOne(texts ...string) int {
	w.t.Helper()
	found := -1
	if !eventually(Patience, func() bool {
		for _, m := range w.read() {
			for i, text := range texts {
				if !w.seen[m.ID] && strings.Contains(m.Text, text) {
					w.seen[m.ID], found = true, i
					return true
				}
			}
		}
		return false
	}) {
		w.t.Fatalf("%s got none of %q within %s; has:\n%s", w.who, texts, Patience, w.story())
	}
	return found
}

// Count is how many messages of this story contain all parts, expected or not.
func (w *Wire) Count(parts ...string) int {
	w.t.Helper()
	n := 0
	for _, m := range w.read() {
		if contains(m.Text, parts) {
			n++
		}
	}
	return n
}

// Reply writes a text.
func (w *Wire) Reply(text string) *Wire {
	w.t.Helper()
	if err := w.write(text); err != nil {
		w.t.Fatalf("%s cannot write %q: %v", w.who, text, err)
	}
	return w
}

// Allow lets messages that contain all parts come without being expected.
func (w *Wire) Allow(parts ...string) *Wire {
	w.allowed = append(w.allowed, parts)
	return w
}

// unexpected are the messages that no Expect and no Allow covers.
func (w *Wire) unexpected() []Message {
	w.t.Helper()
	return slices.DeleteFunc(w.read(), func(m Message) bool {
		return w.seen[m.ID] || slices.ContainsFunc(w.allowed, func(parts []string) bool { return contains(m.Text, parts) })
	})
}

// story is the wire's history since the story began, for people to read: + what
// was expected, ? what was not, > what the person wrote.
func (w *Wire) story() string {
	all, err := w.history()
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, m := range all[min(w.before, len(all)):] {
		mark := "?"
		switch {
		case m.Own:
			mark = ">"
		case w.seen[m.ID]:
			mark = "+"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", mark, m.At.Format("15:04:05.000"), m.Text)
	}
	if b.Len() == 0 {
		return "  nothing at all"
	}
	return b.String()
}
