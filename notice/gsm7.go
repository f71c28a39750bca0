package notice

import (
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

// Encoding is how an SMS is coded on the air.
type Encoding string

// The encodings: seven-bit characters of GSM 03.38, or UTF-16 code units.
const (
	GSM7 Encoding = "gsm7"
	UCS2 Encoding = "ucs2"
)

// The default alphabet and its extension table of GSM 03.38 (3GPP TS 23.038,
// section 6.2.1). An extension character takes two units.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "\f^{}\\[~]|€"
)

// Units in one message, and in each part of a longer one, whose header takes six bytes.
const (
	gsmSingle, gsmPart = 160, 153
	ucsSingle, ucsPart = 70, 67
)

// SMSLength counts a text as it goes out: its encoding, its units (septets or
// UTF-16 code units) and the segments that they take. An extension character or
// a surrogate pair is not split between two segments.
func SMSLength(text string) (e Encoding, units, segments int) {
	gsm := isGSM(text)
	single, part := gsmSingle, gsmPart
	if e = GSM7; !gsm {
		e, single, part = UCS2, ucsSingle, ucsPart
	}
	segments, used := 1, 0
	for _, r := range text {
		width := 1
		if gsm && strings.ContainsRune(gsmExtension, r) || !gsm && utf16.RuneLen(r) == 2 {
			width = 2
		}
		units += width
		if used+width > part {
			segments, used = segments+1, 0
		}
		used += width
	}
	if units <= single {
		segments = 1
	}
	return e, units, segments
}

func isGSM(text string) bool {
	for _, r := range text {
		if !gsmRune(r) {
			return false
		}
	}
	return true
}

func gsmRune(r rune) bool {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == ' ' {
		return true
	}
	return strings.ContainsRune(gsmBasic, r) || strings.ContainsRune(gsmExtension, r)
}

// letters are spellings for characters that neither the alphabet nor Unicode's
// decompositions bring into it.
var letters = map[rune]string{
	'ł': "l", 'Ł': "L", 'đ': "d", 'Đ': "D", 'ð': "d", 'Ð': "D", 'þ': "th", 'Þ': "Th", 'ı': "i", 'ħ': "h", 'Ħ': "H",
	'œ': "oe", 'Œ': "OE", 'ẞ': "SS", 'ŋ': "n", 'Ŋ': "N", 'ŧ': "t", 'Ŧ': "T",
	'‘': "'", '’': "'", '‚': "'", '‛': "'", '“': `"`, '”': `"`, '„': `"`, '«': `"`, '»': `"`, '‹': "'", '›': "'",
	'‐': "-", '‑': "-", '‒': "-", '–': "-", '—': "-", '―': "-", '−': "-", '…': "...", '•': "*", '·': "*",
	'°': "deg", '×': "x", '÷': "/", '©': "(c)", '®': "(r)", '™': "TM", '`': "'", '´': "'", '\t': " ",
	'\u00A0': " ", '\u2007': " ", '\u2009': " ", '\u202F': " ", '\u200C': "", '\u200D': "", '\u200E': "", '\u200F': "",
}

// transliterate writes a text in GSM-7 letter by letter; ok is false when a
// character has no spelling there. With decorated, emoji are left out, unless
// there is nothing else.
func transliterate(text string, decorated bool) (gsm string, ok bool) {
	if isGSM(text) {
		return text, true
	}
	var b strings.Builder
	for _, r := range text {
		s, known := spell(r)
		if !known && (!decorated || !isEmoji(r)) {
			return text, false
		}
		b.WriteString(s)
	}
	gsm = strings.Join(strings.Fields(b.String()), " ")
	if !decorated {
		gsm = b.String()
	}
	return gsm, strings.TrimSpace(gsm) != ""
}

// spell writes one character in GSM-7.
func spell(r rune) (string, bool) {
	if gsmRune(r) {
		return string(r), true
	}
	if s, ok := letters[r]; ok {
		return s, true
	}
	if unicode.Is(unicode.Mn, r) && r < 0x0370 {
		return "", true // an accent on a letter that has just been written
	}
	var b strings.Builder
	for _, d := range norm.NFKD.String(string(r)) {
		switch {
		case gsmRune(d):
			b.WriteRune(d)
		case letters[d] != "":
			b.WriteString(letters[d])
		case unicode.Is(unicode.Mn, d):
		default:
			return "", false
		}
	}
	return b.String(), b.Len() > 0
}

// isEmoji tells the pictures and what only changes how they look.
func isEmoji(r rune) bool {
	return r >= 0x1F000 && r <= 0x1FAFF || r >= 0x2600 && r <= 0x27BF || r >= 0x2300 && r <= 0x23FF ||
		r >= 0x2B00 && r <= 0x2BFF || r == '\uFE0F' || r == '\u20E3' || r == '\u200D'
}
