package im

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-xmpp"
	"pgregory.net/rapid"
)

func TestWireID(t *testing.T) {
	t.Parallel()
	id := wireID("ticket-142/3", "Alice@helpdesk.test/phone")
	if id != wireID("ticket-142/3", "alice@helpdesk.test") {
		t.Error("the id depends on the resource")
	}
	if id == wireID("ticket-142/4", "alice@helpdesk.test") || id == wireID("ticket-142/3", "bob@helpdesk.test") {
		t.Error("ids collide")
	}
	if !addressedTo(id, "alice@HELPDESK.test/tablet") {
		t.Error("alice's receipt is refused")
	}
	for _, other := range []string{"eve@helpdesk.test", "", "alice"} {
		if addressedTo(id, other) {
			t.Errorf("%q may send alice's receipt", other)
		}
	}
	for _, forged := range []string{"", "x", id + "A", "....", strings.Repeat("A", 24)} {
		if addressedTo(forged, "alice@helpdesk.test") {
			t.Errorf("%q passes for an id of ours", forged)
		}
	}
}

func TestTextOfAMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ xml, want string }{
		"plain":           {`<body>hi</body>`, "hi"},
		"none":            {``, ""},
		"other namespace": {`<body xmlns='urn:evil'>evil</body><body>hi</body><body xmlns='urn:evil'>evil</body>`, "hi"},
		"languages":       {`<body xml:lang='de'>hallo</body><body>hi</body><body xml:lang='fr'>salut</body>`, "hi"},
		"only languages":  {`<body xml:lang='de'>hallo</body><body xml:lang='fr'>salut</body>`, "hallo"},
		"quote":           {`<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='5'/></fallback><body>&gt; ü` + "\n" + `\yes</body>`, `yes`},
		"broken quote":    {`<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='x' end='5'/></fallback><body>hi</body>`, "hi"},
		"quote too long":  {`<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='1' end='9'/></fallback><body>hi</body>`, "hi"},
		"other fallback":  {`<fallback xmlns='urn:xmpp:fallback:0' for='urn:x'><body start='0' end='1'/></fallback><body>hi</body>`, "hi"},
	} {
		a, err := parseArchived(xmpp.XMLElement{
			Attr: []xml.Attr{{Name: xml.Name{Local: "id"}, Value: "7"}},
			InnerXML: `<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-11-22T20:00:00Z'/>` +
				`<message xmlns='jabber:client' from='a@b/c'>` + c.xml + `</message></forwarded>`,
		})
		if err != nil || a.ID != "7" || a.Forwarded.Delay.Stamp.Hour() != 20 {
			t.Fatalf("%s: %+v, %v", name, a, err)
		}
		if diff := cmp.Diff(c.want, a.Forwarded.Message.text()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// An entry that cannot be read keeps its id, so that the position moves past it.
func TestUnreadableEntryKeepsItsID(t *testing.T) {
	t.Parallel()
	a, err := parseArchived(xmpp.XMLElement{Attr: []xml.Attr{{Name: xml.Name{Local: "id"}, Value: "7"}}, InnerXML: "<forwarded"})
	if err == nil || a.ID != "7" || a.Forwarded.Message.From != "" {
		t.Errorf("%+v, %v", a, err)
	}
}

// Whatever a text holds, the stanza is well-formed and one stanza.
func TestStanzasAreWellFormed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		data, err := xml.Marshal(message{To: text, Type: "chat", ID: text, Body: text, Request: &struct{}{}})
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(strings.NewReader(string(data)))
		roots, depth := 0, 0
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			switch token.(type) {
			case xml.StartElement:
				if depth == 0 {
					roots++
				}
				depth++
			case xml.EndElement:
				depth--
			}
		}
		if roots != 1 || depth != 0 {
			t.Fatalf("%s: %d stanzas", data, roots)
		}
	})
}

func TestShorten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, limit := rapid.String().Draw(t, "text"), rapid.IntRange(0, 20).Draw(t, "limit")
		got := shorten(text, limit)
		if len(got) > limit || !strings.HasPrefix(text, got) || !utf8.ValidString(got) || len(text) > limit && len(got) < limit-3 {
			t.Fatalf("%q cut to %d: %q", text, limit, got)
		}
	})
}

// The errors of Recv that leave the stream in order carry a value that is no chat,
// or name an element that the library does not know.
func TestBenignErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stanza any
		err    error
		want   bool
	}{
		{xmpp.AvatarMetadata{}, errors.New("no avatar metadata items available"), true},
		{xmpp.AvatarMetadata{}, io.EOF, true},
		{xmpp.Chat{}, errors.New("unexpected XMPP message urn:xmpp:sm:3 <r/>"), true},
		{xmpp.Chat{}, io.EOF, false},
		{xmpp.Chat{}, errors.New("stream error: "), false},
		{xmpp.Chat{}, errors.New("server closed stream"), false},
	} {
		if got := benign(c.stanza, c.err); got != c.want {
			t.Errorf("%T, %v: %v", c.stanza, c.err, got)
		}
	}
}
