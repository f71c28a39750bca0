// Package devstack runs the servers of development mode and of the tests as child
// processes: PostgreSQL and Prosody from the system's packages and the embedded Temporal
// server. It owns their folders, ports, passwords and certificates, and it sees to it
// that none of them outlives the process that started them.
//
// It knows nothing of tickets, people or texts; what a server must contain is given to it.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// MissingError says that a program which the system's package manager provides is not
// installed. Its text is one line with the command that installs it.
type MissingError struct {
	Program string
	Hint    string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed: %s", e.Program, e.Hint)
}

// Server is one child process that can be stopped, killed and started again on the same
// data and addresses. Its methods may be called from several goroutines.
type Server struct {
	launch func(context.Context) (*process, error) // returns when the server answers
	exited chan error

	mu   sync.Mutex
	proc *process // nil while stopped
}

func newServer(ctx context.Context, launch func(context.Context) (*process, error)) (*Server, error) {
	s := &Server{launch: launch, exited: make(chan error, 1)}
	if err := s.Restart(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Restart starts the server again after Stop or Kill, and stops it first when it runs.
// It returns when the server answers.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.end(ctx); err != nil {
		return err
	}
	proc, err := s.launch(ctx)
	if err != nil {
		return err
	}
	s.proc = proc
	proc.onUnexpectedExit(func(err error) {
		select {
		case s.exited <- err:
		default:
		}
	})
	return nil
}

// Stop ends the server in order, by force when the context or the server's own time limit
// runs out, and returns when the process is gone. Stopping twice is no error.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end(ctx)
}

func (s *Server) end(ctx context.Context) error {
	if s.proc == nil {
		return nil
	}
	err := s.proc.stop(ctx)
	s.proc = nil
	return err
}

// Kill ends the server with SIGKILL, for tests of faults. It returns when the process is gone.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	err := s.proc.kill()
	s.proc = nil
	return err
}

// Exited receives the reason when the server ends without having been told to.
func (s *Server) Exited() <-chan error { return s.exited }

// Pid is the process id, 0 while the server is stopped.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.pid
}

func isMissing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, os.ErrNotExist)
}
