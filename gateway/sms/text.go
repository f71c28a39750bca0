package sms

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"deskbell/gateway"

	"github.com/fiorix/go-smpp/smpp/encoding"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutext"
)

// Values of data_coding (SMPP 3.4, 5.2.19).
const (
	CodingGSM7   = byte(pdutext.DefaultType)
	CodingIA5    = byte(0x01)
	CodingLatin1 = byte(pdutext.Latin1Type)
	CodingUCS2   = byte(pdutext.UCS2Type)
)

// MaxSegments is what the 8-bit part count of a concatenated message can say.
const MaxSegments = 255

// Text is a text cut into segments, each as it stands after the user data
// header.
type Text struct {
	Coding byte
	Bodies [][]byte
	ref    byte
}

// UDH returns the user data header of a segment (from 0), nil for a text that is
// one segment.
func (t Text) UDH(i int) []byte {
	if len(t.Bodies) == 1 {
		return nil
	}
	return ConcatUDH(t.ref, i+1, len(t.Bodies))
}

// EncodeText cuts a text: GSM 7-bit where its alphabet has every character (160
// septets, or 153 in each of several), else UCS-2 (70 UTF-16 units, or 67). No
// cut falls into an escape pair, a surrogate pair or, unless it alone is longer
// than a segment, what a reader sees as one character.
func EncodeText(text string, ref byte) (Text, error) {
	return cut(text, ref, len(encoding.ValidateGSM7String(text)) == 0)
}

// encodeLatin1 is EncodeText for an SMSC that takes Latin-1 as its default
// alphabet and makes GSM 7-bit of it: cut by septets, written in octets.
func encodeLatin1(text string, ref byte) (Text, error) {
	isGSM := len(encoding.ValidateGSM7String(text)) == 0 && strings.IndexFunc(text, func(r rune) bool { return r > 0xFF }) < 0
	t, err := cut(text, ref, isGSM)
	if err != nil || !isGSM {
		return t, err
	}
	for i, body := range t.Bodies {
		t.Bodies[i] = nil
		for _, r := range decodeGSM7(body) {
			t.Bodies[i] = append(t.Bodies[i], byte(r))
		}
	}
	return t, nil
}

func cut(text string, ref byte, isGSM bool) (Text, error) {
	if !utf8.ValidString(text) {
		return Text{}, errors.New("text is not UTF-8")
	}
	coding, single, several, encode := CodingGSM7, 160, 153, encodeGSM7
	if !isGSM {
		coding, single, several, encode = CodingUCS2, 140, 134, encodeUCS2
	}
	all := encode(text)
	t := Text{Coding: coding, ref: ref, Bodies: [][]byte{all}}
	if len(all) <= single {
		return t, nil
	}
	t.Bodies = t.Bodies[:0]
	var body []byte
	add := func(piece []byte) {
		if len(body)+len(piece) > several {
			t.Bodies, body = append(t.Bodies, body), nil
		}
		body = append(body, piece...)
	}
	for cluster := range clusters(text) {
		if piece := encode(cluster); len(piece) <= several {
			add(piece)
			continue
		}
		for _, r := range cluster {
			add(encode(string(r)))
		}
	}
	t.Bodies = append(t.Bodies, body)
	if len(t.Bodies) > MaxSegments {
		return Text{}, fmt.Errorf("text needs %d segments, more than %d", len(t.Bodies), MaxSegments)
	}
	return t, nil
}

func encodeGSM7(text string) []byte { return pdutext.GSM7(text).Encode() }

func encodeUCS2(text string) []byte { return pdutext.UCS2(text).Encode() }

// clusters yields what a reader sees as one character. It joins rather too much
// than too little: a segment that is a character short costs nothing.
func clusters(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		start, flags := 0, 0
		var before rune
		for i, r := range text {
			if i > 0 && !joined(before, r, flags) {
				if !yield(text[start:i]) {
					return
				}
				start, flags = i, 0
			}
			if isFlag(r) {
				flags++
			}
			before = r
		}
		if start < len(text) {
			yield(text[start:])
		}
	}
}

const zeroWidthJoiner = '\u200d'

func isFlag(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }

func joined(before, r rune, flags int) bool {
	switch {
	case before == '\r' && r == '\n', before == zeroWidthJoiner:
		return true
	case isFlag(before) && isFlag(r):
		return flags%2 == 1
	case r >= 0x1F3FB && r <= 0x1F3FF, r >= 0xE0020 && r <= 0xE007F, r == zeroWidthJoiner, r == '\u200c':
		return true // skin tones, tags, joiners
	case r >= 0x1160 && r <= 0x11FF, before >= 0x1100 && before <= 0x115F && unicode.Is(unicode.Hangul, r):
		return true // Hangul written letter by letter
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Mc)
}

// Join decodes the parts of a concatenated message together, in the order of
// their numbers: a sender may cut a character in two. A part that came twice
// counts once; where parts are missing the text has a gap. Parts of different
// groups are an error.
func Join(parts []gateway.Part) (string, error) {
	if len(parts) == 0 {
		return "", errors.New("no parts")
	}
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b gateway.Part) int { return cmp.Compare(a.Number, b.Number) })
	var text strings.Builder
	var run []byte
	for i, p := range parts {
		if p.Group != parts[0].Group || p.Total != parts[0].Total || p.Number < 1 || p.Number > p.Total {
			return "", fmt.Errorf("part %d of %d does not belong to the group", p.Number, p.Total)
		}
		if i > 0 && p.Number == parts[i-1].Number {
			continue
		}
		run = append(run, p.Data...)
		next := i + 1
		for next < len(parts) && parts[next].Number == p.Number {
			next++
		}
		if next == len(parts) || parts[next].Number != p.Number+1 || parts[next].Coding != p.Coding {
			text.WriteString(DecodeText(p.Coding, run))
			run = nil
		}
	}
	return text.String(), nil
}

// DecodeText reads the octets of a data_coding. It never fails: what the coding
// does not know becomes U+FFFD, and so does a NUL, which no store takes.
func DecodeText(coding byte, data []byte) string {
	return strings.ReplaceAll(decodeText(coding, data), "\x00", "\uFFFD")
}

func decodeText(coding byte, data []byte) string {
	switch {
	case coding == CodingUCS2:
		return decodeUCS2(data)
	case coding == CodingLatin1:
		return string(pdutext.Latin1(data).Decode())
	case coding == byte(pdutext.ISO88595Type):
		return string(pdutext.ISO88595(data).Decode())
	case coding == CodingGSM7, coding >= 0xF0 && coding&0x04 == 0: // 0xFx: a message class, GSM 7-bit
		return decodeGSM7(data)
	case utf8.Valid(data): // IA5, and octets that happen to be text
		return string(data)
	}
	return string(pdutext.Latin1(data).Decode())
}

// decodeGSM7 reads septets in octets. The library's decoder refuses the whole
// text for one character it does not know, so such a text is read one by one.
func decodeGSM7(data []byte) string {
	decoder := encoding.GSM7(false).NewDecoder()
	if text, err := decoder.Bytes(data); err == nil {
		return string(text)
	}
	var text strings.Builder
	for len(data) > 0 {
		n := 1
		if data[0] == 0x1B && len(data) > 1 {
			n = 2
		}
		one, err := decoder.Bytes(data[:n])
		if err != nil {
			one = []byte("\uFFFD")
		}
		text.Write(one)
		data = data[n:]
	}
	return text.String()
}

func decodeUCS2(data []byte) string {
	units := make([]uint16, 0, len(data)/2+1)
	for i := 0; i+1 < len(data); i += 2 {
		units = append(units, uint16(data[i])<<8|uint16(data[i+1]))
	}
	if len(data)%2 == 1 {
		units = append(units, 0xFFFD)
	}
	return string(utf16.Decode(units))
}
