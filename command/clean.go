package command

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// clean takes what mail and chat programs add out of a message: quoted lines,
// the signature, control characters. It returns the number of the ticket that the
// quoted lines name first.
func clean(text string) (body string, quoted int) {
	text = printable(text)
	if !strings.ContainsAny(text, "\n>") && !signature(text) {
		return strings.TrimSpace(text), 0
	}
	var kept []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, ">"):
			if quoted == 0 {
				quoted = firstHash(trimmed)
			}
			continue
		case signature(trimmed), attribution(trimmed) && len(kept) > 0, trimmed == "--" && len(kept) > 0:
			return strings.TrimSpace(strings.Join(kept, "\n")), quoted
		case attribution(trimmed):
			continue
		}
		kept = append(kept, line)
	}
	return strings.TrimSpace(strings.Join(kept, "\n")), quoted
}

// printable drops control characters other than line feed and tab, and makes the
// text valid UTF-8. Format characters stay: emoji and Persian need them.
func printable(text string) string {
	if strings.IndexFunc(text, dropped) < 0 && utf8.ValidString(text) {
		return text
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if dropped(r) {
			return -1
		}
		return r
	}, text)
}

func dropped(r rune) bool {
	return r != '\n' && r != '\t' && unicode.Is(unicode.Cc, r) || r == '\uFEFF'
}

func signature(line string) bool {
	return hasPrefixFold(line, "Sent from my ") || hasPrefixFold(line, "Get Outlook for ") ||
		hasPrefixFold(line, "Von meinem iPhone gesendet") || hasPrefixFold(line, "Gesendet von ") ||
		hasPrefixFold(line, "Envoyé de mon ") || hasPrefixFold(line, "Enviado desde mi ")
}

// attribution is the line that mail programs put before what they quote.
func attribution(line string) bool {
	if strings.HasPrefix(line, "-----Original Message") || strings.HasPrefix(line, "-----Ursprüngliche Nachricht") {
		return true
	}
	if len(line) > 200 || !strings.HasSuffix(line, ":") {
		return false
	}
	return strings.HasPrefix(line, "On ") && strings.HasSuffix(line, " wrote:") ||
		strings.HasPrefix(line, "Am ") && strings.Contains(line, " schrieb ") ||
		strings.HasPrefix(line, "Le ") && strings.Contains(line, " a écrit") ||
		strings.HasPrefix(line, "El ") && strings.Contains(line, " escribió")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// firstHash is the first "#142" in a line.
func firstHash(line string) int {
	for {
		i := strings.IndexByte(line, '#')
		if i < 0 {
			return 0
		}
		line = line[i+1:]
		end := 0
		for end < len(line) && line[end] >= '0' && line[end] <= '9' {
			end++
		}
		if n, ok := ticketNumber(line[:end]); ok {
			return n
		}
	}
}

// fold makes words comparable: compatibility forms, lower case, ASCII digits, no
// format characters.
func fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return foldUnicode(s)
		}
	}
	return strings.ToLower(s)
}

func foldUnicode(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= utf8.RuneSelf && unicode.Is(unicode.Nd, r):
			return '0' + digit(r)
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(s))
}

// digit is the value of a decimal digit of any script: Unicode encodes each
// script's ten digits in a row that begins at zero, and rows that follow each
// other without a gap still begin at a multiple of ten.
func digit(r rune) rune {
	zero := r
	for unicode.Is(unicode.Nd, zero-1) {
		zero--
	}
	return (r - zero) % 10
}

// ticketNumber reads a run of ASCII digits. One digit is a keypad answer and a
// leading zero a phone number or a room: neither is a ticket.
func ticketNumber(s string) (int, bool) {
	if len(s) < 2 || len(s) > 9 || s[0] == '0' {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}
