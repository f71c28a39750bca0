package im

import "testing"

// StartServer starts a server for tests from outside, with the desk, alice and bob.
func StartServer(t testing.TB) (addr, caFile, domain, accountPassword string) {
	p := startProsody(t)
	return p.addr, p.ca, host, password
}
