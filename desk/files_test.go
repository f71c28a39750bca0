package desk_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"deskbell/desk"
	"deskbell/roster"
)

var png = []byte("\x89PNG\r\n\x1a\n picture")

func TestFiles(t *testing.T) {
	w := open(t, "")
	ann := desk.Caller{Person: roster.Person{ID: "ann", Roles: roster.Roles{roster.Requester}}, Channel: "web"}
	bob := desk.Caller{Person: roster.Person{ID: "bob", Roles: roster.Roles{roster.Agent}}, Channel: "rest"}
	n := w.submit("Printer", "bob")
	w.say("bob", "100")
	kept := func() int {
		t.Helper()
		list, err := os.ReadDir(w.files)
		must(t, err)
		return len(list)
	}
	a, err := w.desk.Attach(t.Context(), ann, n, `C:\temp\..\Stau ü.png`, png)
	must(t, err)
	if a.Name != "Stau ü.png" || a.Type != "image/png" || a.AddedBy != "ann" || kept() != 1 {
		t.Errorf("%+v, %d files", a, kept())
	}
	// The holder hears of it as of any word of hers.
	w.until("bob is told", func() bool {
		return len(w.rows("SELECT text FROM deliveries WHERE person = 'bob' AND reason = 'answer_in' AND text LIKE '%Stau ü.png%'")) == 1
	})
	again, err := w.desk.Attach(t.Context(), bob, n, "Stau ü.png", png)
	if must(t, err); again.ID != a.ID || kept() != 1 {
		t.Errorf("the same again: %+v, %d files", again, kept())
	}
	if _, content, err := w.desk.Attachment(t.Context(), n, a.ID); err != nil || !bytes.Equal(content, png) {
		t.Errorf("%q %v", content, err)
	}
	for name, id := range map[string]string{"another": "x", "outside": "../" + a.ID, "": ""} {
		if _, _, err := w.desk.Attachment(t.Context(), n, id); !errors.Is(err, desk.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := w.desk.Attachment(t.Context(), n+1, a.ID); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("of another ticket: %v", err)
	}
	for what, bad := range map[string]struct {
		name    string
		content []byte
		field   string
	}{
		"a page":        {"x.png", []byte("<html><script>"), "body"},
		"a program":     {"x.txt", []byte("\x7fELF\x02\x01\x01\x00\x00"), "body"},
		"a drawing":     {"x.svg", []byte(`<?xml version="1.0"?><svg onload="x"/>`), "body"},
		"nothing":       {"x", nil, "body"},
		"too much":      {"x", bytes.Repeat([]byte("a"), desk.MaxFile+1), "body"},
		"no name":       {" ", png, "name"},
		"a folder":      {"/", png, "name"},
		"a line in it":  {"a\nb", png, "name"},
		"a long name":   {strings.Repeat("ü", 201), png, "name"},
		"bytes in name": {"\xff", png, "name"},
	} {
		_, err := w.desk.Attach(t.Context(), bob, n, bad.name, bad.content)
		if wrong, ok := errors.AsType[*desk.InvalidError](err); !ok || wrong.Field != bad.field {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What the scanner refuses, or does not come to look at, is not kept.
	for status, refused := range map[string]bool{"exit 1": true, "exit 2": false} {
		w.desk.Scanner = []string{"sh", "-c", `grep -q picture "$0" && ` + status}
		_, err := w.desk.Attach(t.Context(), bob, n, "second.png", append(png, status...))
		if _, invalid := errors.AsType[*desk.InvalidError](err); err == nil || invalid != refused {
			t.Errorf("%s: %v", status, err)
		}
	}
	w.desk.Scanner = nil
	for i := range 19 {
		_, err := w.desk.Attach(t.Context(), bob, n, "log.txt", []byte{'a' + byte(i)})
		must(t, err)
	}
	_, err = w.desk.Attach(t.Context(), bob, n, "log.txt", []byte("one more"))
	if _, invalid := errors.AsType[*desk.InvalidError](err); !invalid || kept() != 20 {
		t.Errorf("%v, %d files", err, kept())
	}
	must(t, w.desk.Detach(t.Context(), bob, n, a.ID))
	if err := w.desk.Detach(t.Context(), bob, n, a.ID); !errors.Is(err, desk.ErrNotFound) || kept() != 19 {
		t.Errorf("removed twice: %v, %d files", err, kept())
	}
	w.desk.Files = ""
	if _, err := w.desk.Attach(t.Context(), bob, n, "x.png", png); !errors.Is(err, desk.ErrNoFiles) {
		t.Errorf("without a folder: %v", err)
	}
}
