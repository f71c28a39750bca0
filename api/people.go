package api

import (
	"context"
	"net/http"

	"deskbell/desk"
	"deskbell/roster"
)

type agentsOutput struct {
	Body []desk.AgentView `nullable:"false"`
}

type onCallOutput struct{ Body desk.OnCallView }

func (s *server) peopleRoutes() {
	route(s, op("agents", http.MethodGet, "/v1/agents", "Who works here, who is there, who is on what", http.StatusOK, 503), s.agents)
	route(s, op("oncall", http.MethodGet, "/v1/oncall", "Who is called, in order, until when", http.StatusOK, 503), s.onCall)
	route(s, op("people", http.MethodGet, "/v1/people", "The directory", http.StatusOK, 503), s.people)
	route(s, op("add-person", http.MethodPost, "/v1/people", "Add somebody; only an administrator adds an administrator", http.StatusCreated, 413, 415, 503), s.addPerson)
	route(s, op("person", http.MethodGet, "/v1/people/{id}", "Somebody as the directory has them; yourself, or anybody for managers", http.StatusOK, 404, 503), s.person)
	route(s, op("edit-person", http.MethodPatch, "/v1/people/{id}", "Change the fields that are given, an empty text takes one away; of yourself language, loc and prefers", http.StatusOK, 403, 404, 412, 413, 415, 503), s.editPerson)
	route(s, op("record", http.MethodGet, "/v1/people/{id}/record", "Everything that is kept about you; about anybody, for administrators", http.StatusOK, 404, 503), s.record)
	route(s, op("erase", http.MethodDelete, "/v1/people/{id}", "Forget a person: their data and messages, the words of their tickets, and those tickets' histories in the engine", http.StatusOK, 404, 503), s.erase)
}

// Person is somebody as the directory has them.
type Person struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Roles    []roster.Role `json:"role" minItems:"1" enum:"requester,agent,oncall,manager,admin"`
	Phone    string        `json:"phone" doc:"E.164; empty for none."`
	JID      string        `json:"jid" doc:"Bare, in lower case; empty for none."`
	Language string        `json:"language" doc:"BCP 47; empty is English."`
	Loc      string        `json:"loc" doc:"Where to find them."`
	Group    string        `json:"group"`
	Prefers  string        `json:"prefers" enum:"sms,im,none," doc:"How a requester is told; empty: by SMS where there is a number."`
	HasPIN   bool          `json:"has_pin"`
	Active   bool          `json:"active" doc:"Who is not cannot sign in, is asked nothing and reached by nothing."`
	Version  int           `json:"version" doc:"Grows with every change."`
}

func shapePerson(e desk.Entry) Person {
	return Person{ID: e.ID, Name: e.Name, Roles: e.Roles, Phone: e.Phone, JID: e.JID, Language: e.Language, Loc: e.Loc, Group: e.Group, Prefers: e.Prefers,
		HasPIN: e.HasPIN, Active: !e.Inactive, Version: e.Version}
}

type peopleInput struct {
	Role     roster.Role `query:"role" enum:"requester,agent,oncall,manager,admin"`
	Group    string      `query:"group" maxLength:"200"`
	Words    string      `query:"q" maxLength:"200" doc:"A part of the id, name, number or JID."`
	Inactive bool        `query:"inactive" doc:"Who is not active too."`
	Cursor   string      `query:"cursor" maxLength:"300" doc:"next of the page before."`
	Limit    int         `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type peopleOutput struct {
	Body struct {
		People []Person `json:"people" doc:"In the order in which they were imported or added."`
		Next   *string  `json:"next" doc:"The cursor of the next page; null on the last."`
	}
}

type addPersonInput struct {
	Body struct {
		ID       string        `json:"id" maxLength:"200" pattern:"^[a-z0-9-]+$" doc:"Their login; it cannot be changed." example:"ann"`
		Name     string        `json:"name" minLength:"1" maxLength:"200" example:"Ann Ode"`
		Roles    []roster.Role `json:"role" minItems:"1" enum:"requester,agent,oncall,manager,admin"`
		Phone    string        `json:"phone,omitempty" maxLength:"20" doc:"E.164." example:"+4930123456"`
		JID      string        `json:"jid,omitempty" maxLength:"200" doc:"Bare, in lower case." example:"ann@example.org"`
		Language string        `json:"language,omitempty" maxLength:"40" doc:"BCP 47; English when absent." example:"de"`
		Loc      string        `json:"loc,omitempty" maxLength:"200" doc:"Where to find them." example:"room 312"`
		Group    string        `json:"group,omitempty" maxLength:"200" example:"it"`
		Prefers  string        `json:"prefers,omitempty" enum:"sms,im,none," doc:"How a requester is told."`
		PIN      string        `json:"pin,omitempty" pattern:"^([0-9]{4,8})?$" doc:"4 to 8 digits; only a hash is kept."`
	}
}

type addPersonOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag" doc:"The entry's version, for If-Match."`
	Body     Person
}

type editPersonInput struct {
	ID    string `path:"id" maxLength:"200" doc:"The person's id." example:"ann"`
	Match string `header:"If-Match" maxLength:"100" doc:"The ETag of the entry that the client saw: 412 when it has changed since."`
	Body  struct {
		Name     *string       `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Roles    []roster.Role `json:"role,omitempty" minItems:"1" enum:"requester,agent,oncall,manager,admin"`
		Phone    *string       `json:"phone,omitempty" maxLength:"20"`
		JID      *string       `json:"jid,omitempty" maxLength:"200"`
		Language *string       `json:"language,omitempty" maxLength:"40"`
		Loc      *string       `json:"loc,omitempty" maxLength:"200"`
		Group    *string       `json:"group,omitempty" maxLength:"200"`
		Prefers  *string       `json:"prefers,omitempty" enum:"sms,im,none,"`
		PIN      *string       `json:"pin,omitempty" pattern:"^([0-9]{4,8})?$"`
		Active   *bool         `json:"active,omitempty" doc:"false: they are signed out, their tokens do nothing, and nobody asks or tells them anything."`
	}
}

type personInput struct {
	ID string `path:"id" maxLength:"200" doc:"The person's id." example:"ann"`
}

type personOutput struct {
	ETag string `header:"ETag" doc:"The entry's version, for If-Match."`
	Body Person
}

func (s *server) people(ctx context.Context, in *peopleInput) (*peopleOutput, error) {
	list, next, err := s.desk.Directory(ctx, desk.DirectoryFilter{Role: in.Role, Group: in.Group, Words: in.Words, Inactive: in.Inactive, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &peopleOutput{}
	out.Body.People = []Person{}
	for _, e := range list {
		out.Body.People = append(out.Body.People, shapePerson(e))
	}
	if next != "" {
		out.Body.Next = &next
	}
	return out, nil
}

func (s *server) addPerson(ctx context.Context, in *addPersonInput) (*addPersonOutput, error) {
	b := in.Body
	e, err := s.desk.AddPerson(ctx, caller(ctx), roster.Person{ID: b.ID, Name: b.Name, Roles: b.Roles, Phone: b.Phone, JID: b.JID, Language: b.Language,
		Loc: b.Loc, Group: b.Group, Prefers: b.Prefers, PIN: b.PIN})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &addPersonOutput{"/v1/people/" + e.ID, etag(e.Version), shapePerson(e)}, nil
}

func (s *server) person(ctx context.Context, in *personInput) (*personOutput, error) {
	if who := caller(ctx); in.ID != who.Person.ID && !who.May(desk.AsManager) {
		return nil, noPerson()
	}
	e, err := s.desk.Entry(ctx, in.ID)
	if err != nil {
		return nil, s.problem(ctx, err, noPerson())
	}
	return &personOutput{etag(e.Version), shapePerson(e)}, nil
}

func (s *server) editPerson(ctx context.Context, in *editPersonInput) (*personOutput, error) {
	version, ok := versionOf(in.Match)
	if !ok {
		return nil, s.problem(ctx, desk.ErrChanged)
	}
	b := in.Body
	e, err := s.desk.EditPerson(ctx, caller(ctx), in.ID, version, desk.EntryEdit{Name: b.Name, Phone: b.Phone, JID: b.JID, Language: b.Language, Loc: b.Loc,
		Group: b.Group, Prefers: b.Prefers, PIN: b.PIN, Roles: b.Roles, Active: b.Active})
	if err != nil {
		return nil, s.problem(ctx, err, noPerson())
	}
	return &personOutput{etag(e.Version), shapePerson(e)}, nil
}

// recordOutput has no schema of its own: it is as wide as the database.
type recordOutput struct{ Body any }

type eraseOutput struct {
	Body struct {
		Name string `json:"name" doc:"Who they have become, of whom nothing is known." example:"erased-k3v9x2m7qa"`
	}
}

func (s *server) record(ctx context.Context, in *personInput) (*recordOutput, error) {
	if who := caller(ctx); in.ID != who.Person.ID && !who.May(desk.AsAdmin) {
		return nil, noPerson()
	}
	r, err := s.desk.Record(ctx, in.ID)
	if err != nil {
		return nil, s.problem(ctx, err, noPerson())
	}
	return &recordOutput{r}, nil
}

func (s *server) erase(ctx context.Context, in *personInput) (*eraseOutput, error) {
	name, err := s.desk.Erase(ctx, caller(ctx), in.ID)
	if err != nil {
		return nil, s.problem(ctx, err, noPerson())
	}
	out := &eraseOutput{}
	out.Body.Name = name
	return out, nil
}

func noPerson() *Problem {
	return named("no_such_person", http.StatusNotFound, "No such person", "There is nobody with this id, or it is not you.")
}

func (s *server) agents(ctx context.Context, _ *empty) (*agentsOutput, error) {
	agents, err := s.desk.Agents(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &agentsOutput{Body: []desk.AgentView{}}
	for _, a := range agents {
		a.Since, a.LastSeen = a.Since.UTC(), a.LastSeen.UTC()
		if a.Holding == nil {
			a.Holding = []int{}
		}
		out.Body = append(out.Body, a)
	}
	return out, nil
}

func (s *server) onCall(ctx context.Context, _ *empty) (*onCallOutput, error) {
	view, err := s.desk.OnCall(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	view.Until = view.Until.UTC()
	if view.People == nil {
		view.People = []string{}
	}
	return &onCallOutput{view}, nil
}
