package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"deskbell/config"
	"deskbell/roster"
)

// The demo desk. The numbers are from the range that Ofcom keeps free for drama:
// nobody's phone will ring.
const (
	demoDomain = "desk.localhost"
	demoNumber = "+447700900100"
	demoBot    = "helpdesk@" + demoDomain
	demoRoom   = "desk@rooms." + demoDomain
)

func demoPeople() roster.File {
	person := func(id, name string, role roster.Role, phone, loc string) roster.Person {
		return roster.Person{ID: id, Name: name, Roles: roster.Roles{role}, Phone: phone, JID: id + "@" + demoDomain, Loc: loc}
	}
	return roster.File{People: []roster.Person{
		person("ann", "Ann Lee", roster.Requester, "+447700900201", "room 312"),
		person("max", "Max Berg", roster.Requester, "+447700900202", "warehouse"),
		person("bob", "Bob", roster.Agent, "+447700900101", ""),
		person("eve", "Eve", roster.Agent, "+447700900102", ""),
		person("dan", "Dan", roster.Agent, "+447700900103", ""),
		person("dana", "Dana", roster.OnCallee, "+447700900110", ""),
		person("sam", "Sam", roster.OnCallee, "+447700900111", ""),
		person("meg", "Meg", roster.Manager, "+447700900120", ""),
	}}
}

// people are the desk's people in development: the file's or the demo's.
func people(file, kept string) (roster.File, error) {
	f := demoPeople()
	if file != "" {
		var err error
		if f, err = config.People(file); err != nil {
			return f, fmt.Errorf("--people: %w", err)
		}
	}
	return f, givePasswords(f, kept)
}

// givePasswords gives whoever has a JID and no password one, which stays the same
// from start to start.
func givePasswords(f roster.File, kept string) error {
	passwords := map[string]string{}
	data, err := os.ReadFile(kept)
	switch {
	case err == nil:
		if err := json.Unmarshal(data, &passwords); err != nil {
			return fmt.Errorf("read %s: %w", kept, err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	for i := range f.People {
		p := &f.People[i]
		if p.JID == "" || p.Password != "" {
			continue
		}
		if passwords[p.JID] == "" {
			passwords[p.JID] = strings.ToLower(rand.Text()[:10])
		}
		p.Password = passwords[p.JID]
	}
	data, err = json.Marshal(passwords)
	if err != nil {
		return err
	}
	return os.WriteFile(kept, data, 0o600)
}

// kept returns a secret that is made once and kept in a file.
func kept(path string, length int) (string, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		return string(data), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	secret := rand.Text()
	for len(secret) < length {
		secret += rand.Text()
	}
	secret = secret[:length]
	return secret, os.WriteFile(path, []byte(secret), 0o600)
}
