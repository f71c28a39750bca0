package devstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// State is the folder of one development desk, held by one process at a time.
type State struct {
	dir    string
	lock   *os.File
	killed bool // the previous holder did not close it, so its servers may still be stopping
}

// OpenState creates the folder if need be and locks it. Its errors are one line: the folder
// cannot be used, or another process, which the error names, has it.
func OpenState(dir string) (*State, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // the servers run as other users and must pass through
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return nil, fmt.Errorf("state folder cannot be used: %w", err)
	}
	path := filepath.Join(dir, "lock")
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder cannot be used: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	holder, _ := os.ReadFile(path)
	if err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("state folder %s is in use by process %s", dir, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock state folder %s: %w", dir, err)
	}
	if err := writePid(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("state folder cannot be used: %w", err), lock.Close())
	}
	return &State{dir: dir, lock: lock, killed: len(holder) > 0}, nil
}

func writePid(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// Dir is the absolute path of the folder.
func (s *State) Dir() string { return s.dir }

// Path is the absolute path of something in the folder.
func (s *State) Path(name string) string { return filepath.Join(s.dir, name) }

// Close gives the folder free for the next process.
func (s *State) Close() error {
	return errors.Join(s.lock.Truncate(0), s.lock.Close())
}

// writeFile replaces a file whole: a crash leaves the old or the new one.
func writeFile(path string, content []byte, mode os.FileMode) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, mode); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
