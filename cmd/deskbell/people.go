package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"deskbell/api"
	"deskbell/config"
)

type peopleCmd struct {
	List       peopleListCmd       `cmd:"" default:"withargs" help:"List people, or import a file of them."`
	Add        peopleAddCmd        `cmd:"" help:"Add somebody."`
	Change     peopleChangeCmd     `cmd:"" help:"Change what is given of somebody; an empty text takes it away."`
	Deactivate peopleDeactivateCmd `cmd:"" help:"Sign somebody out for good: they are asked and told nothing any more."`
	Activate   peopleActivateCmd   `cmd:"" help:"Have somebody back who was deactivated."`
}

// peopleListCmd works on the database: the first people come before the first token.
type peopleListCmd struct {
	Import string   `placeholder:"FILE|URL" help:"Import people and rota from a file (YAML or JSON; CSV for people alone), or people from ldaps://host or ldap://host (with StartTLS)."`
	DryRun bool     `help:"Show what an import from LDAP would change, and change nothing."`
	LDAP   ldapFlag `embed:"" prefix:"ldap-"`
}

func (c peopleListCmd) Run(ctx context.Context, log *slog.Logger) error {
	s, err := database(ctx, log)
	if err != nil {
		return err
	}
	defer s.Close()
	fromLDAP := strings.HasPrefix(c.Import, "ldap://") || strings.HasPrefix(c.Import, "ldaps://")
	switch {
	case fromLDAP:
		return c.LDAP.run(ctx, s, c.Import, c.DryRun, os.Stdout)
	case c.DryRun:
		return errors.New("--dry-run is for imports from LDAP")
	case c.Import != "":
		file, err := config.People(c.Import)
		if err != nil {
			return err
		}
		if err := s.Import(ctx, file); err != nil {
			return err
		}
	}
	people, err := s.People(ctx)
	if err != nil {
		return err
	}
	t := table{{{"ID", heading}, {"NAME", heading}, {"ROLE", heading}, {"PHONE", heading}, {"JID", heading}}}
	for _, p := range people {
		paint, role := "", fmt.Sprint(p.Roles)
		if p.Inactive {
			paint, role = paints["closed"], "deactivated"
		}
		t = append(t, []cell{{p.ID, paint}, {p.Name, paint}, {role, paint}, {p.Phone, paint}, {p.JID, paint}})
	}
	return t.write(os.Stdout, colours(os.Stdout))
}

// personFields are what may be given of somebody; what is nil is not.
type personFields struct {
	Name     *string  `json:"name,omitempty" help:"What people call them."`
	Role     []string `json:"role,omitempty" enum:"requester,agent,oncall,manager,admin" help:"${enum}; several with commas."`
	Phone    *string  `json:"phone,omitempty" help:"Number, such as +4930123456."`
	JID      *string  `json:"jid,omitempty" name:"jid" help:"Chat address, such as ann@example.org."`
	Language *string  `json:"language,omitempty" help:"Language, such as de; English when not given."`
	Loc      *string  `json:"loc,omitempty" help:"Where to find them."`
	Group    *string  `json:"group,omitempty" help:"Group."`
	Prefers  *string  `json:"prefers,omitempty" help:"How they are told as a requester: sms, im or none."`
	PIN      *string  `json:"pin,omitempty" name:"pin" help:"4 to 8 digits."`
}

type peopleAddCmd struct {
	remote       `embed:""`
	ID           string `arg:"" help:"Their login: lower-case letters, digits and hyphens."`
	personFields `embed:""`
}

func (c peopleAddCmd) Run(ctx context.Context) error {
	return c.person(ctx, "POST", "/v1/people", struct {
		ID string `json:"id"`
		personFields
	}{c.ID, c.personFields})
}

type peopleChangeCmd struct {
	remote       `embed:""`
	ID           string `arg:"" help:"Their id."`
	personFields `embed:""`
}

func (c peopleChangeCmd) Run(ctx context.Context) error {
	return c.person(ctx, "PATCH", personPath(c.ID), c.personFields)
}

type peopleDeactivateCmd struct {
	remote `embed:""`
	ID     string `arg:"" help:"Their id."`
}

func (c peopleDeactivateCmd) Run(ctx context.Context) error {
	return c.person(ctx, "PATCH", personPath(c.ID), map[string]bool{"active": false})
}

type peopleActivateCmd struct {
	remote `embed:""`
	ID     string `arg:"" help:"Their id."`
}

func (c peopleActivateCmd) Run(ctx context.Context) error {
	return c.person(ctx, "PATCH", personPath(c.ID), map[string]bool{"active": true})
}

func personPath(id string) string { return "/v1/people/" + url.PathEscape(id) }

// person changes somebody and prints what they are then.
func (r *remote) person(ctx context.Context, method, path string, in any) error {
	var p api.Person
	if err := r.call(ctx, method, path, in, &p); err != nil || r.JSON {
		return err
	}
	var roles []string
	for _, role := range p.Roles {
		roles = append(roles, string(role))
	}
	state := strings.Join(roles, " ")
	if !p.Active {
		state = "deactivated"
	}
	return table{{{p.ID, ""}, {p.Name, ""}, {state, ""}, {p.Phone, ""}, {p.JID, ""}}}.write(os.Stdout, colours(os.Stdout))
}
