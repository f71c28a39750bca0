package command

import (
	"strings"
	"unicode"
)

// reaction recognises a tapback: what a phone sends when its owner taps a heart on
// a text of ours.
func reaction(body string) bool {
	first := strings.IndexAny(body, "“\"„«")
	if first <= 0 || first > 60 {
		return false
	}
	head := fold(body[:first])
	for _, r := range grammar.Reactions {
		if strings.HasPrefix(head, r) {
			return quoteEnds(body)
		}
	}
	return false
}

func quoteEnds(body string) bool {
	for _, q := range []string{"”", `"`, "“", "»", "markiert", "reagiert"} {
		if strings.HasSuffix(strings.TrimRight(body, ". "), q) {
			return true
		}
	}
	return false
}

// automatic recognises a reply that no person wrote.
func automatic(body string) bool {
	if len(body) < 12 {
		return false
	}
	head := body
	if len(head) > 64 {
		head = strings.ToValidUTF8(head[:64], "")
	}
	head = fold(head)
	for _, a := range grammar.Automatic {
		if strings.HasPrefix(head, a) {
			return true
		}
	}
	return false
}

// emoji recognises a message that is nothing but thumbs.
func emoji(body string) (Verb, bool) {
	var verb Verb
	if body[0] < 0x80 {
		return "", false
	}
	for _, r := range body {
		switch {
		case strings.ContainsRune(grammar.Emoji.Yes, r) && verb != No:
			verb = Yes
		case strings.ContainsRune(grammar.Emoji.No, r) && verb != Yes:
			verb = No
		case r == '\uFE0F', r == '\u200D', r >= 0x1F3FB && r <= 0x1F3FF, unicode.IsSpace(r), r == '♂', r == '♀':
		default:
			return "", false
		}
	}
	return verb, verb != ""
}
