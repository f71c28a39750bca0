package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestTheDevelopmentDesksTokenStaysThere(t *testing.T) {
	const here, elsewhere = "http://127.0.0.1:8080", "https://desk.example.org"
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	data, err := json.Marshal(ready{HTTP: here, Token: "ours"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "deskbell")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "ready.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ given, want remote }{
		{remote{}, remote{URL: here, Token: "ours"}},
		{remote{URL: here}, remote{URL: here, Token: "ours"}},
		{remote{Token: "mine"}, remote{URL: here, Token: "mine"}},
		{remote{URL: elsewhere, Token: "mine"}, remote{URL: elsewhere, Token: "mine"}},
	} {
		got := c.given
		if err := got.resolve(); err != nil || got != c.want {
			t.Errorf("%+v: %+v, %v, want %+v", c.given, got, err, c.want)
		}
	}
	if other := (remote{URL: elsewhere}); other.resolve() == nil || other.Token != "" {
		t.Errorf("goes elsewhere: %+v", other)
	}
}
