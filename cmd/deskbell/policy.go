package main

import (
	"fmt"

	"deskbell/config"
)

type policyCmd struct {
	Check policyCheckCmd `cmd:"" help:"Check a policy file and print it in plain words."`
}

type policyCheckCmd struct {
	File string `arg:"" help:"Policy file (YAML)." type:"existingfile"`
}

func (c policyCheckCmd) Run() error {
	p, err := config.Policy(c.File)
	if err != nil {
		return err
	}
	fmt.Print(p)
	return nil
}
