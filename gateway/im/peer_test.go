package im

import (
	"context"
	"encoding/json"
	"net"
	"os/exec"
	"slices"
	"testing"
	"time"

	"deskbell/gateway"

	"github.com/google/go-cmp/cmp"
)

// python is the system's, whose package python3-slixmpp is.
const python = "/usr/bin/python3"

func listAndTake() Menu {
	return Menu{Sent: "sent", Commands: []Command{
		{Node: "list", Name: "List", Line: func(map[string]string) string { return "LIST" }},
		{Node: "take", Name: "Take", Fields: []Field{{Name: "number", Label: "Number", Required: true}}, Line: func(v map[string]string) string { return "TAKE " + v["number"] }},
	}}
}

// An agent on slixmpp, a client that shares no code with ours: presence text,
// discovery, the menu and its form, receipts both ways, typing, a reaction and a
// correction.
func testSlixmpp(t *testing.T, p *server) {
	needs(t, exec.Command(python, "-c", "import slixmpp").Run() == nil, "slixmpp", "python3-slixmpp")
	d := newDesk(t, p, p.addr)
	d.config.Menu = listAndTake()
	d.SetStatus("3 waiting")
	d.run()

	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	_, port, _ := net.SplitHostPort(p.addr)
	agent := exec.CommandContext(ctx, python, "testdata/agent.py", port, p.ca, "alice@"+host, password, botJID)
	agent.Stderr = &logSink{t: t}
	ended := make(chan []byte, 1)
	go func() {
		out, err := agent.Output()
		if err != nil {
			t.Errorf("%v\n%s", err, agent.Stderr.(*logSink).text.String())
		}
		ended <- out
	}()

	if m := d.message("TAKE 142"); m.From != "alice@"+host || m.ReplyTo != "alice@"+host+"/slixmpp" {
		t.Errorf("%+v", m)
	}
	d.message("C 142 new toner")
	answer := d.Send(ctx, gateway.Delivery{Key: "answer", To: "alice@" + host + "/slixmpp", Text: "#142 is closed."})
	d.receipt(answer.WireIDs[0])
	if m := d.message("👍"); m.Quotes != answer.WireIDs[0] {
		t.Errorf("%+v", m)
	}
	d.Send(ctx, gateway.Delivery{Key: "gone", To: "alice@" + host, Text: "#142 is gone.", Replaces: answer.WireIDs[0]})

	var saw struct {
		Status, Taken, Receipt, Answer string
		Identities, Menu               [][]string
		Features, Form                 []string
		Corrects                       bool
	}
	if err := json.Unmarshal(<-ended, &saw); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{nsCommands, nsDiscoInfo, nsReceipts, nsCorrection, nsReactions} {
		if !slices.Contains(saw.Features, want) {
			t.Errorf("no feature %s", want)
		}
	}
	saw.Features = nil
	want := saw
	want.Status, want.Taken, want.Receipt, want.Answer, want.Corrects = "3 waiting", "completed", "m1", "#142 is closed.", true
	want.Identities, want.Menu, want.Form = [][]string{{"client", "bot"}}, [][]string{{"list", "List"}, {"take", "Take"}}, []string{"number"}
	if diff := cmp.Diff(want, saw); diff != "" {
		t.Error(diff)
	}
}
