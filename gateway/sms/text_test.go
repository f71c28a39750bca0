package sms_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"deskbell/gateway"
	"deskbell/gateway/sms"

	"pgregory.net/rapid"
)

func TestSegmentBoundaries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text     string
		segments int
	}{
		"empty":                        {"", 1},
		"160 septets":                  {strings.Repeat("a", 160), 1},
		"161 septets":                  {strings.Repeat("a", 161), 2},
		"306 septets":                  {strings.Repeat("a", 306), 2},
		"307 septets":                  {strings.Repeat("a", 307), 3},
		"80 escapes":                   {strings.Repeat("€", 80), 1},
		"153 escapes, 76 in a segment": {strings.Repeat("€", 153), 3},
		"70 units":                     {strings.Repeat("ł", 70), 1},
		"71 units":                     {strings.Repeat("ł", 71), 2},
		"35 pairs":                     {strings.Repeat("😀", 35), 1},
		"67 pairs, 33 in a segment":    {strings.Repeat("😀", 67), 3},
	} {
		got, err := sms.EncodeText(tc.text, 1)
		if err != nil || len(got.Bodies) != tc.segments {
			t.Errorf("%s: %d segments, want %d, %v", name, len(got.Bodies), tc.segments, err)
		}
	}
}

// What a reader sees as one character stays in one segment.
func TestClustersStayWhole(t *testing.T) {
	t.Parallel()
	for name, cluster := range map[string]string{
		"family": "👩‍👩‍👧‍👦", "flag": "🇩🇪", "skin": "👍🏽", "accents": "e\u0301\u0323", "tagged flag": "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "keycap": "1️⃣", "hangul": "각", "line": "\r\n",
	} {
		for offset := range 12 {
			text := strings.Repeat("ł", 60+offset) + strings.Repeat(cluster, 3) + strings.Repeat("ł", 10)
			encoded, err := sms.EncodeText(text, 1)
			if err != nil {
				t.Fatal(err)
			}
			var joined string
			for _, body := range encoded.Bodies {
				joined += "|" + sms.DecodeText(encoded.Coding, body)
			}
			if whole := strings.Count(joined, cluster); whole != 3 {
				t.Errorf("%s at %d: cut in %q", name, offset, joined)
			}
		}
	}
}

func TestEncodeTextKeepsEveryText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SampledFrom([]string{"abc €{}[]~^|\\äöüß@\n", "ab😀👩‍👧\u0301🇩🇪łж漢", "x"}).Draw(t, "alphabet")
		text := rapid.StringOfN(rapid.SampledFrom([]rune(alphabet)), 0, 500, -1).Draw(t, "text")
		ref := rapid.Byte().Draw(t, "ref")
		encoded, err := sms.EncodeText(text, ref)
		if err != nil {
			t.Fatal(err)
		}
		var parts []gateway.Part
		for i, body := range encoded.Bodies {
			limit := 140
			if encoded.Coding == sms.CodingGSM7 {
				limit = 160
			}
			if len(encoded.Bodies) > 1 {
				limit -= 6 + limit/160 // 134 octets, 153 septets
			}
			if len(body) > limit || len(body) == 0 && text != "" {
				t.Fatalf("part %d has %d octets", i+1, len(body))
			}
			if bytes.HasSuffix(body, []byte{0x1B}) && encoded.Coding == sms.CodingGSM7 {
				t.Fatalf("part %d ends in an escape", i+1)
			}
			if !utf8.ValidString(sms.DecodeText(encoded.Coding, body)) || strings.ContainsRune(sms.DecodeText(encoded.Coding, body), '\uFFFD') {
				t.Fatalf("part %d cannot be read alone", i+1)
			}
			parts = append(parts, gateway.Part{Group: "g", Number: i + 1, Total: len(encoded.Bodies), Coding: encoded.Coding, Data: body})
		}
		rapid.Permutation(parts).Draw(t, "order")
		if got, err := sms.Join(parts); err != nil || got != text {
			t.Fatalf("joined %q, %v", got, err)
		}
	})
}

func TestJoin(t *testing.T) {
	t.Parallel()
	part := func(n, total int, coding byte, data string) gateway.Part {
		return gateway.Part{Group: "g", Number: n, Total: total, Coding: coding, Data: []byte(data)}
	}
	for name, tc := range map[string]struct {
		parts []gateway.Part
		want  string
	}{
		"out of order":           {[]gateway.Part{part(2, 2, 0, "b"), part(1, 2, 0, "a")}, "ab"},
		"twice":                  {[]gateway.Part{part(1, 2, 0, "a"), part(2, 2, 0, "b"), part(1, 2, 0, "a")}, "ab"},
		"twice, a character cut": {[]gateway.Part{part(1, 2, 8, "\x01"), part(1, 2, 8, "\x01"), part(2, 2, 8, "\x42")}, "ł"},
		"surrogate pair cut":     {[]gateway.Part{part(1, 2, 8, "\xd8\x3d"), part(2, 2, 8, "\xde\x00")}, "😀"},
		"escape pair cut":        {[]gateway.Part{part(1, 2, 0, "\x1b"), part(2, 2, 0, "e")}, "€"},
		"two codings":            {[]gateway.Part{part(1, 2, 0, "a"), part(2, 2, 8, "\x01\x42")}, "ał"},
		"the end is missing":     {[]gateway.Part{part(1, 3, 0, "a"), part(2, 3, 0, "b")}, "ab"},
		"no joining over a gap":  {[]gateway.Part{part(1, 3, 0, "a\x1b"), part(3, 3, 0, "e")}, "a\uFFFDe"},
	} {
		if got, err := sms.Join(tc.parts); err != nil || got != tc.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, parts := range map[string][]gateway.Part{
		"none":          nil,
		"two groups":    {part(1, 2, 0, "a"), {Group: "h", Number: 2, Total: 2}},
		"two totals":    {part(1, 2, 0, "a"), part(2, 3, 0, "b")},
		"part 0":        {part(0, 2, 0, "a")},
		"part 3 of two": {part(3, 2, 0, "a")},
	} {
		if got, err := sms.Join(parts); err == nil {
			t.Errorf("%s: joined %q", name, got)
		}
	}
}

func TestDecodeText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		coding byte
		data   string
		want   string
	}{
		{0, "a\x00b\x1be", "a@b€"},
		{0, "a\x1bz\x80b\x1b", "a\uFFFD\uFFFDb\uFFFD"},
		{0xF0, "\x00", "@"},
		{1, "plain @", "plain @"},
		{1, "caf\xe9", "café"},
		{3, "na\xefve", "naïve"},
		{4, "octets", "octets"},
		{6, "\xb4\xd0", "Да"},
		{8, "\x00a\x00\x00\x00b", "a\uFFFDb"},
		{8, "\xd8\x3d", "\uFFFD"},
		{8, "\x00a\x01", "a\uFFFD"},
		{3, "a\x00b", "a\uFFFDb"},
	} {
		if got := sms.DecodeText(tc.coding, []byte(tc.data)); got != tc.want {
			t.Errorf("coding %d, %q: %q, want %q", tc.coding, tc.data, got, tc.want)
		}
	}
}

func FuzzJoin(f *testing.F) {
	f.Add(byte(0), []byte("hello \x1be"), []byte("world"), 1, 2)
	f.Add(byte(8), []byte("\xd8\x3d"), []byte("\xde\x00"), 1, 2)
	f.Add(byte(3), []byte("\x00"), []byte("\xff"), 2, 2)
	f.Add(byte(0xF4), []byte{}, []byte("\x80"), 0, 0)
	f.Fuzz(func(t *testing.T, coding byte, a, b []byte, number, total int) {
		parts := []gateway.Part{
			{Number: number, Total: total, Coding: coding, Data: a}, {Number: number + 1, Total: total, Coding: coding, Data: b},
		}
		text, err := sms.Join(parts)
		if err == nil && (!utf8.ValidString(text) || strings.ContainsRune(text, 0)) {
			t.Errorf("joined %q", text)
		}
	})
}

// What comes off the wire must never panic, and what is read must be written the
// same.
func FuzzFrame(f *testing.F) {
	for _, m := range []sms.ShortMessage{
		{Body: []byte("hello")}, {UDH: []byte{0, 3, 1, 2, 1}, Body: []byte("hello")}, {Body: make([]byte, 400)},
	} {
		frame, err := sms.Encode(deliverMessage(7, m))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
		f.Add(frame[:len(frame)/2])
	}
	f.Add(rawFrame(0x80000004, 1, []byte("77\x00")))
	f.Add(rawFrame(0x103, 1, []byte("\x00\x01\x01491\x00\x01\x01492\x00\x00\x01\x00\x04\x24\x00\x02hi")))
	f.Add(rawFrame(0x09, 1, []byte("id\x00pw\x00\x00\x34\x00\x00\x00")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		frame, err := sms.ReadFrame(bytes.NewReader(stream))
		if err != nil {
			return
		}
		p, err := sms.Decode(frame)
		if err != nil {
			_, _ = sms.Encode(p.Response(sms.StatusPermanent))
			return
		}
		if m, err := sms.ParseShortMessage(p); err == nil {
			m.Concat()
			sms.DecodeText(m.Coding, m.Body)
		}
		first, err := sms.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := sms.Decode(first)
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if second, err := sms.Encode(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%x became %x, %v", first, second, err)
		}
	})
}
