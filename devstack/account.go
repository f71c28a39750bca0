package devstack

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is the ordinary user as whom a server runs when we are root, because PostgreSQL
// and Prosody refuse to run as root.
type account struct {
	name         string
	uid, gid     uint32
	capabilities []uintptr
}

// ordinaryUser picks the first of the names that exists, nil when we are not root. If the
// folder lies below one that this user may not enter (/root, say), the process gets the
// capability to pass through.
func ordinaryUser(folder string, names ...string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	var found *user.User
	for _, name := range append(names, "nobody") {
		if u, err := user.Lookup(name); err == nil {
			found = u
			break
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no ordinary user to run a server as: create the user %s", names[0])
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", found.Username, err)
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", found.Username, err)
	}
	a := &account{name: found.Username, uid: uint32(uid), gid: uint32(gid)}
	if closed := closedParent(folder); closed != "" {
		if a.capabilities = searchCapabilities(); a.capabilities == nil {
			return nil, fmt.Errorf("user %s may not enter %s: choose another state folder", a.name, closed)
		}
	}
	return a, nil
}

// closedParent is the first folder above path that others may not enter, "" if there is none.
func closedParent(path string) string {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode()&0o001 == 0 {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// own gives a file or folder, with all it holds, to the account. Nothing to do for nil.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, int(a.uid), int(a.gid))
	})
}
