package devstack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

const postgresMinimum = 15

// findPrograms returns the folder of the newest PostgreSQL that can serve the cluster: of
// its own major version if there is one, else any from postgresMinimum on.
func (c *postgresCluster) findPrograms() (string, error) {
	wanted, err := c.version()
	if err != nil {
		return "", err
	}
	newest, found := 0, ""
	for _, dir := range postgresFolders() {
		version := programVersion(filepath.Join(dir, "postgres"))
		if version == wanted && wanted > 0 {
			return dir, nil
		}
		if version > newest && !isMissing(filepath.Join(dir, "initdb")) {
			newest, found = version, dir
		}
	}
	switch {
	case newest < postgresMinimum:
		return "", &MissingError{
			Program: fmt.Sprintf("PostgreSQL %d or newer", postgresMinimum),
			Hint:    installHint("apt-get install --no-install-recommends postgresql", "brew install postgresql@17"),
		}
	case wanted > 0:
		return "", fmt.Errorf("the cluster in %s was made by PostgreSQL %d and only %d is installed: "+
			"install PostgreSQL %d, or upgrade it with pg_upgrade", c.data, wanted, newest, wanted)
	}
	return found, nil
}

// version of the cluster, 0 if there is none yet.
func (c *postgresCluster) version() (int, error) {
	if isMissing(c.data) {
		return 0, nil
	}
	text, err := os.ReadFile(filepath.Join(c.data, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("%s is not a PostgreSQL cluster: move it away or choose another state folder", c.data)
	}
	if err != nil {
		return 0, fmt.Errorf("postgres: %w", err)
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("postgres: version of %s: %w", c.data, err)
	}
	return version, nil
}

func postgresFolders() []string {
	var folders []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // Fedora, RHEL
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew, Apple silicon
		"/usr/local/opt/postgresql*/bin",    // Homebrew, Intel
	} {
		matches, _ := filepath.Glob(pattern) // fails only for a malformed pattern
		folders = append(folders, matches...)
	}
	return folders
}

// programVersion is the major version that a postgres program reports, 0 if it does not run.
func programVersion(program string) int {
	output, err := exec.Command(program, "--version").Output() // postgres (PostgreSQL) 15.8 (Debian ...)
	if err != nil {
		return 0
	}
	_, version, _ := strings.Cut(string(output), "(PostgreSQL) ")
	digits := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		return 0
	}
	major, err := strconv.Atoi(version[:digits])
	if err != nil {
		return 0
	}
	return major
}

// installHint is the line that installs something here.
func installHint(apt, brew string) string {
	if runtime.GOOS == "darwin" {
		return "run: " + brew
	}
	return "run: sudo " + apt
}
