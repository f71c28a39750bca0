package notice

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// next returns the length in bytes of the first grapheme of s: what a reader
// takes for one character. It keeps together what UAX 29 keeps together, and
// never splits more than that.
func next(s string) int {
	before, n := utf8.DecodeRuneInString(s)
	flags := 0
	for n < len(s) {
		if regional(before) {
			flags++
		}
		r, size := utf8.DecodeRuneInString(s[n:])
		if !joins(before, r, flags) {
			break
		}
		before, n = r, n+size
	}
	return n
}

func joins(before, r rune, flags int) bool {
	switch {
	case before == '\r' && r == '\n':
		return true
	case unicode.IsControl(before) || unicode.IsControl(r):
		return false
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Mc), r == '\u200C', r == '\u200D', modifier(r):
		return true
	case before == '\u200D':
		return isEmoji(r) || unicode.IsLetter(r)
	case regional(before) && regional(r):
		return flags%2 == 1
	case leadingJamo(before):
		return leadingJamo(r) || trailingJamo(r) || r >= 0xAC00 && r <= 0xD7A3
	case trailingJamo(r):
		return trailingJamo(before) || before >= 0xAC00 && before <= 0xD7A3
	case virama(before):
		return unicode.IsLetter(r)
	}
	return false
}

func regional(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }

// modifier is a skin tone, a tag or a half-width voice mark.
func modifier(r rune) bool {
	return r >= 0x1F3FB && r <= 0x1F3FF || r >= 0xE0020 && r <= 0xE007F || r == 0xFF9E || r == 0xFF9F
}

func leadingJamo(r rune) bool { return r >= 0x1100 && r <= 0x115F || r >= 0xA960 && r <= 0xA97C }

func trailingJamo(r rune) bool { return r >= 0x1160 && r <= 0x11FF || r >= 0xD7B0 && r <= 0xD7FB }

// virama joins the consonant after it: canonical combining class 9.
func virama(r rune) bool {
	return r > 0x0900 && norm.NFC.PropertiesString(string(r)).CCC() == 9
}

// width is the length of s in UTF-16 code units, which is what a character costs
// in the dearer of the two encodings.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// cut shortens a text to a width of at most limit, the three dots included,
// between graphemes and at the end of a word where one is near.
func cut(s string, limit int) string {
	if width(s) <= limit {
		return s
	}
	const dots = "..."
	if limit <= len(dots) {
		return dots[:max(limit, 0)]
	}
	end, space, used := 0, 0, len(dots)
	for {
		n := next(s[end:])
		if used += width(s[end : end+n]); used > limit {
			break
		}
		if s[end] == ' ' {
			space = end
		}
		end += n
	}
	if s[end] != ' ' && end-space <= 12 && space > 0 {
		end = space
	}
	return strings.TrimRight(s[:end], " ,.;:-") + dots
}

// cutBytes shortens a text to at most so many bytes, between graphemes.
func cutBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const dots = "..."
	end := 0
	for end+next(s[end:]) <= limit-len(dots) {
		end += next(s[end:])
	}
	return strings.TrimRight(s[:end], " ") + dots
}
