package ticket

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/lifecycle.md")

func TestLifecycleIsPrinted(t *testing.T) {
	const page = "../docs/lifecycle.md"
	if *update {
		if err := os.WriteFile(page, []byte(Lifecycle()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(kept), Lifecycle()); diff != "" {
		t.Errorf("docs/lifecycle.md is out of date; run with -update:\n%s", diff)
	}
}

// Every alarm that something arms is explained, and every one is either looked up
// or happens by itself.
func TestLifecycleNamesEveryAlarm(t *testing.T) {
	t.Parallel()
	served := map[AlarmKind]bool{}
	for _, k := range lookupAlarms {
		served[k] = true
	}
	for _, b := range byItself {
		served[b.alarm] = true
	}
	for _, a := range alarmTable {
		if !served[a.kind] {
			t.Errorf("%s is explained but nothing serves it", a.kind)
		}
		delete(served, a.kind)
	}
	for k := range served {
		t.Errorf("%s is not explained", k)
	}
}
