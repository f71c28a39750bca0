package roster

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Roles{
		`"agent"`:            {Agent},
		`["agent","oncall"]`: {Agent, OnCallee},
	} {
		var got Roles
		if err := json.Unmarshal([]byte(in), &got); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, %v", in, got, err)
		}
		if out, err := json.Marshal(got); err != nil || string(out) != in {
			t.Errorf("%s: written as %s, %v", in, out, err)
		}
	}
	if err := json.Unmarshal([]byte(`7`), new(Roles)); err == nil {
		t.Error("a number was taken for a role")
	}
}

func validFile() File {
	return File{
		People: []Person{
			{ID: "ann", Name: "Ann", Roles: Roles{Requester}, Phone: "+4930123456", JID: "ann@example.org", Language: "de", Prefers: "sms"},
			{ID: "bob", Name: "Bob", Roles: Roles{Agent, OnCallee}, PIN: "1234"},
		},
		Rota: []Rotation{{
			Group: "it", Name: "primary", Zone: "Europe/Berlin", Every: "week", People: []string{"bob"},
			Start: time.Date(2026, 1, 5, 7, 0, 0, 0, time.UTC),
		}},
	}
}

// planned is a plan of two shifts, one straight after the other, and a mistake.
func planned(mistake func(*Rotation)) Rotation {
	r := Rotation{Name: "p", Shifts: []PlannedShift{{"bob", at("2026-03-02T08:00:00Z"), at("2026-03-03T08:00:00Z")}, {"bob", at("2026-03-03T08:00:00Z"), at("2026-03-04T08:00:00Z")}}}
	mistake(&r)
	return r
}

// The first field that is wrong, for whoever changes one person or rotation.
func TestProblem(t *testing.T) {
	t.Parallel()
	f := validFile()
	f.People[0].Name = strings.Repeat("x", 200)
	f.Rota = append(f.Rota, planned(func(*Rotation) {}))
	for _, r := range f.Rota {
		if field, problem := r.Problem(f.People); field != "" || problem != "" {
			t.Errorf("%s: %s %s", r.Name, field, problem)
		}
	}
	if field, problem := f.People[0].Problem(); field != "" || problem != "" {
		t.Errorf("%s %s", field, problem)
	}
	if field, problem := (Person{ID: "ann", Name: "Ann", Roles: Roles{"boss"}, PIN: "x"}).Problem(); field != "role" || !strings.HasPrefix(problem, `role "boss"`) {
		t.Errorf("%s %s", field, problem)
	}
	if field, problem := (Rotation{Name: "x", Zone: "Mars", Every: "moon"}).Problem(nil); field != "zone" || !strings.HasPrefix(problem, `zone "Mars"`) {
		t.Errorf("%s %s", field, problem)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	if err := validFile().Validate(); err != nil {
		t.Fatalf("a valid file: %v", err)
	}
	tests := map[string]struct {
		breakIt func(*File)
		want    string
	}{
		"name too long":    {func(f *File) { f.People[0].Name = strings.Repeat("x", 201) }, `ann: name: use at most 200 bytes`},
		"jid too long":     {func(f *File) { f.People[0].JID = strings.Repeat("x", 190) + "@example.org" }, `ann: jid: use at most 200 bytes`},
		"loc not text":     {func(f *File) { f.People[0].Loc = "\xff" }, `ann: loc: use text, without NUL characters`},
		"group with NUL":   {func(f *File) { f.People[0].Group = "i\x00t" }, `ann: group: use text, without NUL characters`},
		"id missing":       {func(f *File) { f.People[0].ID = "" }, `person 1: id "": use lower-case letters, digits and hyphens`},
		"id upper case":    {func(f *File) { f.People[0].ID = "Ann" }, `Ann: id "Ann": use lower-case letters`},
		"id twice":         {func(f *File) { f.People[0].ID = "bob" }, `bob: id bob is taken by bob`},
		"name":             {func(f *File) { f.People[0].Name = " " }, `ann: name is missing`},
		"no role":          {func(f *File) { f.People[0].Roles = nil }, `ann: role is missing: use requester`},
		"role":             {func(f *File) { f.People[0].Roles = Roles{"boss"} }, `ann: role "boss": use requester, agent`},
		"phone national":   {func(f *File) { f.People[0].Phone = "030123456" }, `ann: phone "030123456": write it as +`},
		"phone spaces":     {func(f *File) { f.People[0].Phone = "+49 30 123456" }, `ann: phone`},
		"phone too long":   {func(f *File) { f.People[0].Phone = "+1234567890123456" }, `ann: phone`},
		"phone twice":      {func(f *File) { f.People[1].Phone = "+4930123456" }, `bob: phone +4930123456 is taken by ann`},
		"jid full":         {func(f *File) { f.People[0].JID = "ann@example.org/home" }, `ann: jid "ann@example.org/home": write it in lower case`},
		"jid case":         {func(f *File) { f.People[0].JID = "Ann@example.org" }, `ann: jid`},
		"jid no domain":    {func(f *File) { f.People[0].JID = "ann" }, `ann: jid`},
		"jid twice":        {func(f *File) { f.People[1].JID = "ann@example.org" }, `bob: jid ann@example.org is taken by ann`},
		"language":         {func(f *File) { f.People[0].Language = "german!" }, `ann: language "german!"`},
		"prefers":          {func(f *File) { f.People[0].Prefers = "fax" }, `ann: prefers "fax": use sms, im or none`},
		"pin":              {func(f *File) { f.People[1].PIN = "12" }, `bob: pin: use 4 to 8 digits`},
		"rota name":        {func(f *File) { f.Rota[0].Name = "" }, `rota 1: name is missing`},
		"rota twice":       {func(f *File) { f.Rota = append(f.Rota, f.Rota[0]) }, `rota "primary": the name in group "it" primary is taken`},
		"rota zone":        {func(f *File) { f.Rota[0].Zone = "Mars" }, `rota "primary": zone "Mars" is not known`},
		"rota zone Local":  {func(f *File) { f.Rota[0].Zone = "Local" }, `zone "Local"`},
		"rota every":       {func(f *File) { f.Rota[0].Every = "month" }, `every "month": use week, day, whole hours`},
		"rota every 0":     {func(f *File) { f.Rota[0].Every = "0h" }, `every "0h"`},
		"rota every bare":  {func(f *File) { f.Rota[0].Every = "12" }, `every "12"`},
		"rota start":       {func(f *File) { f.Rota[0].Start = time.Time{} }, `start is missing`},
		"rota no time":     {func(f *File) { f.Rota[0].Every = "mon 8:00, thursday 17:00" }, `every: "thursday 17:00" is no time`},
		"rota hasty":       {func(f *File) { f.Rota[0].Every = "mon 00:30, sun 23:45" }, `leave at least an hour`},
		"rota requester":   {func(f *File) { f.Rota[0].People = []string{"ann"} }, `"ann" works on no tickets`},
		"plan and cadence": {func(f *File) { f.Rota[0] = planned(func(r *Rotation) { r.Every = "day" }) }, `the one or the other`},
		"plan and start":   {func(f *File) { f.Rota[0] = planned(func(r *Rotation) { r.Start = at("2026-03-02T08:00:00Z") }) }, `the one or the other`},
		"plan and people":  {func(f *File) { f.Rota[0] = planned(func(r *Rotation) { r.People = []string{"bob"} }) }, `the one or the other`},
		"plan and turns": {func(f *File) {
			f.Rota[0].Shifts = []PlannedShift{{"bob", at("2026-03-02T08:00:00Z"), at("2026-03-03T08:00:00Z")}}
		}, `the one or the other`},
		"plan backwards": {func(f *File) {
			f.Rota[0] = Rotation{Name: "p", Shifts: []PlannedShift{{"bob", at("2026-03-02T08:00:00Z"), at("2026-03-02T08:00:00Z")}}}
		}, `shift 1 of bob: until must be later`},
		"plan overlaps": {func(f *File) {
			f.Rota[0] = Rotation{Name: "p", Shifts: []PlannedShift{{"bob", at("2026-03-02T08:00:00Z"), at("2026-03-03T08:00:00Z")}, {"bob", at("2026-03-03T07:00:00Z"), at("2026-03-04T08:00:00Z")}}}
		}, `shift 2 of bob begins 2026-03-03T07:00:00Z, before the one of bob is over`},
		"rota nobody":   {func(f *File) { f.Rota[0].People = nil }, `people is empty`},
		"rota stranger": {func(f *File) { f.Rota[0].People = []string{"zoe"} }, `rota "primary": "zoe" is nobody in people`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := validFile()
			tt.breakIt(&f)
			err := f.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestValidateTellsEverything(t *testing.T) {
	t.Parallel()
	err := File{People: []Person{{ID: "A"}, {ID: "B"}}}.Validate()
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 6 {
		t.Fatalf("want id, name and role of both, one per line, got:\n%v", err)
	}
}

func TestPINIsNotPrinted(t *testing.T) {
	t.Parallel()
	f := validFile()
	f.People[1].PIN = "98765432109"
	if err := f.Validate(); err == nil || strings.Contains(err.Error(), "9876") {
		t.Fatalf("got %v", err)
	}
}
