package e2e

import (
	"fmt"
	"net/url"
	"testing"
	"time"
)

// browser is a headless Chromium.
type browser struct{ *node }

// do has a command done and returns when it was, in milliseconds, and its text.
func (b browser) do(command string, page string, more map[string]any) (int64, string) {
	b.t.Helper()
	c := map[string]any{"do": command, "page": page, "timeout": 2 * Patience.Milliseconds()}
	for k, v := range more {
		c[k] = v
	}
	b.tell(c)
	var answer struct {
		At          int64
		Error, Text string
	}
	if err := b.hear(&answer); err != nil {
		b.t.Fatal(err)
	}
	if answer.Error != "" {
		if command != "open" {
			_, text := b.do("text", page, nil)
			b.t.Logf("the page %s:\n%s", page, text)
		}
		b.t.Fatalf("%s on %s: %s", command, page, answer.Error)
	}
	return answer.At, answer.Text
}

// pages claims by the page of phones and by a browser chat, and watches the board.
func pages(t *testing.T, desk *Desk) {
	b := browser{startNode(t, "testdata/browser", "drive.js", chromium(t))}
	ann, bob := desk.Person("ann"), desk.Person("bob")
	aside(desk, "we have your request", "is on your request")
	desk.Free("bob")
	b.do("open", "board", map[string]any{"url": desk.HTTP + "/"})
	b.do("open", "phone", map[string]any{"url": desk.Phones + "/?phone=" + url.QueryEscape(bob.Number)})

	n := ann.Submit("Scanner hums", "P3")
	b.do("see", "board", map[string]any{"selector": "section[aria-labelledby=waiting] li", "texts": []string{number(n), "Scanner hums"}})
	bob.Phone().Expect(number(n), "to take")
	b.do("see", "phone", map[string]any{"selector": "li", "texts": []string{number(n), "Scanner hums"}})
	typed, _ := b.do("type", "phone", map[string]any{"selector": "textarea", "text": fmt.Sprint(n)})
	shown, _ := b.do("see", "board", map[string]any{"selector": "section[aria-labelledby=working] li", "texts": []string{number(n), "Bob"}})
	t.Logf("the board shows a claim %d ms after it was typed", shown-typed)
	if shown-typed > time.Second.Milliseconds() {
		t.Errorf("the board shows a claim after %d ms, want a second", shown-typed)
	}
	b.do("see", "board", map[string]any{"selector": "section[aria-labelledby=people] li", "texts": []string{"Bob", number(n)}})
	b.do("kept", "board", nil)
	bob.Phone().Expect(number(n) + " is yours")
	b.do("see", "phone", map[string]any{"selector": "li", "texts": []string{number(n) + " is yours"}})

	b.do("open", "chat", map[string]any{"url": desk.Phones + "/chat/bob"})
	desk.presence(bob, "available")
	desk.Advance(time.Minute) // offers within a minute are bundled
	n = ann.Submit("Monitor flickers", "P3")
	b.do("see", "chat", map[string]any{"selector": ".chat-msg__text", "texts": []string{number(n), "Monitor flickers"}})
	b.do("type", "chat", map[string]any{"selector": "textarea.chat-textarea", "text": fmt.Sprint(n)})
	b.do("see", "chat", map[string]any{"selector": ".chat-msg__text", "texts": []string{number(n) + " is yours"}})
	b.do("see", "board", map[string]any{"selector": "section[aria-labelledby=working] li", "texts": []string{number(n), "Bob"}})
	b.do("kept", "board", nil)
	desk.Await(n, "assigned", "bob")
}
