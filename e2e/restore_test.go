package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"deskbell/devstack"
)

// restored backs up a desk with open tickets as docs/operations.md says, restores it
// to new servers, and goes on with one of the tickets there. The roles are stopped.
func restored(t *testing.T, s *servers) {
	for _, program := range []string{"pg_dump", "pg_restore"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	databases := []string{"desk", "temporal", "temporal_visibility"}
	for _, name := range databases {
		run("pg_dump", "--format=custom", "--file="+filepath.Join(s.dir, name+".dump"), s.postgres.URL(name))
	}

	again := *s
	again.t, again.dir = t, filepath.Join(s.dir, "restored")
	if err := os.Mkdir(again.dir, 0o711); err != nil {
		t.Fatal(err)
	}
	var err error
	if again.postgres, err = devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: filepath.Join(again.dir, "postgresql"), Test: true}); err != nil {
		t.Fatal(err)
	}
	again.stopLater(again.postgres.Server)
	for _, name := range databases {
		if err := again.postgres.EnsureDatabase(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		run("pg_restore", "--exit-on-error", "--no-owner", "--dbname="+again.postgres.URL(name), filepath.Join(s.dir, name+".dump"))
	}
	engine := filepath.Join(filepath.Dir(program(t)), "deskbell-temporal")
	if again.temporal, err = devstack.StartTemporal(t.Context(), devstack.TemporalConfig{Binary: engine, Dir: filepath.Join(again.dir, "temporal"), Postgres: again.postgres.URL("postgres")}); err != nil {
		t.Fatal(err)
	}
	again.stopLater(again.temporal.Server)
	again.ready.DatabaseURL, again.ready.Temporal = again.postgres.URL("desk"), again.temporal.Address()
	env := again.environment()
	if said := again.mustRun(env, "replay"); !strings.Contains(said, "open tickets replay") || strings.HasPrefix(said, "0 ") {
		t.Errorf("replay says %q", said)
	}
	again.mustRun(env, "migrate")
	address := freeAddress()
	again.start("all", append(env, "DESKBELL_HTTP_ADDR="+address), "-v", "serve")
	desk := again.desk(t, env, address).with(t)

	var n, open int
	if err := desk.db.QueryRow(context.Background(), "SELECT min(number), count(*) FROM tickets WHERE status = 'assigned' AND assignee = 'bob'").Scan(&n, &open); err != nil {
		t.Fatal(err)
	}
	if open < 5 {
		t.Fatalf("only %d open tickets were restored", open)
	}
	desk.Person("bob").Phone().Reply(fmt.Sprintf("done %d after the restoration", n)).Expect(number(n) + " closed")
	desk.Person("ann").Phone().Expect(number(n), "solved", "after the restoration")
	desk.Await(n, "resolved", "bob")
	fresh := desk.Person("ann").Submit("The first one after it", "P3")
	desk.Person("ann").Phone().Expect(number(fresh), "we have your request")
}
