package storetest

import "syscall"

const (
	memory = "/dev/shm"
	roomy  = 1 << 30 // a database takes 8 MB; containers often have 64 MB of such memory
)

// parentDir is where a server's folder is made: in memory when there is room, for
// speed. Short, because a socket's path has at most 107 bytes, and not TMPDIR,
// which the server's user may be unable to enter.
func parentDir() string {
	var room syscall.Statfs_t
	if err := syscall.Statfs(memory, &room); err == nil && room.Bavail*uint64(room.Bsize) > roomy {
		return memory
	}
	return "/tmp"
}

// childAttributes let a server end with the test that is killed.
func childAttributes(as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGINT}
}
