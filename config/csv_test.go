package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deskbell/roster"
)

func writeCSV(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "people.CSV")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPeopleFromCSV(t *testing.T) {
	t.Parallel()
	want := []roster.Person{
		{ID: "ann", Name: "Ann, Lee", Roles: roster.Roles{"agent", "oncall"}, Phone: "+4930123456", PIN: "0042"},
		{ID: "zoe", Name: "Zoë\nFloor 3", Roles: roster.Roles{"requester"}},
	}
	for name, text := range map[string]string{
		"commas":     "id,name,role,phone,pin\nann,\"Ann, Lee\",agent oncall,+4930123456,0042\nzoe,\"Zoë\nFloor 3\",requester,,\n",
		"any order":  "pin,role,name,phone,id\n0042,agent oncall,\"Ann, Lee\",+4930123456,ann\n,requester,\"Zoë\nFloor 3\",,zoe\n",
		"semicolons": "\ufeffid;name;role;phone;pin\r\nann;Ann, Lee;agent oncall; +4930123456 ;0042\r\n\r\nzoe;\"Zoë\nFloor 3\";requester;;\r\n",
	} {
		file, err := People(writeCSV(t, text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, file.People); diff != "" || len(file.Rota) != 0 {
			t.Errorf("%s: %s %v", name, diff, file.Rota)
		}
	}
}

func TestPeopleFromCSVRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"empty":              {"", "line 1: want a row with the names of the columns"},
		"no header":          {"ann,Ann,agent\n", `line 1, column 1: no such key "ann": use id, name, role`},
		"unknown column":     {"id,name,role,fone\n", `line 1, column 4: no such key "fone"`},
		"a column twice":     {"id,name,id\n", "line 1, column 3: id is given twice"},
		"too few cells":      {"id,name,role\nann,Ann\n", "line 2, character 1: wrong number of fields"},
		"a stray quote":      {"id,name,role\nann,A\"nn,agent\n", "line 2, character 6: bare \""},
		"a phone":            {"id,name,role,phone\nann,Ann,agent,+4930123456\nbob,Bob,agent,030\n", `line 3, column 4 (phone): phone "030": write it as +`},
		"after a long cell":  {"id,name,role\nann,\"A\nB\",agent\nbob,Bob,boss\n", `line 4, column 3 (role): role "boss": use`},
		"a role is missing":  {"id,name\nann,Ann\n", "line 2: role is missing"},
		"two of an id":       {"id,name,role\nann,Ann,agent\nann,Bob,agent\n", "line 3, column 1 (id): ann is taken by line 2"},
		"two of a phone":     {"id,phone,name,role\na,+4930123456,A,agent\nb,+4930123456,B,agent\n", "line 3, column 2 (phone): +4930123456 is taken by line 2"},
		"Latin-1":            {"id,name,role\nzoe,Zo\xeb,agent\n", "line 2, column 2 (name): not UTF-8"},
		"every wrong row":    {"id,name,role\nAnn,Ann,agent\nbob,,agent\n", "line 2, column 1 (id): id \"Ann\": use lower-case letters, digits and hyphens\nline 3, column 2 (name): name is missing"},
		"good beside a fool": {"id,name,role\nann,Ann,agent\nbob,Bob,boss\n", "line 3"},
	}
	for name, tt := range tests {
		path := writeCSV(t, tt.text)
		file, err := People(path)
		if err == nil || !strings.HasPrefix(err.Error(), path+": "+tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		if len(file.People) != 0 {
			t.Errorf("%s: %d people beside an error", name, len(file.People))
		}
	}
}
