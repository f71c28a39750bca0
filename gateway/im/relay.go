package im

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// relay carries the bytes of one login between a loopback port, which the XMPP
// library connects to, and the server. The library takes no context and sets no
// deadline once TCP stands; closing the relay ends whatever it hangs in. TLS runs
// from the library to the server through the relay, which sees only ciphertext.
type relay struct {
	listener net.Listener
	server   net.Conn
	carriers sync.WaitGroup

	mu     sync.Mutex
	client net.Conn
	closed bool
}

// openRelay connects to the server and offers one loopback connection to it.
func openRelay(ctx context.Context, address string) (*relay, error) {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	server, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to XMPP server: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		server.Close()
		return nil, fmt.Errorf("open loopback relay: %w", err)
	}
	r := &relay{listener: listener, server: server}
	r.carriers.Go(r.carry)
	return r, nil
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) carry() {
	defer r.cut()
	client, err := r.listener.Accept()
	if err != nil || !r.adopt(client) {
		return
	}
	r.listener.Close()
	r.carriers.Go(func() {
		defer r.cut()
		io.Copy(r.server, client)
	})
	io.Copy(client, r.server)
}

func (r *relay) adopt(client net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		client.Close()
		return false
	}
	r.client = client
	return true
}

// cut ends both connections at once. It may be called any number of times, by
// anybody.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.listener.Close()
	r.server.Close()
	if r.client != nil {
		r.client.Close()
	}
}

// close cuts the relay and waits until it carries nothing any more.
func (r *relay) close() {
	r.cut()
	r.carriers.Wait()
}
