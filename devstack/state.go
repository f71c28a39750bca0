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
	dir  string
	lock *os.File
}

// OpenState creates the folder if need be and locks it. Its errors are one line: the folder
// cannot be used, or another process, which the error names, has it.
func OpenState(dir string) (*State, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state folder cannot be used: %w", err)
	}
	path := filepath.Join(dir, "lock")
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder cannot be used: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("state folder %s is in use by process %s", dir, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock state folder %s: %w", dir, err)
	}
	if err := writePid(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("state folder cannot be used: %w", err), lock.Close())
	}
	return &State{dir: dir, lock: lock}, nil
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
func (s *State) Close() error { return s.lock.Close() }

// writeFile replaces a file whole: a crash leaves the old or the new one.
func writeFile(path string, content []byte, mode os.FileMode) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, mode); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
