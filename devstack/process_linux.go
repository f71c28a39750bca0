package devstack

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

const (
	capDACOverride   = 1
	capDACReadSearch = 2
)

func childAttributes(deathSignal syscall.Signal, user *account) *syscall.SysProcAttr {
	// Its own group, so that a Ctrl-C at the terminal reaches us alone and we stop it in order.
	attributes := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: deathSignal}
	if user != nil {
		attributes.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid}
		attributes.AmbientCaps = user.capabilities
	}
	return attributes
}

// searchCapabilities are what lets a process of another user walk through folders closed to
// it. Containers often withhold the narrower of the two.
func searchCapabilities() []uintptr {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(status)) {
		value, found := strings.CutPrefix(line, "CapPrm:")
		if !found {
			continue
		}
		permitted, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return nil
		}
		for _, capability := range []uintptr{capDACReadSearch, capDACOverride} {
			if permitted&(1<<capability) != 0 {
				return []uintptr{capability}
			}
		}
	}
	return nil
}

// commandLine of a process, "" if there is none; zombies have none.
func commandLine(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(text), "\x00", " ")
}

// postgresLocale of a new cluster: code point order, and letters of every language.
const postgresLocale = "C.UTF-8"
