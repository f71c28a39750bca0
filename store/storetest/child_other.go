//go:build !linux

package storetest

import "syscall"

func parentDir() string { return "/tmp" }

func childAttributes(as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as}
}
