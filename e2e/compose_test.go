package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"deskbell/config"
)

// composition is what the tests read of docker-compose.yml, as Docker resolves it.
type composition struct {
	Services map[string]service
	Secrets  map[string]struct{ File string }
	Configs  map[string]struct{ File string }
}

type service struct {
	Image       string
	Build       any
	User        string
	ReadOnly    bool `json:"read_only"`
	Command     []string
	Environment map[string]*string
	Secrets     []mount
	Configs     []mount
	Volumes     []mount
	Healthcheck struct{ Test []string }
	DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
}

type mount struct{ Source, Target string }

// readComposition has the compose library read the file, which checks it, with the
// settings that a .env may have.
func readComposition(t *testing.T, settings ...string) composition {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "run", ".", "../../docker-compose.yml")
	command.Dir = "../tools/compose"
	command.Env = slices.Concat(environment(), []string{"GOWORK=off"}, settings)
	var errs strings.Builder
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("docker-compose.yml: %v\n%s", err, errs.String())
	}
	var c composition
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// ours are the services of our image.
func (c composition) ours() map[string]service {
	found := map[string]service{}
	for name, s := range c.Services {
		if s.Build != nil {
			found[name] = s
		}
	}
	return found
}

func TestCompose(t *testing.T) {
	t.Parallel()
	c := readComposition(t, moreSMSCs(t, t.TempDir(), "carrier.example.org:2775"), "DESKBELL_FILES=files")
	for role, variable := range map[string]string{"sms": "DESKBELL_SMPP_ADDR_2", "api": "DESKBELL_FILES_DIR"} {
		if value := c.Services[role].Environment[variable]; value == nil || *value == "" {
			t.Errorf("%s: %s is not set by .env", role, variable)
		}
	}
	var names []string
	known := map[string]bool{"OTEL_EXPORTER_OTLP_ENDPOINT": true}
	for _, v := range config.Known() {
		known[v.Name] = true
		known[v.Name+"_2"] = v.Numbered
		known[v.Name+"_FILE"] = v.Secret
		if v.Name == "DESKBELL_SCAN_COMMAND" { // the image has nothing to run
			continue
		}
		for _, role := range config.Roles() {
			environment := c.Services[role].Environment
			_, here := environment[v.Name]
			if _, inFile := environment[v.Name+"_FILE"]; slices.Contains(v.Roles, role) && !here && !inFile {
				t.Errorf("%s: %s cannot be set", role, v.Name)
			}
		}
	}
	for name, s := range c.ours() {
		names = append(names, name)
		for variable, value := range s.Environment {
			if !known[variable] {
				t.Errorf("%s: %s is no variable of Deskbell's", name, variable)
			}
			if value != nil && strings.HasPrefix(*value, "/") && !slices.ContainsFunc(slices.Concat(s.secrets(), s.Configs, s.Volumes), func(m mount) bool { return m.Target == *value }) {
				t.Errorf("%s: %s=%s is not mounted", name, variable, *value)
			}
		}
		if s.User != "65532:65532" || !s.ReadOnly {
			t.Errorf("%s runs as %q, read-only %v", name, s.User, s.ReadOnly)
		}
		if slices.Contains(config.Roles(), name) && !slices.Equal(s.Healthcheck.Test, []string{"CMD", "/deskbell", "healthy"}) {
			t.Errorf("%s: health check %q", name, s.Healthcheck.Test)
		}
		if slices.Contains(config.Roles(), name) && s.DependsOn["migrate"].Condition != "service_completed_successfully" {
			t.Errorf("%s does not wait for the migration: %v", name, s.DependsOn)
		}
	}
	slices.Sort(names)
	if want := []string{"api", "im", "migrate", "sms", "smsc", "tickets"}; !slices.Equal(names, want) {
		t.Errorf("services of our image: %v, want %v", names, want)
	}
	dockerfile, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(dockerfile), "\nENTRYPOINT [\"/deskbell\"]\n") || !strings.Contains(string(dockerfile), "\nUSER 65532:65532\n") {
		t.Error("the image's entry point or user is another than the compose file's")
	}
	secrets := filepath.Join(t.TempDir(), "secrets")
	if out, err := exec.CommandContext(t.Context(), "sh", "../deploy/secrets.sh", secrets).CombinedOutput(); err != nil {
		t.Fatalf("deploy/secrets.sh: %v\n%s", err, out)
	}
	for name, secret := range c.Secrets {
		if info, err := os.Stat(filepath.Join(secrets, filepath.Base(secret.File))); err != nil || info.Size() == 0 {
			t.Errorf("deploy/secrets.sh does not make %s: %v", name, err)
		}
	}
	for name, file := range c.Configs {
		if _, err := os.Stat(file.File); err != nil {
			t.Errorf("config %s: %v", name, err)
		}
	}
}

// secrets are where a service finds its secrets.
func (s service) secrets() []mount {
	var out []mount
	for _, m := range s.Secrets {
		target := cmp.Or(m.Target, m.Source)
		if !strings.HasPrefix(target, "/") {
			target = "/run/secrets/" + target
		}
		out = append(out, mount{m.Source, target})
	}
	return out
}

// moreSMSCs is the setting that names a file with a second SMSC; nobody's number goes
// there.
func moreSMSCs(t *testing.T, dir, address string) string {
	t.Helper()
	path := filepath.Join(dir, "smscs.env")
	content := "DESKBELL_SMPP_ADDR_2=" + address + "\nDESKBELL_SMPP_SYSTEM_ID_2=second\nDESKBELL_SMPP_PASSWORD_2=secret2\nDESKBELL_SMPP_SOURCE_2=+447700900999\nDESKBELL_SMPP_PREFIXES_2=+999\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return "DESKBELL_SMSCS=" + path
}

// composed starts every service of our image as a process, with the command and the
// environment of the compose file; only addresses and paths are this machine's. Files
// are kept, and there is a second SMSC.
func composed(t *testing.T, s *servers) {
	second := freeAddress()
	c := readComposition(t, moreSMSCs(t, t.TempDir(), second), "DESKBELL_FILES=files")
	if err := s.postgres.EnsureDatabase(t.Context(), "composed"); err != nil {
		t.Fatal(err)
	}
	apart := *s
	apart.t, apart.dir = t, filepath.Join(s.dir, "composed")
	kept := filepath.Join(apart.dir, "files")
	if err := errors.Join(os.Mkdir(apart.dir, 0o711), os.Mkdir(kept, 0o700)); err != nil {
		t.Fatal(err)
	}
	apart.ready.DatabaseURL = s.postgres.URL("composed")
	apart.ready.SMPP = freeAddress()
	phones := freeAddress()
	apart.ready.Phones = "http://" + phones
	files := map[string]string{
		"database_url": apart.ready.DatabaseURL, "smpp_password": smppPassword, "xmpp_password": deskPassword, "token_key": strings.Repeat("k", 40) + "\n",
		"people": string(s.people), "policy": patient,
	}
	// As deploy/secrets.sh and the operator would: files, under the names of the file.
	paths := map[string]string{"xmpp_ca": s.ready.XMPPCA}
	for name, content := range files {
		paths[name] = apart.file(name, content)
	}
	listens := map[string]string{} // by service: where it listens
	translate := func(name string, sv service, value string) string {
		for _, m := range slices.Concat(sv.secrets(), sv.Configs) {
			if m.Target == value {
				return paths[m.Source]
			}
		}
		switch value {
		case "temporal:7233":
			return s.ready.Temporal
		case "smsc:2775":
			return apart.ready.SMPP
		case "prosody:5222":
			return s.ready.XMPP
		case "helpdesk@desk.example.org":
			return deskJID
		case ":8080":
			return listens[name]
		case ":8090":
			return phones
		case "/state":
			return filepath.Join(apart.dir, "state")
		case "/files":
			return kept
		}
		return value
	}
	resolve := func(name string) (env, args []string) {
		sv := c.Services[name]
		listens[name] = freeAddress()
		for _, variable := range slices.Sorted(maps.Keys(sv.Environment)) {
			if value := sv.Environment[variable]; value != nil {
				env = append(env, variable+"="+translate(name, sv, *value))
			}
		}
		for _, arg := range sv.Command {
			args = append(args, translate(name, sv, arg))
		}
		return env, args
	}
	env, args := resolve("smsc")
	apart.start("smsc", env, args...)
	apart.start("smsc", []string{"DESKBELL_SMPP_ADDR=" + second, "DESKBELL_SMPP_SYSTEM_ID=second", "DESKBELL_SMPP_PASSWORD=secret2", "DESKBELL_SMPP_SOURCE=+447700900999"},
		"smsc", "--state", filepath.Join(apart.dir, "second"), "--http", freeAddress())
	env, args = resolve("migrate")
	apart.mustRun(env, args...)
	started := map[string]*role{}
	healthy := map[string][]string{}
	for _, name := range config.Roles() {
		env, args := resolve(name)
		started[name] = apart.start(name, env, args...)
		healthy[name] = env
	}
	apart.namespace = "helpdesk"
	desk := apart.desk(t, healthy["api"], listens["api"])
	for name, env := range healthy { // the health check's command
		test := c.Services[name].Healthcheck.Test
		if out, err := apart.run(env, test[2:]...); err != nil {
			t.Errorf("%s is not healthy: %v %s", name, err, out)
		}
		readyAt(t, name, listens[name])
	}
	for _, address := range []string{apart.ready.SMPP, second} {
		bound := `deskbell_smpp_bound{bind="transceiver",smsc="` + address + `"}`
		if !eventually(Patience, func() bool { return metrics(t, listens["sms"])[bound] == 1 }) {
			t.Errorf("%s is not bound", address)
		}
	}
	bookInRealTime(t, desk.with(t))
	keepsFile(t, desk, kept)
	dashboard(t, slices.Collect(maps.Values(listens)))
	for _, name := range slices.Backward(config.Roles()) {
		if err := started[name].command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-started[name].exited:
			if started[name].status != nil {
				t.Errorf("%s ended with %v", name, started[name].status)
			}
		case <-time.After(stopLimit):
			t.Errorf("%s does not end", name)
		}
	}
	apart.noPersonalData(t)
}

// keepsFile has a ticket's file kept in a folder.
func keepsFile(t *testing.T, desk *Desk, folder string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "POST", desk.HTTP+"/v1/tickets/100/attachments?name=jam.txt", strings.NewReader("paper"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+desk.Token)
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	files, err := os.ReadDir(folder)
	if response.StatusCode != http.StatusCreated || err != nil || len(files) != 1 {
		t.Errorf("a file is kept: %s, %d files, %v", response.Status, len(files), err)
	}
}

// readyAt checks readiness and the names of the metrics of one process.
func readyAt(t *testing.T, name, address string) {
	t.Helper()
	response, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body struct{ Checks map[string]string }
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || response.StatusCode != http.StatusOK || body.Checks["postgresql"] != "ok" || body.Checks["temporal"] != "ok" {
		t.Errorf("%s is not ready: %d %v %v", name, response.StatusCode, body, err)
	}
	got := metrics(t, address)
	for _, want := range []string{`deskbell_channel_up{channel="sms"}`, `deskbell_channel_up{channel="im"}`, `deskbell_part_up{part="postgresql"}`, `deskbell_part_up{part="temporal"}`} {
		if got[want] != 1 {
			t.Errorf("%s: %s is %v", name, want, got[want])
		}
	}
	for _, channel := range []string{"sms", "im"} {
		if want := map[bool]float64{true: 1}[name == channel]; got[`deskbell_channel_holder{channel="`+channel+`"}`] != want {
			t.Errorf("%s: deskbell_channel_holder of %s is not %v", name, channel, want)
		}
	}
}

// metrics are the samples of a process, by name and labels.
func metrics(t *testing.T, address string) map[string]float64 {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var text strings.Builder
	if err := response.Write(&text); err != nil {
		t.Fatal(err)
	}
	samples := map[string]float64{}
	_, body, _ := strings.Cut(text.String(), "\r\n\r\n")
	for line := range strings.Lines(body) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "} ")
		if found {
			name += "}"
		} else if name, value, found = strings.Cut(strings.TrimSpace(line), " "); !found {
			continue
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			samples[name] = n
			if !strings.HasPrefix(name, "deskbell_") {
				t.Errorf("a metric of another name: %s", name)
			}
		}
	}
	return samples
}

var metricName = regexp.MustCompile(`deskbell_[a-z_]+`)

// dashboard checks that the processes tell every metric that the dashboard shows,
// once something has happened.
func dashboard(t *testing.T, addresses []string) {
	t.Helper()
	data, err := os.ReadFile("../deploy/grafana/deskbell.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	wanted := map[string]bool{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			for _, name := range metricName.FindAllString(target.Expr, -1) {
				wanted[name] = true
			}
		}
	}
	if len(wanted) < 10 {
		t.Errorf("the dashboard shows %d metrics", len(wanted))
	}
	if !eventually(Patience, func() bool { // receipts come late
		for _, address := range addresses {
			if conn, err := net.Dial("tcp", address); err != nil {
				continue // migrate and smsc have no metrics
			} else {
				_ = conn.Close()
			}
			for sample := range metrics(t, address) {
				name, _, _ := strings.Cut(sample, "{")
				delete(wanted, name)
			}
		}
		return len(wanted) == 0
	}) {
		t.Errorf("no process tells %v", slices.Sorted(maps.Keys(wanted)))
	}
}
