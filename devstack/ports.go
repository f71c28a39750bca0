package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// Port names one listening socket of the development stack; its value is the offset from
// the base when fixed ports are asked for.
type Port int

// The sockets of the development stack.
const (
	PortHTTP Port = iota
	PortTemporal
	PortTemporalUI
	PortPhones
	PortSMPP
	PortXMPP
	PortXMPPHTTP
	PortPostgres
	portCount
)

func (p Port) String() string {
	return [portCount]string{
		"http", "temporal", "temporal_ui", "phones", "smpp", "xmpp", "xmpp_http", "postgres",
	}[p]
}

// PortTakenError says that a port which was asked for is in use.
type PortTakenError struct {
	Name string
	Port int
}

func (e *PortTakenError) Error() string {
	return fmt.Sprintf("port %d (%s) on 127.0.0.1 is taken", e.Port, e.Name)
}

// Ports hands out ports on 127.0.0.1 and remembers them in the state folder, so that a desk
// keeps its addresses from one start to the next. Safe for concurrent use.
type Ports struct {
	file     string
	base     int           // 0: free ones
	patience time.Duration // how long a port may stay taken by a killed predecessor's servers

	mu    sync.Mutex
	known map[string]int
	given map[int]bool
}

// Ports reads the specification of the ports: "auto" takes the ports of the last start as
// far as they are free and free ones otherwise; a number is the base of fixed ones.
func (s *State) Ports(specification string) (*Ports, error) {
	p := &Ports{file: s.Path("ports.json"), known: make(map[string]int), given: make(map[int]bool)}
	if s.killed {
		p.patience = 5 * time.Second
	}
	if specification != "auto" {
		base, err := strconv.Atoi(specification)
		if err != nil || base < 1 || base+int(portCount) > 65536 {
			return nil, fmt.Errorf("ports: %q is neither \"auto\" nor a port from 1 to %d", specification, 65536-int(portCount))
		}
		p.base = base
	}
	text, err := os.ReadFile(p.file)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ports: %w", err)
	}
	if err := json.Unmarshal(text, &p.known); err != nil {
		return nil, fmt.Errorf("read ports: %s: %w", p.file, err)
	}
	return p, nil
}

// Take returns the port for one socket. With fixed ports one that is in use is a
// *PortTakenError.
func (p *Ports) Take(name Port) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.base > 0 {
		port := p.base + int(name)
		if !p.awaitFree(port) {
			return 0, &PortTakenError{Name: name.String(), Port: port}
		}
		return port, nil
	}
	port := p.known[name.String()]
	if port != 0 {
		p.awaitFree(port)
	}
	for port == 0 || p.given[port] || !portFree(port) {
		port = randomPort()
	}
	p.given[port] = true
	p.known[name.String()] = port
	text, err := json.MarshalIndent(p.known, "", "  ")
	if err != nil {
		return 0, fmt.Errorf("remember ports: %w", err)
	}
	if err := writeFile(p.file, append(text, '\n'), 0o600); err != nil {
		return 0, fmt.Errorf("remember ports: %w", err)
	}
	return port, nil
}

func (p *Ports) awaitFree(port int) bool {
	for deadline := time.Now().Add(p.patience); ; time.Sleep(20 * time.Millisecond) {
		if portFree(port) {
			return true
		}
		if !time.Now().Before(deadline) {
			return false
		}
	}
}

// choosePort returns the port asked for if it is free, any free one for 0.
func choosePort(name Port, port int) (int, error) {
	if port == 0 {
		return FreePort(), nil
	}
	if !portFree(port) {
		return 0, &PortTakenError{Name: name.String(), Port: port}
	}
	return port, nil
}

// FreePort returns a port of this machine that nobody listens on, below the range that
// systems take for outgoing connections.
func FreePort() int {
	for {
		if port := randomPort(); portFree(port) {
			return port
		}
	}
}

// randomPort lies below the range that systems use for outgoing connections (from 32768 on
// Linux, 49152 on macOS), so that none of these can take it before a server listens, or
// between two starts.
func randomPort() int { return 20000 + rand.IntN(12768) }

func portFree(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort(localhost, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

const localhost = "127.0.0.1"
