package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"deskbell/roster"
)

// TestIncident announces a ticket, joins it in the ways that there are, and withdraws it;
// each page shows what its reader may do.
func TestIncident(t *testing.T) {
	t.Parallel()
	f := &fakeDesk{story: told(), people: []roster.Person{ann, rob, meg}}
	h := New(Config{Open: true, Zone: berlin(t)}, f)
	stranger, max := roster.Person{}, roster.Person{ID: "max", Name: "Max", Roles: roster.Roles{roster.Requester}}
	shows := func(who roster.Person, path string, says string, saysNot ...string) {
		t.Helper()
		page := visit(t, h, who, "GET", path, nil).Body.String()
		if !strings.Contains(page, says) {
			t.Errorf("%s for %q does not say %q", path, who.ID, says)
		}
		for _, words := range saysNot {
			if strings.Contains(page, words) {
				t.Errorf("%s for %q says %q", path, who.ID, words)
			}
		}
	}
	sends := func(who roster.Person, path, text string, code int, to string) {
		t.Helper()
		w := visit(t, h, who, "POST", path, url.Values{"text": {text}})
		if w.Code != code || to != "" && w.Header().Get("Location") != to {
			t.Errorf("%s by %q: %d to %q, want %d to %q", path, who.ID, w.Code, w.Header().Get("Location"), code, to)
		}
	}
	shows(rob, "/tickets/142", "/tickets/142/incident", "Withdraw")
	sends(ann, "/tickets/142/incident", "Mail <b> is down", http.StatusForbidden, "")
	sends(rob, "/tickets/142/incident", "", http.StatusUnprocessableEntity, "")
	sends(rob, "/tickets/142/incident", "Mail <b> is down", http.StatusSeeOther, "/tickets/142")
	shows(rob, "/tickets/142", "1 person is affected", "<b> is down", "Me too")
	f.board.At, f.board.Incidents = now, f.incidents
	shows(stranger, "/", `action="/incidents/142/affected"`, "<b> is down", "zoe", "counted")
	shows(max, "/new", `action="/incidents/142/affected"`, "counted")
	sends(stranger, "/incidents/142/affected", "", http.StatusSeeOther, "/sign-in?next=%2Fincidents%2F142")
	shows(max, "/incidents/142", `action="/incidents/142/affected"`, "counted", "zoe") // looking counts nobody
	shows(max, "/incidents/142", "1 person is affected", "counted")
	sends(max, "/incidents/142/affected", "", http.StatusSeeOther, "/incidents/142")
	shows(max, "/incidents/142", "<h1>You are counted</h1>", "Me too")
	shows(max, "/new", "2 people are affected. <strong>You are counted", "Me too")
	shows(stranger, "/t/"+secret, `action="/t/`+secret+`/affected/142"`)
	sends(stranger, "/t/"+secret+"/affected/142", "", http.StatusSeeOther, "/t/"+secret)
	shows(stranger, "/t/"+secret, "You are counted", "Me too")
	sends(stranger, "/t/none/affected/142", "", http.StatusNotFound, "")
	sends(max, "/incidents/143/affected", "", http.StatusNotFound, "")
	sends(rob, "/tickets/142/incident/withdraw", "", http.StatusSeeOther, "/tickets/142")
	shows(stranger, "/t/"+secret, "Your request", "Known incident")
	shows(max, "/incidents/142", "no known incident any more")
}
